import type { DecisionCandidate, DecisionOutcome, DecisionRecord } from '@sluice/contracts';
import { textTable, wrapped } from '../text-table.ts';
import { candidateOf } from './decision.ts';
import { count, decimal, percent, signed } from '../numbers.ts';

/** How it ended, in one line. */
export function resultText({ outcome, followedBy }: DecisionRecord): string {
  if (outcome === null) return followedBy === null ? 'nothing yet: it waits or is being served' : 'held, then moved on';
  const status = outcome.status === null ? '' : ` ${outcome.status}`;
  return `${outcome.result}${status}${outcome.cause === null ? '' : `: ${outcome.cause}`}`;
}

/** What was predicted beside what came of it, and what the choice cost. */
export function outcomeLines(decision: DecisionRecord, width: number): string[] {
  const { outcome } = decision;
  if (outcome === null) return [];
  if (isUnsent(outcome)) return unsentNotes(decision, outcome).flatMap((note) => wrapped(note, width, 2));
  const rows = comparisons(decision, outcome).filter(([, predicted, actual]) => predicted !== null || actual !== null);
  const table = textTable(
    [
      { head: '', cells: rows.map(([name]) => name), align: 'left' },
      { head: 'predicted', cells: rows.map(([name, predicted]) => textOf(name, predicted)), align: 'right' },
      { head: 'actual', cells: rows.map((row) => actualText(row, outcome)), align: 'right' },
      { head: 'difference', cells: rows.map(differenceText), align: 'right' },
    ],
    width,
  );
  return [...table, ...notes(decision, outcome).flatMap((note) => wrapped(note, width, 2))];
}

/** A request that was never sent has no duration of its own. */
const isUnsent = ({ e2eMs, status }: DecisionOutcome): boolean => e2eMs === 0 && status === null;

/** Settings that bound what may wait in the router. */
const BOUNDS: Readonly<Record<string, string>> = {
  'queue-full': 'ROUTER_QUEUE_REQUESTS, as many requests as may wait',
  'queue-bytes': 'ROUTER_QUEUE_BYTES, as many bytes of requests as may wait',
};

function unsentNotes({ pool, worker }: DecisionRecord, { cause, queuedMs }: DecisionOutcome): string[] {
  const sent = `It was never sent to ${worker}: it ended ${decimal(queuedMs)} ms after its arrival.`;
  // the reason comes before its numbers, as `queue-full: 512 of 512 requests wait`
  const bound = BOUNDS[(cause ?? '').split(':', 1)[0]!];
  return bound === undefined ? [sent] : [sent, `The queue of pool ${pool} was at its bound: ${bound}.`];
}

type Comparison = readonly [name: string, predicted: number | null, actual: number | null];

/** Times are from the decision: what was held in the router counts. */
function comparisons(decision: DecisionRecord, outcome: DecisionOutcome): Comparison[] {
  const { predictedTtftMs, predictedTpotMs, cachedTokens } = candidateOf(decision);
  const { ttftMs, tpotMs, e2eMs, heldMs, result } = outcome;
  const predictedE2eMs =
    predictedTtftMs === null || predictedTpotMs === null
      ? null
      : predictedTtftMs + decision.expectedOutputTokens * predictedTpotMs;
  return [
    ['TTFT ms', predictedTtftMs, ttftMs === null ? null : heldMs + ttftMs],
    ['TPOT ms', predictedTpotMs, tpotMs],
    ['E2E ms', predictedE2eMs, result === 'completed' ? heldMs + e2eMs : null],
    ['prompt tokens', decision.promptTokens, outcome.promptTokens],
    ['cached tokens', cachedTokens, outcome.cachedTokens],
    ['output tokens', decision.expectedOutputTokens, outcome.outputTokens],
  ];
}

function notes(decision: DecisionRecord, outcome: DecisionOutcome): string[] {
  const { heldMs, queuedMs, ttftErrorMs, ttftRegretMs, promptTokens } = outcome;
  const lines: string[] = [];
  if (heldMs >= 1) lines.push(`${decimal(heldMs)} ms of that it was held in the router.`);
  if (queuedMs - heldMs >= 1) lines.push(`${decimal(queuedMs - heldMs)} ms went by before this decision.`);
  if (ttftRegretMs !== null && ttftErrorMs !== null) {
    const { worker, predictedTtftMs } = leastTtft(decision, ttftRegretMs - ttftErrorMs);
    const least = `${decimal(predictedTtftMs)} ms on ${worker}`;
    lines.push(`TTFT regret ${signed(ttftRegretMs)} ms against the least that was predicted: ${least}.`);
  }
  if (promptTokens !== null && Math.round(promptTokens - decision.promptTokens) !== 0) {
    const of = decision.exactPrompt
      ? 'that no cache is known to hold are'
      : 'of a prompt that is not rendered exactly are';
    lines.push(`Predicted prompt tokens ${of} estimated from bytes.`);
  }
  return lines;
}

/** The candidate whose predicted TTFT is that of the chosen one less `byMs`: not all that are up could be chosen. */
function leastTtft(decision: DecisionRecord, byMs: number): DecisionCandidate {
  const leastMs = candidateOf(decision).predictedTtftMs! - byMs;
  const distance = ({ predictedTtftMs }: DecisionCandidate): number =>
    Math.abs((predictedTtftMs ?? Infinity) - leastMs);
  return decision.candidates.reduce((a, b) => (distance(b) < distance(a) ? b : a));
}

const isTokens = (name: string): boolean => name.endsWith('tokens');
const textOf = (name: string, value: number | null): string => (isTokens(name) ? count(value) : decimal(value));

/** Only a stream shows when its first token came. */
function actualText([name, , actual]: Comparison, { result, outputTokens }: DecisionOutcome): string {
  const isWhole = name === 'TTFT ms' && actual === null && result === 'completed' && outputTokens > 0;
  return isWhole ? 'not streamed' : textOf(name, actual);
}

function differenceText([name, predicted, actual]: Comparison): string {
  if (predicted === null || actual === null) return '';
  const difference = isTokens(name) ? Math.round(actual - predicted) : actual - predicted;
  if (difference === 0) return '0';
  const sign = difference < 0 ? '-' : '+';
  const share = predicted > 0 ? ` (${sign}${percent(Math.abs(difference) / predicted)})` : '';
  return `${sign}${textOf(name, Math.abs(difference))}${share}`;
}
