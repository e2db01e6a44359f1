import type { DecisionCandidate, DecisionRecord } from '@sluice/contracts';

/** The candidate that a decision chose. */
export const candidateOf = (decision: DecisionRecord): DecisionCandidate =>
  decision.candidates.find(({ worker }) => worker === decision.worker)!;
