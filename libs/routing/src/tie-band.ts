import type { DecisionTerms } from './decision-terms.ts';
import { EXPECTED_LATENCY_DEFAULTS } from './policies/expected-latency.ts';

/** The largest cost that ties with `leastCost`: milliseconds within the model's error, every other unit only with itself. */
export function tieBand(unit: DecisionTerms['unit'], leastCost: number): number {
  const { tieMs, tieShare } = EXPECTED_LATENCY_DEFAULTS;
  return unit === 'ms' ? leastCost + Math.max(tieMs, tieShare * leastCost) : leastCost;
}
