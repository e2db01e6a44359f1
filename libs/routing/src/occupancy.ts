import type { Candidates, FleetColumns } from '@sluice/model';

/** A reading younger than this counts in full. */
const FRESH_MS = 1000;
/** From then on its say halves with every further span of this length. */
const HALF_LIFE_MS = 1000;

/**
 * KV tokens in use on the worker in `row`, as the next request will find them: the scraped usage carried forward by
 * what the ledger saw since the reading, plus what is queued and holds nothing yet. A stale reading loses its say to
 * the ledger alone: priced on a picture of the past, a pool collapses.
 */
export function usedKvTokens(fleet: FleetColumns, row: number): number {
  const held = fleet.heldKvTokens[row]!;
  const say = readingWeight(fleet.signalAgeMs[row]!);
  let used = held;
  if (say > 0) {
    const carried = fleet.kvUsage[row]! * fleet.kvCapacityTokens[row]! + held - fleet.heldKvTokensAtScrape[row]!;
    if (carried >= 0) used = say * carried + (1 - say) * held;
    else if (carried < 0) used = (1 - say) * held;
  }
  return used + fleet.queuedPrefillTokens[row]!;
}

/** Share of the KV cache of the worker in `row` that is in use once a prompt is in it; 0 when its size is not known. */
export function kvForecast(candidates: Candidates, row: number, promptTokens: number): number {
  const capacity = candidates.kvCapacityTokens[row]!;
  if (!(capacity > 0)) return 0;
  return (usedKvTokens(candidates, row) + Math.max(0, promptTokens - candidates.cachedTokens[row]!)) / capacity;
}

/** Weight of a reading of the given age, 0 to 1; 0 for Infinity (never scraped) and NaN. */
export function readingWeight(ageMs: number): number {
  if (ageMs <= FRESH_MS) return 1;
  const weight = 2 ** ((FRESH_MS - ageMs) / HALF_LIFE_MS);
  return weight > 0.001 ? weight : 0;
}
