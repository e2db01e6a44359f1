import type { TwinRecords } from '../api.ts';
import { summarize } from './summary.ts';

export interface RecoveryOptions {
  /** Length of the spans that are compared; default 5000. */
  readonly windowMs?: number;
}

const WINDOW_MS = 5000;

/**
 * Milliseconds from `atMs` (an engine died or came back) until the p99 TTFT of the requests that arrive in the next
 * `windowMs` is at most `factor` (default 1.5) times that of the requests that arrived between `sinceMs` and `atMs` and
 * did not fail; 0 when it never left. Null when that does not happen while requests arrive, or there was nothing before.
 */
export function ttftRecoveryMs(
  records: TwinRecords,
  atMs: number,
  { windowMs = WINDOW_MS, factor = 1.5, sinceMs = 0 }: RecoveryOptions & { factor?: number; sinceMs?: number } = {},
): number | null {
  const { arrivalMs, ttftMs } = records;
  const isBefore = (ttft: number, i: number): boolean =>
    ttft < Infinity && arrivalMs[i]! >= sinceMs && arrivalMs[i]! < atMs;
  const usual = summarize([...ttftMs].filter(isBefore)).p99;
  if (usual === null) return null;
  return firstWindow(records, atMs, windowMs, (from, to) => {
    let late = 0;
    for (let i = from; i < to; i++) if (!(ttftMs[i]! <= factor * usual)) late++;
    return late <= (to - from) / 100;
  });
}

/**
 * Milliseconds from `atMs` until the engine gets at least half of an even share of the requests that arrive in the next
 * `windowMs`. Null when that does not happen while requests arrive.
 */
export function workRecoveryMs(
  records: TwinRecords,
  engine: number,
  engines: number,
  atMs: number,
  { windowMs = WINDOW_MS }: RecoveryOptions = {},
): number | null {
  return firstWindow(records, atMs, windowMs, (from, to) => {
    let sent = 0;
    for (let i = from; i < to; i++) if (records.engine[i] === engine) sent++;
    return 2 * sent * engines >= to - from;
  });
}

/** From `atMs` to the start of the first whole window, beginning there or at an arrival, that `isGood`. */
function firstWindow(
  { arrivalMs }: TwinRecords,
  atMs: number,
  windowMs: number,
  isGood: (from: number, to: number) => boolean,
): number | null {
  const count = arrivalMs.length;
  const endMs = arrivalMs[count - 1] ?? -Infinity;
  let next = 0;
  while (next < count && arrivalMs[next]! < atMs) next++;
  let from = next;
  let to = next;
  for (let startMs = atMs; startMs + windowMs <= endMs; from = next, startMs = arrivalMs[next++]!) {
    while (arrivalMs[to]! < startMs + windowMs) to++;
    if (to > from && isGood(from, to)) return startMs - atMs;
  }
  return null;
}
