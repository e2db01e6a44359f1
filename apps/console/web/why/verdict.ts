import type { DecisionCandidate, DecisionRecord } from '@sluice/contracts';
import { count, difference, duration } from '../format.ts';
import { byCost, chosenOf, NEVER, termsOf } from './cost-bars.ts';
import { labelOf } from './terms.ts';

/** A cost in the unit of the decision. */
export function costText(cost: number | null, unit: string): string {
  if (cost === null) return '–';
  if (Math.abs(cost) >= NEVER) return 'never';
  return unit === 'ms' ? duration(cost) : `${Math.abs(cost) < 100 ? Number(cost.toPrecision(3)) : count(cost)}`;
}

/** Why the chosen worker won, in one or two sentences. */
export function verdictOf(decision: DecisionRecord): string {
  const chosen = chosenOf(decision);
  const considered = byCost(decision).filter(({ cost }) => cost !== null);
  const others = considered.filter((each) => each !== chosen);
  if (chosen === null || chosen.cost === null) return `${decision.policy} chose ${decision.worker}.`;
  if (others.length === 0) return `${decision.worker} was the only worker to choose from${keptText(decision)}.`;
  const rival = others[0]!;
  const tied = considered.filter(({ cost }) => decision.tieCost !== null && cost! <= decision.tieCost);
  if (tied.length > 1 && tied.includes(chosen)) {
    const drawn =
      decision.unit === 'ms'
        ? `of two drawn at random ${decision.worker} had fewer requests in flight`
        : `${decision.worker} was drawn`;
    return `${count(tied.length)} workers would have cost practically the same; ${drawn}.`;
  }
  return `${decision.worker} ${aheadBy(rival.cost! - chosen.cost, decision)} than ${rival.worker}, the next best. ${mostly(decision, chosen, rival)}`;
}

/** Workers that were up, but not for this request. */
function keptText({ candidates, level }: DecisionRecord): string {
  const kept = candidates.filter(({ keptForOthers }) => keptForOthers).length;
  return kept === 0 ? '' : `: ${count(kept)} kept for others while ${level.tenant} floods`;
}

function aheadBy(gap: number, { unit }: DecisionRecord): string {
  if (gap >= NEVER) return 'fits better';
  const amount = costText(Math.abs(gap), unit);
  const inUnit = unit === 'ms' ? amount : `${amount} ${unit}`;
  return gap >= 0 ? `costs ${inUnit} less` : `costs ${inUnit} more`;
}

/** The term in which the two differ most, and what it knows of their caches. */
function mostly(decision: DecisionRecord, chosen: DecisionCandidate, rival: DecisionCandidate): string {
  let widest = { term: '', gap: 0 };
  for (const term of termsOf(decision)) {
    const gap = (chosen.terms[term] ?? 0) - (rival.terms[term] ?? 0);
    if (Math.abs(gap) > Math.abs(widest.gap)) widest = { term, gap };
  }
  if (widest.term === '') return '';
  const gap =
    decision.unit !== 'ms'
      ? `${widest.gap < 0 ? '−' : '+'}${costText(Math.abs(widest.gap), decision.unit)}`
      : Math.abs(widest.gap) >= NEVER
        ? 'never'
        : difference(widest.gap);
  const cached =
    chosen.cachedTokens !== null && chosen.cachedTokens > (rival.cachedTokens ?? 0)
      ? ` It holds ${count(chosen.cachedTokens)} of ${count(decision.promptTokens)} prompt tokens, ${rival.worker} ${count(rival.cachedTokens)}.`
      : '';
  return `Most of that is ${labelOf(widest.term).toLowerCase()} (${gap}).${cached}`;
}
