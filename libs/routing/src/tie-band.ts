import type { DecisionTerms } from './decision-terms.ts';
import { EXPECTED_LATENCY_DEFAULTS, withinError } from './policies/expected-latency.ts';

/** The largest cost that ties with `leastCost`: milliseconds within the model's error, every other unit only with itself. */
export function tieBand(unit: DecisionTerms['unit'], leastCost: number): number {
  return unit === 'ms' ? withinError(leastCost, EXPECTED_LATENCY_DEFAULTS) : leastCost;
}
