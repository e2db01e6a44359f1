import type { PrefillBeside, StepParameters } from '@sluice/model';

/** What is on a worker when a request arrives, without that request. */
export interface WorkerLoad {
  /** Uncached prompt tokens of requests that have no first token yet. */
  readonly queuedPrefillTokens: number;
  /** Requests past their first token. */
  readonly decodesRunning: number;
  /** Context held by `decodesRunning`, in tokens. */
  readonly decodeContextTokens: number;
  /** All requests in flight, queued and decoding. */
  readonly inflightRequests: number;
  /** What is done of the first of the queued requests, and not in `queuedPrefillTokens`; absent: not known, or nothing. */
  readonly prefilledTokens?: number | undefined;
  /** Share of the KV cache that is in use once this request's uncached tokens are in; absent: not known. */
  readonly kvForecast?: number | undefined;
}

export interface PromptShape {
  readonly promptTokens: number;
  /** Leading prompt tokens that need not be computed. */
  readonly cachedTokens: number;
}

/** Serving configuration that shapes a step. */
export interface EngineShape {
  /** Token budget of a step (vLLM `max_num_batched_tokens`). */
  readonly chunkTokens: number;
}

/** vLLM's default for an API server on GPUs of 70 GiB and more. */
export const DEFAULT_ENGINE_SHAPE: EngineShape = { chunkTokens: 8192 };

/** Order of the step parameters in work vectors, and of the learner's coefficients. */
export const PARAMETERS = [
  't0Ms',
  'twMs',
  'aMsPerToken',
  'kAttMs',
  'kKvMs',
  'kSeqMs',
  'apiBaseMs',
  'apiPerTokenMs',
] as const satisfies readonly (keyof StepParameters)[];

/** How often each parameter is paid: a prediction is the dot product of the parameters with this. */
export type Work = Float64Array;
export const createWork = (): Work => new Float64Array(PARAMETERS.length);

const T0 = 0;
const TW = 1;
const A = 2;
const K_ATT = 3;
const K_KV = 4;
const K_SEQ = 5;
const API_BASE = 6;
const API_PER_TOKEN = 7;

/**
 * Work until the first token. The prompt's uncached part and what is queued ahead are prefilled first come first served
 * in steps of at most `chunkTokens` tokens, of which each running decode takes one; decodes neither end nor join
 * meanwhile. Between steps the request waits: half a decode step when nothing is queued, while with a queue the step in
 * progress is already part of the queue's tokens. When the first of the queue is known to be under way, and what is left
 * fits its step, the request is in a later one.
 *
 * `step` only decides which side of `max(tw, a*n)` a step is on. O(1) in all arguments, allocates nothing.
 * Attention within the queue is not known; equal prompts without a cached part are assumed. Afterwards it is: with
 * `beside` the work is that of what was computed.
 */
