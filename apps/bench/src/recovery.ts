import { summarize } from '@sluice/twin';
import type { TwinRecords } from '@sluice/twin';

const WINDOW_MS = 5000;
const STEP_MS = 500;
/** How much worse than before still counts as what it was. */
const TOLERANCE = 1.5;
/** So many windows in a row must be good: one good window in the middle of trouble is no recovery. */
const IN_A_ROW = 10;

/**
 * Time from `changeMs` until requests get their first token as before: from there on the 90th percentile of TTFT over
 * windows of 5 s is at most 1.5 times that of the time before, for 5 s of windows in a row. Null when that never comes.
 */
export function recoveryMs(records: TwinRecords, warmUpMs: number, changeMs: number): number | null {
  const { arrivalMs, ttftMs } = records;
  const p90 = (fromMs: number, toMs: number): number => {
    const own = ttftMs.filter((_, i) => arrivalMs[i]! >= fromMs && arrivalMs[i]! < toMs);
    // a window without requests has nothing wrong with it
    return own.length === 0 ? 0 : (summarize([...own]).p90 ?? Infinity);
  };
  const before = p90(warmUpMs, changeMs);
  const lastMs = arrivalMs.reduce((last, at) => Math.max(last, at), 0);
  let good = 0;
  for (let fromMs = changeMs; fromMs + WINDOW_MS <= lastMs; fromMs += STEP_MS) {
    good = p90(fromMs, fromMs + WINDOW_MS) <= TOLERANCE * before ? good + 1 : 0;
    if (good === IN_A_ROW) return fromMs - (IN_A_ROW - 1) * STEP_MS - changeMs;
  }
  return null;
}
