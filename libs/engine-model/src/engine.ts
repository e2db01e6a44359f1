import { BlockPool } from './block-pool.ts';
import type {
  Engine,
  EngineOptions,
  EngineRequest,
  EngineStats,
  FinishReason,
  StepResult,
  Submission,
} from './engine-api.ts';
import { EventLog } from './event-log.ts';
import type { KvEvent } from './kv-event.ts';
import type { EngineProfile } from './profiles.ts';
import { Sequence, State } from './sequence.ts';
import { stepTimeMs } from './step-time.ts';
import type { StepWork } from './step-time.ts';
import { WaitingQueue } from './waiting-queue.ts';

/** The part of a {@link StepResult} that the engine writes. */
type MutableResult<R> = StepWork & {
  startMs: number;
  durationMs: number;
  requests: R[];
  tokens: number[];
  finished: (FinishReason | null)[];
  events: KvEvent[];
};

class StepEngine<R extends EngineRequest> implements Engine<R> {
  readonly capacityTokens: number;
  private readonly profile: EngineProfile;
  private readonly blockSize: number;
  private readonly maxBatchTokens: number;
  private readonly maxSeqs: number;
  private readonly jitter: EngineOptions['jitter'];
  private readonly log = new EventLog();
  private readonly pool: BlockPool;
  private readonly sequences = new Map<R, Sequence<R>>();
  private readonly waiting = new WaitingQueue<R>();
  /** In order of admission. */
  private readonly running: Sequence<R>[] = [];
  /** Set when a running sequence ended, so that the next step sweeps it out. */
  private sweep = false;
  private readonly hits: number[] = [];
  private readonly result: MutableResult<R>;
  private budget = 0;
  private prefixQueryTokens = 0;
  private prefixHitTokens = 0;
  private preemptions = 0;
  private steps = 0;
  private endMs = -Infinity;

