import type { DecisionCandidate, DecisionRecord } from '@sluice/contracts';
import type { Styles } from '../speaker.ts';
import { textTable } from '../text-table.ts';
import type { TextColumn } from '../text-table.ts';
import { candidateOf } from './decision.ts';
import { count, decimal, duration, percent } from '../numbers.ts';

/** Candidates that are shown unless all are asked for. */
const MOST = 10;
/** What a term's part of a bar is drawn with; more terms begin again. */
const GLYPHS = ['█', '▓', '▒', '░', '▚', '▞', '▤', '▥'];
/** Costs beyond this many times the chosen one are drawn cut off: one hopeless worker must not flatten the rest. */
const LONGEST = 10;
/** From here a cost means never: it does not fit. */
const NEVER = 1e9;

/** Cheapest first, those without a cost last; the chosen one is always there. */
export function shownCandidates(decision: DecisionRecord, all: boolean): DecisionCandidate[] {
  const costOf = ({ cost }: DecisionCandidate): number => cost ?? Infinity;
  const sorted = [...decision.candidates].sort((a, b) => (costOf(a) < costOf(b) ? -1 : costOf(a) > costOf(b) ? 1 : 0));
  if (all || sorted.length <= MOST) return sorted;
  const shown = sorted.slice(0, MOST);
  const chosen = candidateOf(decision);
  return shown.includes(chosen) ? shown : [...shown.slice(0, MOST - 1), chosen];
}

/**
 * What is to be said of a candidate.
 * @param tried workers of the earlier attempts of the request
 */
export function marksOf(decision: DecisionRecord, candidate: DecisionCandidate, tried: ReadonlySet<string>): string[] {
  const { cost, worker, up, keptForOthers } = candidate;
  const costs = decision.candidates.flatMap((each) => (each.cost === null ? [] : [each.cost]));
  const isTied = (each: number): boolean => decision.tieCost !== null && each <= decision.tieCost;
  const marks: string[] = [];
  if (worker === decision.worker) marks.push('chosen');
  if (cost !== null && cost === Math.min(...costs)) marks.push('cheapest');
  if (cost !== null && isTied(cost) && costs.filter(isTied).length > 1) marks.push('tie');
  if (!up) marks.push('not up');
  if (keptForOthers) marks.push('kept for others');
  if (tried.has(worker)) marks.push('tried');
  else if (up && !keptForOthers && cost === null) marks.push('left out');
  return marks;
}

/** One line per candidate: its cost, a bar of what that is made of, and its marks. */
export function costLines(
  decision: DecisionRecord,
  shown: readonly DecisionCandidate[],
  tried: ReadonlySet<string>,
  width: number,
  { bold, faint }: Styles,
): string[] {
  const names = termNames(shown);
  const workers = padded(['worker', ...shown.map(({ worker }) => worker)], 'left');
  const costs = padded(['cost', ...shown.map(({ cost }) => costText(cost))], 'right');
  const marks = shown.map((candidate) => marksOf(decision, candidate, tried).join(', '));
  const marksWidth = Math.max(...marks.map((text) => text.length));
  const room = Math.max(8, width - 2 - workers[0]!.length - 2 - costs[0]!.length - 2 - 2 - marksWidth);
  const scale = scaleOf(decision, shown, names);
  const head = faint(`  ${workers[0]}  ${costs[0]}`);
  const rows = shown.map((candidate, i) => {
    const isChosen = candidate.worker === decision.worker;
    const bar = names.length === 0 ? '' : `${barOf(candidate, names, scale, room).padEnd(room)}  `;
    const line = `${isChosen ? '>' : ' '} ${workers[i + 1]}  ${costs[i + 1]}  ${bar}${marks[i]}`.trimEnd();
    return isChosen ? bold(line) : line;
  });
  return [head, ...rows];
}

