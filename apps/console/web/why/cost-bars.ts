import type { DecisionCandidate, DecisionRecord } from '@sluice/contracts';

/** Costs beyond this many times the chosen one are drawn cut off: one hopeless worker must not flatten the rest. */
const LONGEST = 4;
/** From here a cost means never: it does not fit. As in `sluice explain`. */
export const NEVER = 1e9;

export type Mark = 'chosen' | 'cheapest' | 'tie' | 'not up' | 'kept for others' | 'tried' | 'left out';

export interface Segment {
  readonly term: string;
  readonly value: number;
  /** Of the width of the plot, 0 to 1. */
  readonly from: number;
  readonly to: number;
}

export interface CostBar {
  readonly candidate: DecisionCandidate;
  readonly marks: readonly Mark[];
  readonly segments: readonly Segment[];
  /** It is longer than the plot. */
  readonly isCut: boolean;
}

/** Terms that say something about any candidate, in the policy's order. */
export function termsOf({ candidates }: DecisionRecord): string[] {
  return Object.keys(candidates[0]?.terms ?? {}).filter((name) => candidates.some(({ terms }) => terms[name]));
}

/** Cheapest first, those without a cost last. */
export function byCost({ candidates }: DecisionRecord): DecisionCandidate[] {
  const costOf = ({ cost }: DecisionCandidate): number => cost ?? Infinity;
  return [...candidates].sort((a, b) => (costOf(a) < costOf(b) ? -1 : costOf(a) > costOf(b) ? 1 : 0));
}

export const chosenOf = (decision: DecisionRecord): DecisionCandidate | null =>
  decision.candidates.find(({ worker }) => worker === decision.worker) ?? null;

/**
 * Every candidate with its bar, cheapest first. Bars show sizes: scores are better when larger, and their cost is minus
 * their sum.
 * @param tried workers of the earlier attempts of the request
 */
export function costBars(decision: DecisionRecord, tried: ReadonlySet<string>): { scale: number; bars: CostBar[] } {
  const names = termsOf(decision);
  const scale = scaleOf(decision, names);
  const least = Math.min(...decision.candidates.map(({ cost }) => cost ?? Infinity));
  const isTied = (cost: number | null): boolean =>
    cost !== null && decision.tieCost !== null && cost <= decision.tieCost;
  const ties = decision.candidates.filter(({ cost }) => isTied(cost)).length;
  const bars = byCost(decision).map((candidate): CostBar => {
    const { cost, worker, up, keptForOthers } = candidate;
    const marks: Mark[] = [];
    if (worker === decision.worker) marks.push('chosen');
    if (cost !== null && cost === least) marks.push('cheapest');
    if (ties > 1 && isTied(cost)) marks.push('tie');
    if (!up) marks.push('not up');
    if (keptForOthers) marks.push('kept for others');
    if (tried.has(worker)) marks.push('tried');
    else if (up && !keptForOthers && cost === null) marks.push('left out');
    return { candidate, marks, ...segmentsOf(candidate, names, scale) };
  });
  return { scale, bars };
}

function segmentsOf({ terms, cost }: DecisionCandidate, names: readonly string[], scale: number) {
  const segments: Segment[] = [];
  let sum = 0;
  if (cost === null || scale === 0) return { segments, isCut: false };
  for (const term of names) {
    const value = terms[term] ?? 0;
    const from = Math.min(1, sum / scale);
    sum += Math.abs(value);
    const to = Math.min(1, sum / scale);
    if (to > from) segments.push({ term, value, from, to });
  }
  return { segments, isCut: sum > scale * 1.0001 };
}

/** The longest bar that is drawn whole. */
function scaleOf(decision: DecisionRecord, names: readonly string[]): number {
  const sizeOf = ({ terms }: DecisionCandidate): number =>
    names.reduce((sum, name) => sum + Math.abs(terms[name] ?? 0), 0);
  const chosen = chosenOf(decision);
  const chosenSize = chosen === null ? 0 : sizeOf(chosen);
  const considered = decision.candidates.filter(({ cost }) => cost !== null);
  return Math.max(0, ...considered.map(sizeOf).filter((size) => chosenSize === 0 || size <= LONGEST * chosenSize));
}
