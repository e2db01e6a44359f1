import type { Candidates, RouteQuery, Signal } from '@sluice/model';
import type { DecisionTerms } from '../decision-terms.ts';
import type { Choice, Policy } from '../policy.ts';
import { cheapest, noWorker } from './pick.ts';

const TERMS = ['queuedPrefillTokens', 'uncachedTokens'] as const;
const NEEDS = [
  'queuedPrefillTokens',
  'prefilledTokens',
  'inflightRequests',
  'cachedTokens',
] as const satisfies readonly Signal[];

/** Least work: fewest uncached prompt tokens in flight, this request's included; ties to the fewest requests in flight. */
export function tokenLoad(): Policy {
  return {
    id: 'token-load',
    needs: NEEDS,
    choose: (candidates, query, rng, out) => chooseByTokenLoad(candidates, query, rng, out),
  };
}

/** The decision of {@link tokenLoad}; also where `expected-latency` lands without predictions. */
export function chooseByTokenLoad(
  candidates: Candidates,
  query: RouteQuery,
  rng: () => number,
  out: DecisionTerms,
): Choice {
  out.layout('token-load', 'tokens', TERMS, candidates.size);
  const { cost, values } = out;
  const { size, up, queuedPrefillTokens, prefilledTokens, inflightRequests } = candidates;
  const [queued, uncached] = values as [Float64Array, Float64Array];
  for (let row = 0; row < size; row++) {
    queued[row] = queuedPrefillTokens[row]! + prefilledTokens[row]!;
    uncached[row] = uncachedTokens(candidates, row, query);
    // Requests decide between equal token counts: below 1e-6 of a token, they never outweigh one.
    cost[row] = up[row] === 1 ? queued[row]! + uncached[row]! + inflightRequests[row]! * 1e-6 : Infinity;
  }
  const row = cheapest(cost, size, rng);
  return row < 0 ? noWorker(candidates) : { kind: 'picked', row };
}

/** Prompt tokens that the worker in `row` must compute: never negative, the whole prompt when the match is not known. */
export function uncachedTokens(candidates: Candidates, row: number, query: RouteQuery): number {
  const uncached = query.promptTokens - candidates.cachedTokens[row]!;
  return uncached >= 0 ? uncached : uncached < 0 ? 0 : query.promptTokens;
}