/** A table of the terms in numbers, each headed by what the bars draw it with; those that are 0 throughout are named below. */
export function termLines(shown: readonly DecisionCandidate[], width: number): string[] {
  const names = termNames(shown);
  const zero = Object.keys(shown[0]?.terms ?? {}).filter((name) => !names.includes(name));
  const columns = names.map((name, i): TextColumn => ({
    head: `${glyphOf(i)} ${name}`,
    cells: shown.map(({ terms }) => costText(terms[name] ?? null)),
    align: 'right',
  }));
  const table = columns.length === 0 ? [] : textTable([workerColumn(shown), ...columns], width);
  return zero.length === 0 ? table : [...table, `0 everywhere: ${zero.join(', ')}`];
}

/** What was known of each candidate. Where siblings have something in flight, it is told apart: own+siblings'. */
export function signalLines(shown: readonly DecisionCandidate[], width: number): string[] {
  const hasSiblings = shown.some(({ siblingRequests }) => (siblingRequests ?? 0) > 0);
  const split = (total: number | null, siblings: number | null): string =>
    hasSiblings && total !== null ? `${count(total - (siblings ?? 0))}+${count(siblings ?? 0)}` : count(total);
  const column = (head: string, textOf: (candidate: DecisionCandidate) => string): TextColumn => ({
    head,
    cells: shown.map(textOf),
    align: 'right',
  });
  const columns = [
    workerColumn(shown),
    column('cached', (c) => count(c.cachedTokens)),
    column('TTFT', (c) => decimal(c.predictedTtftMs)),
    column('TPOT', (c) => decimal(c.predictedTpotMs)),
    column('in flight', (c) => split(c.inflightRequests, c.siblingRequests)),
    column('queued', (c) => split(c.queuedPrefillTokens, c.siblingQueuedPrefillTokens)),
    column('decodes', (c) => count(c.decodesRunning)),
    column('waiting', (c) => count(c.waitingRequests)),
    column('KV', (c) => percent(c.kvUsage)),
    column('age', (c) => (c.signalAgeMs === null ? 'never' : duration(c.signalAgeMs))),
  ];
  return textTable(columns, width);
}

const workerColumn = (shown: readonly DecisionCandidate[]): TextColumn => ({
  head: 'worker',
  cells: shown.map(({ worker }) => worker),
  align: 'left',
});

const glyphOf = (index: number): string => GLYPHS[index % GLYPHS.length]!;

/** Terms that say something about any of the candidates. */
const termNames = (shown: readonly DecisionCandidate[]): string[] =>
  Object.keys(shown[0]?.terms ?? {}).filter((name) => shown.some(({ terms }) => terms[name]));

const costText = (cost: number | null): string => (cost !== null && cost >= NEVER ? 'never' : decimal(cost));

/** Scores are better when larger, and their cost is minus their sum: bars show sizes. */
const sizeOf = ({ terms }: DecisionCandidate, names: readonly string[]): number =>
  names.reduce((sum, name) => sum + Math.abs(terms[name] ?? 0), 0);

function scaleOf(decision: DecisionRecord, shown: readonly DecisionCandidate[], names: readonly string[]): number {
  const sizes = shown.map((candidate) => sizeOf(candidate, names));
  const chosen = sizeOf(candidateOf(decision), names);
  return Math.max(...sizes.filter((size) => chosen === 0 || size <= LONGEST * chosen));
}

function barOf(candidate: DecisionCandidate, names: readonly string[], scale: number, room: number): string {
  let bar = '';
  let sum = 0;
  names.forEach((name, i) => {
    sum += Math.abs(candidate.terms[name] ?? 0);
    const end = Math.round((Math.min(sum, scale) / scale) * room);
    bar += glyphOf(i).repeat(end - bar.length);
  });
  return sum > scale ? `${bar.slice(0, -1)}»` : bar;
}

function padded(texts: readonly string[], align: 'left' | 'right'): string[] {
  const width = Math.max(...texts.map((text) => text.length));
  return texts.map((text) => (align === 'left' ? text.padEnd(width) : text.padStart(width)));
}