export function ttftWork(
  step: StepParameters,
  load: WorkerLoad,
  prompt: PromptShape,
  engine: EngineShape,
  out: Work,
  beside: PrefillBeside | null = null,
): void {
  const { promptTokens, cachedTokens } = prompt;
  const { decodesRunning: decodes, decodeContextTokens: context, prefilledTokens = 0 } = load;
  const queued = beside === null ? load.queuedPrefillTokens : beside.tokensBefore;
  // An engine always computes at least the last token: it needs its logits.
  const uncached = Math.max(1, promptTokens - cachedTokens);
  const perStep = Math.max(1, engine.chunkTokens - decodes);
  const underWay = beside === null && prefilledTokens > 0 && queued > 0 && queued <= perStep ? queued : 0;
  /** Share of the step under way that is still to come. */
  const left = underWay > 0 ? underWay / (underWay + prefilledTokens) : 0;
  const ahead = queued - underWay + uncached;
  const steps = Math.ceil(ahead / perStep);
  const lastChunk = ahead - (steps - 1) * perStep;
  const waiting = Math.max(1, load.inflightRequests - decodes);

  // Half a decode step in progress, unless the queue accounts for it.
  const halfStep = load.queuedPrefillTokens === 0 && decodes > 0 ? 0.5 : 0;
  const fullIsArithmetic = isArithmetic(step, decodes + perStep);
  const lastIsArithmetic = isArithmetic(step, decodes + lastChunk);
  const halfIsArithmetic = isArithmetic(step, decodes);
  const leftIsArithmetic = isArithmetic(step, decodes + underWay + prefilledTokens);
  out[T0] = steps + halfStep + left;
  out[TW] =
    (fullIsArithmetic ? 0 : steps - 1) +
    (lastIsArithmetic ? 0 : 1) +
    (halfIsArithmetic ? 0 : halfStep) +
    (leftIsArithmetic ? 0 : left);
  out[A] =
    (fullIsArithmetic ? (steps - 1) * (decodes + perStep) : 0) +
    (lastIsArithmetic ? decodes + lastChunk : 0) +
    (halfIsArithmetic ? halfStep * decodes : 0) +
    (leftIsArithmetic ? left * decodes + underWay : 0);
  const queuedPairs = beside === null ? (queued * queued) / (2 * waiting) : beside.pairsBefore;
  out[K_ATT] = uncached * (promptTokens - uncached / 2) + queuedPairs;
  out[K_KV] = (steps + halfStep + left) * context + (decodes * steps * (steps - 1)) / 2;
  out[K_SEQ] = steps * (decodes + 1) + (halfStep + left) * decodes;
  out[API_BASE] = 1;
  out[API_PER_TOKEN] = promptTokens;
}

/**
 * Work of one output token: a decode step of everything in flight and this request, half of its output written.
 * Requests still queued ahead decode alongside, so they count. `outputTokens` is the request's expected output.
 */
export function tpotWork(
  step: StepParameters,
  load: WorkerLoad,
  prompt: { readonly promptTokens: number; readonly outputTokens: number },
  out: Work,
): void {
  const sequences = Math.max(load.inflightRequests, load.decodesRunning) + 1;
  const arithmetic = isArithmetic(step, sequences);
  out[T0] = 1;
  out[TW] = arithmetic ? 0 : 1;
  out[A] = arithmetic ? sequences : 0;
  out[K_ATT] = 0;
  out[K_KV] = load.decodeContextTokens + load.queuedPrefillTokens + prompt.promptTokens + prompt.outputTokens / 2;
  out[K_SEQ] = sequences;
  out[API_BASE] = 0;
  out[API_PER_TOKEN] = 0;
}

/**
 * Makes {@link tpotWork} that of a decode of `gaps` tokens after the first whose steps also computed other prompts, as is
 * known once it is over.
 */
export function addPrefillBeside(
  step: StepParameters,
  load: WorkerLoad,
  gaps: number,
  { tokensAfter, pairsAfter, stepsAfter }: PrefillBeside,
  out: Work,
): void {
  if (tokensAfter <= 0) return;
  const steps = Math.min(gaps, Math.max(1, stepsAfter));
  const share = steps / gaps;
  const sequences = Math.max(load.inflightRequests, load.decodesRunning) + 1;
  const arithmetic = isArithmetic(step, sequences + tokensAfter / steps);
  out[TW] = (1 - share) * out[TW]! + (arithmetic ? 0 : share);
  out[A] = (1 - share) * out[A]! + (arithmetic ? share * sequences + tokensAfter / gaps : 0);
  out[K_ATT] = out[K_ATT]! + pairsAfter / gaps;
}

/** Whether a step of `tokens` tokens pays its arithmetic; else it pays the weight read, which is longer. */
const isArithmetic = (step: StepParameters, tokens: number): boolean => step.aMsPerToken * tokens > step.twMs;

/** Milliseconds that `work` takes. */
export function workMs(step: StepParameters, work: Work): number {
  return (
    step.t0Ms * work[T0]! +
    step.twMs * work[TW]! +
    step.aMsPerToken * work[A]! +
    step.kAttMs * work[K_ATT]! +
    step.kKvMs * work[K_KV]! +
    step.kSeqMs * work[K_SEQ]! +
    step.apiBaseMs * work[API_BASE]! +
    step.apiPerTokenMs * work[API_PER_TOKEN]!
  );
}
