import type { DecisionOutcome, DecisionRecord } from '@sluice/contracts';
import { count, decimal } from '../numbers.ts';
import { textTable, wrapped } from '../text-table.ts';
import { candidateOf } from './decision.ts';

/** A stretch of the time to the first token, as its client saw it. */
export interface Part {
  readonly name: string;
  /** Below 0 only for what was not foreseen: the engine was faster. */
  readonly ms: number;
  /** What to make of it when it is the largest. */
  readonly meaning: string;
}

const LONGEST_BAR = 30;

/**
 * The time from a request's arrival to its first token, in parts that add up to it: waiting in the router as it was
 * measured; what came after the dispatch against what the decision had predicted. The prediction is divided by tokens
 * between the work before it and its own prompt, an estimate: attention and steps are not linear. Work that was done
 * while the router held the request is not waited for again.
 * @returns nothing where the answer did not show its first token, or nothing was predicted
 */
export function partsOfTtft(decision: DecisionRecord, outcome: DecisionOutcome): Part[] {
  const { predictedTtftMs, queuedPrefillTokens, cachedTokens, worker } = candidateOf(decision);
  const { ttftMs, queuedMs, heldMs } = outcome;
  if (ttftMs === null || predictedTtftMs === null) return [];
  const ahead = queuedPrefillTokens ?? 0;
  const own = Math.max(1, decision.promptTokens - (cachedTokens ?? 0));
  const ownMs = (predictedTtftMs * own) / (ahead + own);
  const aheadMs = Math.max(0, Math.min(predictedTtftMs - ownMs - heldMs, ttftMs - ownMs));
  return [
    { ...beforeOf(decision), ms: Math.max(0, queuedMs - heldMs) },
    {
      name: 'held in the router',
      ms: heldMs,
      meaning: `${worker} had no room for it, or the turn was others': too little capacity, or a tenant that floods`,
    },
    {
      name: `work ahead of it on ${worker}`,
      ms: aheadMs,
      meaning: `${count(ahead)} prompt tokens of others were to be computed there first; the terms above say why it went there all the same`,
    },
    { name: 'its own prompt', ms: ownMs, meaning: ownMeaning(decision, own) },
    {
      name: 'not foreseen',
      ms: ttftMs - ownMs - aheadMs,
      meaning: `${worker} took longer than the model knew: work that did not come through this router, slower steps than learned, or fewer tokens cached than the index said`,
    },
  ];
}

/** @param own prompt tokens that the chosen worker had to compute */
function ownMeaning(decision: DecisionRecord, own: number): string {
  const { cachedTokens, cost } = candidateOf(decision);
  const cached = cachedTokens ?? 0;
  const better = decision.candidates.filter((other) => (other.cachedTokens ?? 0) > cached);
  if (better.length === 0) {
    return cached === 0
      ? `it was cached nowhere, so all of its ${count(own)} tokens were to be computed`
      : `${count(own)} of its tokens were not cached there, and no worker had more of them`;
  }
  const costMore = better.every((other) => other.cost !== null && cost !== null && other.cost > cost);
  const why = costMore
    ? 'where more were, it would have cost more'
    : 'the marks above say why it went to none with more';
  return `${count(own)} of its tokens were not cached there; ${why}`;
}

/** What went before the decision that is explained: the last one of its request. */
function beforeOf({ retryOf, movedFrom }: DecisionRecord): Omit<Part, 'ms'> {
  if (retryOf !== null) {
    return { name: 'earlier attempts', meaning: 'other workers failed it first: see all decisions of this request' };
  }
  if (movedFrom !== null) {
    const meaning = 'it waited in the router for one worker and was moved to another: no worker had room for it';
    return { name: 'held for another worker', meaning };
  }
  return { name: 'before the decision', meaning: 'the router was busy: its own processor, or very long prompts' };
}

/** Those parts as lines with bars, and what the largest means. */
export function timeLines(decision: DecisionRecord, width: number): string[] {
  const { outcome } = decision;
  const parts = outcome === null ? [] : partsOfTtft(decision, outcome);
  if (parts.length === 0) return [];
  const shown = parts.filter(({ ms }) => Math.abs(ms) >= 0.1);
  const most = Math.max(...shown.map(({ ms }) => ms));
  const largest = shown.find(({ ms }) => ms === most)!;
  const bar = (ms: number): string => '█'.repeat(Math.max(0, Math.round((ms / most) * LONGEST_BAR)));
  const table = textTable(
    [
      { head: '', cells: shown.map(({ name }) => name), align: 'left' },
      { head: 'ms', cells: shown.map(({ ms }) => decimal(ms)), align: 'right' },
      { head: '', cells: shown.map(({ ms }) => bar(ms)), align: 'left' },
    ],
    width,
  );
  return [...table.slice(1), ...wrapped(`Most of it, ${largest.name}: ${largest.meaning}.`, width, 2)];
}
