import type { PrefillBeside } from '@sluice/model';
import type { WorkerLoad } from './work.ts';

/** What happened to one routed request; the fields of the `outcome.v1` message that the learner reads. */
export interface Outcome {
  readonly worker: string;
  readonly streamed: boolean;
  readonly result: 'completed' | 'client-abort' | 'upstream-error' | 'rejected';
  readonly promptTokens: number;
  readonly promptBytes?: number | undefined;
  readonly outputTokens: number;
  /** Cached tokens that the router counted on. */
  readonly predictedCachedTokens: number;
  /** Cached tokens that the engine reported; null when it does not say. */
  readonly cachedTokens: number | null;
  readonly ttftMs: number | null;
  readonly tpotMs: number | null;
  readonly e2eMs: number | null;
  /** What was predicted from the step constants and the worker's bias when it was sent; absent: not known. */
  readonly predictedTtftMs?: number | null | undefined;
  readonly predictedTpotMs?: number | null | undefined;
  /** When it was sent, on any clock that all outcomes share; absent: not known. */
  readonly startedAtMs?: number | undefined;
  readonly load: WorkerLoad;
  /** What else the worker prefilled meanwhile; absent where nobody watched. */
  readonly beside?: PrefillBeside | undefined;
}

/** What an outcome measured: a streamed one its TTFT and TPOT, another only their sum. */
export interface Measured {
  readonly ttftMs: number | null;
  readonly tpotMs: number | null;
  readonly totalMs: number | null;
}

export type Reading =
  | { readonly kind: 'measured'; readonly measured: Measured }
  | { readonly kind: 'ignored'; readonly reason: 'not-served' | 'nothing-measured' }
  | { readonly kind: 'invalid' };

const LONGEST_MS = 3_600_000;
const MOST_TOKENS = 1e8;
/** Below this many tokens a mean gap says more about the network than about the engine. */
const FEWEST_FOR_TPOT = 4;
/** An answer whose tokens all came at once was held up somewhere on the way: its gaps say nothing either. */
const SHORTEST_DECODE_MS = 1;

/** What can be learned from `outcome`. Numbers that cannot be (negative, NaN, above an hour) make all of it invalid. */
export function readOutcome(outcome: Outcome): Reading {
  if (outcome.result !== 'completed' && outcome.result !== 'client-abort') {
    return { kind: 'ignored', reason: 'not-served' };
  }
  if (!countsAreValid(outcome)) return { kind: 'invalid' };
  const { streamed, ttftMs, tpotMs, e2eMs, outputTokens } = outcome;
  for (const ms of [ttftMs, tpotMs, e2eMs]) {
    if (ms !== null && !(ms > 0 && ms <= LONGEST_MS)) return { kind: 'invalid' };
  }
  for (const ms of [outcome.predictedTtftMs, outcome.predictedTpotMs]) {
    if (typeof ms === 'number' && !(ms > 0 && ms < Infinity)) return { kind: 'invalid' };
  }
  const completed = outcome.result === 'completed';
  const showsDecode = outputTokens >= FEWEST_FOR_TPOT && (tpotMs ?? 0) * (outputTokens - 1) >= SHORTEST_DECODE_MS;
  const measured: Measured = {
    ttftMs: streamed ? ttftMs : null,
    tpotMs: streamed && showsDecode ? tpotMs : null,
    totalMs: !streamed && completed && outputTokens >= 1 ? e2eMs : null,
  };
  if (measured.ttftMs === null && measured.tpotMs === null && measured.totalMs === null) {
    return { kind: 'ignored', reason: 'nothing-measured' };
  }
  return { kind: 'measured', measured };
}

/** When the answer ended, on the clock of `startedAtMs`; null when that is not known. */
export function endedAtMs({ startedAtMs, ttftMs, tpotMs, e2eMs, outputTokens }: Outcome): number | null {
  if (startedAtMs === undefined) return null;
  return startedAtMs + (e2eMs ?? (ttftMs ?? 0) + (tpotMs ?? 0) * Math.max(0, outputTokens - 1));
}

function countsAreValid(outcome: Outcome): boolean {
  const { promptTokens, outputTokens, predictedCachedTokens, cachedTokens, load, beside } = outcome;
  const { prefilledTokens = 0, kvForecast = 0 } = load;
  return (
    Number.isFinite(outcome.startedAtMs ?? 0) &&
    isCount(prefilledTokens) &&
    isCount(kvForecast) &&
    (beside === undefined || besideIsValid(beside)) &&
    promptTokens >= 1 &&
    promptTokens <= MOST_TOKENS &&
    isCount(outputTokens) &&
    isCount(predictedCachedTokens) &&
    (cachedTokens === null || isCount(cachedTokens)) &&
    isCount(load.queuedPrefillTokens) &&
    isCount(load.decodesRunning) &&
    isCount(load.decodeContextTokens) &&
    isCount(load.inflightRequests)
  );
}

const besideIsValid = (beside: PrefillBeside): boolean =>
  isCount(beside.tokensBefore) &&
  isCount(beside.tokensAfter) &&
  isCount(beside.stepsAfter) &&
  beside.pairsBefore >= 0 &&
  beside.pairsBefore <= MOST_TOKENS ** 2 &&
  beside.pairsAfter >= 0 &&
  beside.pairsAfter <= MOST_TOKENS ** 2;

const isCount = (value: number): boolean => value >= 0 && value <= MOST_TOKENS;
