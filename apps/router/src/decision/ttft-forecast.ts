import type { Candidates } from '@sluice/model';
import { finite } from './finite.ts';

/** What a decision expected of the time to the first token. */
export interface TtftForecast {
  /** When it was made. Milliseconds since the Unix epoch. */
  readonly atMs: number;
  /** Predicted for the chosen worker; NaN when there was no prediction, as below. */
  readonly chosenMs: number;
  /** Lowest prediction among the workers that could have been chosen, the chosen one included. */
  readonly leastMs: number;
}

/** How the time to the first token, counted from the decision, missed what it expected; null without a prediction. */
export interface TtftMiss {
  /** Actual less predicted for the chosen worker: the error of the prediction. */
  readonly ttftErrorMs: number | null;
  /** Actual less the lowest prediction of all: that error, and what the choice gave up of its own TTFT for others. */
  readonly ttftRegretMs: number | null;
}

/** Of a request without a first token. */
export const NO_MISS: TtftMiss = { ttftErrorMs: null, ttftRegretMs: null };

/**
 * What a decision for the row `chosen` expects.
 * @param isExcluded whether the worker in a row was kept out of the decision, although it is up
 * @param atMs when it is made, milliseconds since the Unix epoch
 */
export function forecastTtft(
  { size, up, predictedTtftMs }: Candidates,
  chosen: number,
  isExcluded: (row: number) => boolean,
  atMs: number,
): TtftForecast {
  const chosenMs = predictedTtftMs[chosen]!;
  let leastMs = chosenMs;
  for (let row = 0; row < size; row++) {
    if (up[row] === 1 && predictedTtftMs[row]! < leastMs && !isExcluded(row)) leastMs = predictedTtftMs[row]!;
  }
  return { atMs, chosenMs, leastMs };
}

/** @param firstTokenAtMs milliseconds since the Unix epoch */
export function missOf(forecast: TtftForecast, firstTokenAtMs: number): TtftMiss {
  const actualMs = firstTokenAtMs - forecast.atMs;
  return { ttftErrorMs: finite(actualMs - forecast.chosenMs), ttftRegretMs: finite(actualMs - forecast.leastMs) };
}
