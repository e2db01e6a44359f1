import type { CoreHandle } from './core-api.ts';
import type {
  Engine,
  EngineOptions,
  EngineRequest,
  EngineStats,
  FinishReason,
  StepResult,
  Submission,
} from './engine-api.ts';
import { EngineCore } from './engine-core.ts';
import { EventLog } from './event-log.ts';
import type { KvEvent } from './kv-event.ts';
import type { StepWork } from './step-time.ts';
import { TokenText } from './token-text.ts';

/** The part of a {@link StepResult} that the engine writes. */
type MutableResult<R> = StepWork & {
  startMs: number;
  durationMs: number;
  requests: R[];
  tokens: number[];
  finished: (FinishReason | null)[];
  events: KvEvent[];
};

/** The core with token ids: hashes them, samples them, and tells events with them. */
class TokenEngine<R extends EngineRequest> implements Engine<R> {
  readonly capacityTokens: number;
  private readonly core: EngineCore<TokenText<R>>;
  private readonly log: EventLog<R>;
  private readonly handles = new Map<R, CoreHandle<TokenText<R>>>();
  private readonly result: MutableResult<R> = {
    startMs: 0,
    durationMs: 0,
    batchTokens: 0,
    prefillPairs: 0,
    decodeContextTokens: 0,
    sequences: 0,
    requests: [],
    tokens: [],
    finished: [],
    events: [],
  };

  constructor(options: EngineOptions) {
    this.log = new EventLog(options.blockSize ?? options.profile.blockSize);
    this.core = new EngineCore(options, this.log);
    this.capacityTokens = this.core.capacityTokens;
  }

  submit(request: R, nowMs: number): Submission {
    const submission = this.core.submit(new TokenText(request, this.core.blockSize), nowMs);
    if (submission.kind === 'rejected') {
      return { kind: 'rejected', reason: 'exceeds-kv-capacity', capacityTokens: this.capacityTokens };
    }
    this.handles.set(request, submission.handle);
    return { kind: 'accepted', progress: submission.handle };
  }

  abort(request: R): boolean {
    const handle = this.handles.get(request);
    return handle !== undefined && this.handles.delete(request) && this.core.abort(handle);
  }

  hasWork(): boolean {
    return this.core.hasWork();
  }

  step(nowMs: number): StepResult<R> | null {
    this.forgetFinished();
    const step = this.core.step(nowMs);
    if (step === null) return null;
    const { result } = this;
    result.startMs = step.startMs;
    result.durationMs = step.durationMs;
    result.batchTokens = step.batchTokens;
    result.prefillPairs = step.prefillPairs;
    result.decodeContextTokens = step.decodeContextTokens;
    result.sequences = step.sequences;
    for (let i = 0; i < step.sampled; i++) {
      const text = step.requests[i]!;
      result.requests[i] = text.request;
      result.tokens[i] = text.lastToken;
      result.finished[i] = step.finished[i]!;
    }
    result.requests.length = result.tokens.length = step.sampled;
    result.events = this.log.take();
    return result;
  }

  resetPrefixCache(): boolean {
    return this.core.resetPrefixCache();
  }

  stats(): EngineStats {
    return this.core.stats();
  }

  /** What ended in the last step can be dropped until this one. */
  private forgetFinished(): void {
    const { requests, finished } = this.result;
    for (let i = 0; i < finished.length; i++) if (finished[i] !== null) this.handles.delete(requests[i]!);
    finished.length = 0;
  }
}

/**
 * An engine with the step semantics of vLLM V1: running requests first under a token budget, chunked prefill, first come
 * first served admission, prefix reuse by chained block hashes, eviction of the least recently freed block, preemption
 * of the last admitted request with recomputation. Deterministic: equal calls give equal results.
 * @throws RangeError when a size is not a positive integer or there are fewer than two blocks.
 */
export function createEngine<R extends EngineRequest>(options: EngineOptions): Engine<R> {
  return new TokenEngine<R>(options);
}