  constructor(options: EngineOptions) {
    this.profile = options.profile;
    this.blockSize = options.blockSize ?? options.profile.blockSize;
    this.maxBatchTokens = options.maxBatchTokens ?? options.profile.maxBatchTokens;
    this.maxSeqs = options.maxSeqs ?? options.profile.maxSeqs;
    this.jitter = options.jitter;
    const blocks = options.kvBlocks ?? Math.floor(options.profile.kvTokens / this.blockSize);
    // vLLM keeps one block as a placeholder that no request can use
    this.pool = new BlockPool(blocks - 1, (hi, lo) => this.log.removed(hi, lo));
    this.capacityTokens = (blocks - 1) * this.blockSize;
    this.result = {
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
  }

  submit(request: R, nowMs: number): Submission {
    if (request.promptTokens.length === 0 || request.maxTokens < 1) {
      throw new RangeError('a request needs a prompt and at least one output token');
    }
    if (request.promptTokens.length + request.maxTokens > this.capacityTokens) {
      return { kind: 'rejected', reason: 'exceeds-kv-capacity', capacityTokens: this.capacityTokens };
    }
    const sequence = new Sequence(request, this.blockSize, nowMs);
    this.sequences.set(request, sequence);
    this.waiting.append(sequence);
    return { kind: 'accepted', progress: sequence };
  }

  abort(request: R): boolean {
    const sequence = this.sequences.get(request);
    if (sequence === undefined) return false;
    this.sequences.delete(request);
    if (sequence.state === State.waiting) {
      this.waiting.remove(sequence);
      sequence.state = State.finished;
      return true;
    }
    const open = sequence.state === State.running;
    sequence.state = State.finished;
    this.releaseBlocks(sequence);
    this.running.splice(this.running.indexOf(sequence), 1);
    return open;
  }

  hasWork(): boolean {
    if (this.sweep) this.sweepFinished();
    return this.running.length > 0 || this.waiting.size > 0;
  }

  step(nowMs: number): StepResult<R> | null {
    if (nowMs < this.endMs) throw new RangeError(`step at ${nowMs} ms, before the last one ended at ${this.endMs} ms`);
    if (!this.hasWork()) return null;
    const { result } = this;
    result.startMs = nowMs;
    result.batchTokens = result.prefillPairs = result.decodeContextTokens = result.sequences = 0;
    result.requests.length = result.tokens.length = result.finished.length = 0;
    this.budget = this.maxBatchTokens;
    const preempted = this.preemptions;
    this.scheduleRunning();
    if (this.preemptions === preempted) this.scheduleWaiting(nowMs);
    result.events = this.log.take();
    result.durationMs = stepTimeMs(this.profile.step, result) * this.jitterFactor();
    this.endMs = nowMs + result.durationMs;
    this.steps++;
    return result;
  }

  resetPrefixCache(): boolean {
    if (this.sweep) this.sweepFinished();
    if (!this.pool.clear()) return false;
    this.log.cleared();
    return true;
  }

  stats(): EngineStats {
    const { pool } = this;
    const usedBlocks = pool.capacity - pool.freeBlocks;
    return {
      runningRequests: this.running.length,
      waitingRequests: this.waiting.size,
      totalBlocks: pool.capacity,
      usedBlocks,
      cachedBlocks: pool.cachedBlocks,
      kvUsage: usedBlocks / pool.capacity,
      prefixQueryTokens: this.prefixQueryTokens,
      prefixHitTokens: this.prefixHitTokens,
      preemptions: this.preemptions,
      steps: this.steps,
    };
  }

  /** Running requests first, in order: one token for a decode, a chunk for a prompt that is not computed yet. */
  private scheduleRunning(): void {
    const { running } = this;
    for (let i = 0; i < running.length && this.budget > 0; i++) {
      const sequence = running[i]!;
      const tokens = Math.min(sequence.length - sequence.computedTokens, this.budget);
      const missing = this.blocksFor(sequence.computedTokens + tokens) - sequence.blockCount;
      while (missing > this.pool.freeBlocks) {
        const last = running.pop()!;
        this.preempt(last);
        if (last === sequence) return;
      }
      this.compute(sequence, tokens);
    }
  }

  /** Then waiting requests, first come first served, as long as the whole prompt of the first one fits. */
  private scheduleWaiting(nowMs: number): void {
    const { pool, hits } = this;
    while (this.budget > 0 && this.running.length < this.maxSeqs) {
      const sequence = this.waiting.first();
      if (sequence === undefined) return;
      this.findHits(sequence);
      let needed = this.blocksFor(sequence.length) - hits.length;
      for (const block of hits) if (pool.referencesOf(block) === 0) needed++;
      if (needed > pool.freeBlocks) return;
      this.waiting.takeFirst();
      sequence.state = State.running;
      this.running.push(sequence);
      for (const block of hits) {
        pool.reference(block);
        sequence.appendBlock(block);
      }
      sequence.announcedBlocks = hits.length;
      sequence.computedTokens = hits.length * this.blockSize;
      if (sequence.scheduledMs === null) {
        sequence.scheduledMs = nowMs;
        sequence.cachedTokens = sequence.computedTokens;
        this.prefixQueryTokens += sequence.length;
        this.prefixHitTokens += sequence.computedTokens;
      }
      this.compute(sequence, Math.min(sequence.length - sequence.computedTokens, this.budget));
    }
  }

  /** Cached blocks of the sequence's prefix, into `hits`. The last token is always computed, for its logits. */
  private findHits(sequence: Sequence<R>): void {
    const { hits } = this;
    hits.length = 0;
    const limit = Math.floor((sequence.length - 1) / this.blockSize);
    for (let i = 0; i < limit; i++) {
      const block = this.pool.find(sequence.hashHi(i), sequence.hashLo(i));
      if (block < 0) return;
      hits.push(block);
    }
  }

  /** Puts `tokens` of the sequence into the step; its blocks must fit. Samples a token when that completes it. */
  private compute(sequence: Sequence<R>, tokens: number): void {
    const { pool, result } = this;
    const context = sequence.computedTokens;
    this.budget -= tokens;
    result.batchTokens += tokens;
    result.sequences++;
    if (tokens === 1 && context >= sequence.promptTokens) result.decodeContextTokens += context;
    else result.prefillPairs += tokens * (context + tokens / 2);

    const end = context + tokens;
    for (let blocks = this.blocksFor(end); sequence.blockCount < blocks;) sequence.appendBlock(pool.allocate());
    sequence.computedTokens = end;
    this.announceFullBlocks(sequence);
    if (end === sequence.length) this.sample(sequence);
  }

  /** Blocks that this step fills can be hit by the next request, in this very step. */
  private announceFullBlocks(sequence: Sequence<R>): void {
    const first = sequence.announcedBlocks;
    const end = Math.floor(sequence.computedTokens / this.blockSize);
    if (end <= first) return;
    for (let i = first; i < end; i++) {
      this.pool.cache(sequence.blocks[i]!, sequence.hashHi(i), sequence.hashLo(i));
    }
    sequence.announcedBlocks = end;
    this.log.stored({
      kind: 'stored',
      hashes: sequence.hashes(first, end),
      parent: first === 0 ? null : sequence.hashes(first - 1, first)[0]!,
      tokenIds: sequence.tokens.subarray(first * this.blockSize, end * this.blockSize),
      blockSize: this.blockSize,
      loraName: sequence.request.loraName,
      cacheSalt: sequence.request.cacheSalt,
    });
  }

  private sample(sequence: Sequence<R>): void {
    const { result } = this;
    const { request } = sequence;
    const token = request.nextToken(sequence.outputTokens);
    sequence.append(token);
    const finished =
      token === request.stopToken ? 'stop' : sequence.outputTokens >= request.maxTokens ? 'length' : null;
    result.requests.push(request);
    result.tokens.push(token);
    result.finished.push(finished);
    if (finished !== null) {
      sequence.state = State.finished;
      this.sweep = true;
    }
  }

  /** Gives the blocks of a running sequence up; it is computed again, from the front of the queue. */
  private preempt(sequence: Sequence<R>): void {
    this.releaseBlocks(sequence);
    sequence.state = State.waiting;
    sequence.computedTokens = 0;
    sequence.announcedBlocks = 0;
    sequence.preemptions++;
    this.preemptions++;
    this.waiting.prepend(sequence);
  }

  /** Takes out what ended in the last step: it counts as running, and holds its blocks, until that step is over. */
  private sweepFinished(): void {
    const { running } = this;
    let kept = 0;
    for (const sequence of running) {
      if (sequence.state === State.running) running[kept++] = sequence;
      else {
        this.releaseBlocks(sequence);
        this.sequences.delete(sequence.request);
      }
    }
    running.length = kept;
    this.sweep = false;
  }

  /** Tail first, so that the start of a prefix, which more requests share, is evicted last. */
  private releaseBlocks(sequence: Sequence<R>): void {
    for (let i = sequence.blockCount - 1; i >= 0; i--) this.pool.release(sequence.blocks[i]!);
    sequence.blockCount = 0;
  }

  private blocksFor(tokens: number): number {
    return Math.ceil(tokens / this.blockSize);
  }

  private jitterFactor(): number {
    if (this.jitter === undefined) return 1;
    const { sigma, rng } = this.jitter;
    // Box-Muller; 1 - rng() is never 0
    const normal = Math.sqrt(-2 * Math.log(1 - rng())) * Math.cos(2 * Math.PI * rng());
    return Math.exp(sigma * normal - (sigma * sigma) / 2);
  }
}

/**
 * An engine with the step semantics of vLLM V1: running requests first under a token budget, chunked prefill, first come
 * first served admission, prefix reuse by chained block hashes, eviction of the least recently freed block, preemption
 * of the last admitted request with recomputation. Deterministic: equal calls give equal results.
 * @throws RangeError when a size is not a positive integer or there are fewer than two blocks.
 */
export function createEngine<R extends EngineRequest>(options: EngineOptions): Engine<R> {
  const sizes = {
    blockSize: options.blockSize,
    kvBlocks: options.kvBlocks,
    maxBatchTokens: options.maxBatchTokens,
    maxSeqs: options.maxSeqs,
  };
  for (const [name, value] of Object.entries(sizes)) {
    if (value !== undefined && !(Number.isInteger(value) && value > 0)) {
      throw new RangeError(`${name} must be a positive integer, got ${value}`);
    }
  }
  if (options.kvBlocks === 1) throw new RangeError('kvBlocks must be at least 2: one block is a placeholder');
  return new StepEngine<R>(options);
}
