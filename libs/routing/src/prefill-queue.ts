import type { StepParameters } from '@sluice/model';

/** A request that was sent to a worker and has no first token yet: a link of its worker's queue. */
export interface QueuedPrefill {
  readonly promptTokens: number;
  readonly uncachedTokens: number;
  readonly sentAtMs: number;
  before: QueuedPrefill | null;
  after: QueuedPrefill | null;
}

/** What a worker has prefilled in its life, up to and including one step. Later prompts of the same step still add to it. */
export interface Prefilled {
  readonly atMs: number;
  tokens: number;
  /** (query, key) pairs. */
  pairs: number;
  steps: number;
}

/** Token budget of a step: vLLM's default for an API server. */
const CHUNK_TOKENS = 8192;
/** A head that is late waits for memory, or its prediction is off: this much of it is never taken for done. */
const MOST_DONE = 0.95;
/** First tokens so close to one another come from one step: two steps are further apart. */
const SAME_STEP_MS = 3;

/**
 * The requests of one worker that wait for their first token, first come first served as engines prefill them, and how
 * far the head is. Every change and question is O(1) and allocates nothing.
 */
export class PrefillQueue {
  private head: QueuedPrefill | null = null;
  private tail: QueuedPrefill | null = null;
  /** When a head was last done, ours or a sibling's: the next one began then, if it was there. */
  private clearedAtMs = -Infinity;
  private latest: Prefilled = { atMs: -Infinity, tokens: 0, pairs: 0, steps: 0 };

  /** Up to the last step in which a prompt was done. */
  get prefilled(): Prefilled {
    return this.latest;
  }

  get isEmpty(): boolean {
    return this.head === null;
  }

  append(request: QueuedPrefill): void {
    request.before = this.tail;
    request.after = null;
    if (this.tail === null) this.head = request;
    else this.tail.after = request;
    this.tail = request;
  }

  /** The request got its first token, or was given up. Returns whether it was the head. */
  remove(request: QueuedPrefill): boolean {
    const { before, after } = request;
    if (before === null) this.head = after;
    else before.after = after;
    if (after === null) this.tail = before;
    else after.before = before;
    request.before = null;
    request.after = null;
    return before === null;
  }

  /** The first token of a prompt of this shape: it is computed. */
  completed(promptTokens: number, uncachedTokens: number, nowMs: number): void {
    this.cleared(nowMs);
    let { latest } = this;
    let steps = Math.floor(uncachedTokens / CHUNK_TOKENS);
    if (nowMs - latest.atMs > SAME_STEP_MS) {
      latest = { atMs: nowMs, tokens: latest.tokens, pairs: latest.pairs, steps: latest.steps };
      this.latest = latest;
      steps++;
    }
    latest.tokens += uncachedTokens;
    latest.pairs += pairsOf(promptTokens, uncachedTokens);
    latest.steps += steps;
  }

  /** The engine is through with a prompt, and turns to the next one. */
  cleared(nowMs: number): void {
    if (nowMs > this.clearedAtMs) this.clearedAtMs = nowMs;
  }

  /**
   * Tokens of the head that are predicted to be prefilled by `nowMs`: all its tokens times the share of its predicted
   * time that has passed, at most 95 %, so that what is left takes as long as its tokens say.
   */
  doneTokens(nowMs: number, step: StepParameters, decodes: number, decodeContextTokens: number): number {
    const { head } = this;
    if (head === null || head.uncachedTokens === 0) return 0;
    const reachedEngineMs = head.sentAtMs + step.apiBaseMs + step.apiPerTokenMs * head.promptTokens;
    const elapsedMs = nowMs - Math.max(this.clearedAtMs, reachedEngineMs);
    if (!(elapsedMs > 0)) return 0;
    const share = elapsedMs / prefillMs(head, step, decodes, decodeContextTokens);
    return share > 0 ? Math.min(MOST_DONE, share) * head.uncachedTokens : 0;
  }
}

/** Milliseconds of the request's own steps, with nothing else to prefill and `decodes` that neither end nor join. */
function prefillMs(
  { promptTokens, uncachedTokens }: QueuedPrefill,
  step: StepParameters,
  decodes: number,
  decodeContextTokens: number,
): number {
  const steps = Math.ceil(uncachedTokens / Math.max(1, CHUNK_TOKENS - decodes));
  const perStepMs = step.t0Ms + step.kKvMs * decodeContextTokens + step.kSeqMs * (decodes + 1);
  const computeMs = Math.max(steps * step.twMs, step.aMsPerToken * (uncachedTokens + steps * decodes));
  return steps * perStepMs + computeMs + step.kAttMs * pairsOf(promptTokens, uncachedTokens);
}

/** (query, key) pairs of a prompt's uncached part: chunks telescope. */
export const pairsOf = (promptTokens: number, uncachedTokens: number): number =>
  uncachedTokens * (promptTokens - uncachedTokens / 2);
