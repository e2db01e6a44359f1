import type { DecisionRecord } from '@sluice/contracts';
import type { Styles } from '../speaker.ts';
import { textTable, wrapped } from '../text-table.ts';
import { costLines, shownCandidates, signalLines, termLines } from './candidates.ts';
import { candidateOf } from './decision.ts';
import { count, decimal, duration, signed } from '../numbers.ts';
import { outcomeLines, resultText } from './outcome.ts';
import { timeLines } from './where-time-went.ts';

export interface PageOptions {
  /** Characters of a line. */
  readonly width: number;
  /** Every candidate, not the ten cheapest alone. */
  readonly all: boolean;
  readonly styles: Styles;
  readonly nowMs: number;
  /** Who decided, where that is one of several. */
  readonly router: string | null;
  /** Option of a further command to the same address, or nothing. */
  readonly sameAdmin: string;
}

/**
 * The text that explains a decision.
 * @param chain all decisions of its request that are still known, in their order
 */
export function explainPage(decision: DecisionRecord, chain: readonly DecisionRecord[], options: PageOptions): string {
  const { width, styles } = options;
  const shown = shownCandidates(decision, options.all);
  const sections: (readonly [title: string, lines: readonly string[]])[] = [
    [whyTitle(decision), costLines(decision, shown, triedBefore(decision, chain), width, styles)],
    [`Terms in ${decision.unit}`, termLines(shown, width)],
    ['What was known (TTFT and TPOT predicted in ms; cached and queued are tokens)', signalLines(shown, width)],
    [`What happened: ${resultText(decision)}`, outcomeLines(decision, width)],
    ['Where the time to its first token went, from its arrival', timeLines(decision, width)],
    ['All decisions of this request', chain.length < 2 ? [] : chainLines(decision, chain, width)],
    ['Shadow policies, by prediction', shadowLines(decision, width)],
  ];
  const hidden = decision.candidates.length - shown.length;
  const text = sections
    .filter(([title, lines]) => lines.length > 0 || title.startsWith('What happened'))
    .map(([title, lines]) => [...wrapped(title, width, 2).map(styles.bold), ...lines].join('\n'));
  const more = hidden === 0 ? [] : [`${hidden} more candidates with --all`];
  return `${[headLines(decision, options).join('\n'), ...text, ...more].join('\n\n')}\n`;
}

function headLines(decision: DecisionRecord, { width, nowMs, styles, router, sameAdmin }: PageOptions): string[] {
  const { level, basis, policy, promptTokens } = decision;
  const chosen = candidateOf(decision);
  const cached = chosen.cachedTokens ?? 0;
  const kept = decision.candidates.filter(({ keptForOthers }) => keptForOthers).length;
  const at = new Date(decision.atMs).toISOString();
  const prompt = `${count(promptTokens)} tokens: ${count(cached)} cached on ${decision.worker}, ${count(Math.max(0, promptTokens - cached))} to compute; about ${count(decision.expectedOutputTokens)} out expected`;
  const asked = [
    `tenant ${level.tenant}`,
    ...(level.priority === 0 ? [] : [`priority ${level.priority}`]),
    ...(level.ttftSloMs === null ? [] : [`TTFT ${decimal(level.ttftSloMs)} ms`]),
    ...(level.tpotSloMs === null ? [] : [`TPOT ${decimal(level.tpotSloMs)} ms`]),
    ...(level.deadlineMs === null ? [] : [`deadline ${decimal(level.deadlineMs)} ms`]),
  ];
  const lines = [
    `request  ${decision.api} to ${decision.model ?? 'the only model'} in pool ${decision.pool}`,
    `asked    ${asked.join(', ')}`,
    `prompt   ${prompt}${decision.exactPrompt ? '' : '. It is not rendered exactly: cached tokens are estimates'}`,
    `policy   ${basis === policy ? policy : `${policy}, which had no usable prediction and decided as ${basis}`}`,
    ...(kept === 0
      ? []
      : [`kept     ${kept} of ${decision.candidates.length} workers for others: ${level.tenant} floods`]),
  ];
  if (decision.traceId !== null) lines.push(`trace    ${decision.traceId}: sluice trace ${decision.id}${sameAdmin}`);
  return [
    styles.bold(`decision ${decision.id}`),
    `made     ${at}, ${duration(Math.max(0, nowMs - decision.atMs))} ago${router === null ? '' : `, by ${router}`}`,
    ...lines.flatMap((line) => wrapped(line, width, 9)),
  ];
}

function whyTitle(decision: DecisionRecord): string {
  const of = decision.candidates.length;
  const better = decision.unit === 'score' ? 'cost is minus the score, the least wins' : 'the least cost wins';
  return `Why ${decision.worker}, of ${of} ${of === 1 ? 'worker' : 'workers'} (${decision.unit}; ${better})`;
}

/** Workers of the attempts that this decision repeats. */
function triedBefore(decision: DecisionRecord, chain: readonly DecisionRecord[]): Set<string> {
  const tried = new Set<string>();
  for (const each of chain) {
    if (each.id === decision.id) break;
    if (each.outcome !== null) tried.add(each.worker);
  }
  return tried;
}

function chainLines(decision: DecisionRecord, chain: readonly DecisionRecord[], width: number): string[] {
  return chain.flatMap((each) => {
    const how = each.movedFrom !== null ? 'moved' : each.retryOf !== null ? 'retried' : 'first';
    const here = each.id === decision.id ? ' (shown here)' : '';
    return wrapped(`${how.padEnd(8)} ${each.id} on ${each.worker}: ${resultText(each)}${here}`, width, 9);
  });
}

function shadowLines({ shadows }: DecisionRecord, width: number): string[] {
  if (shadows.length === 0) return [];
  const column = (head: string, cells: string[], align: 'left' | 'right' = 'right') => ({ head, cells, align });
  return textTable(
    [
      column(
        'policy',
        shadows.map(({ policy }) => policy),
        'left',
      ),
      column(
        'its pick',
        shadows.map(({ worker, agrees }) => (agrees ? 'the same' : (worker ?? 'none'))),
        'left',
      ),
      column(
        'TTFT ms',
        shadows.map(({ ttftMs }) => decimal(ttftMs)),
      ),
      column(
        'against',
        shadows.map(({ ttftRegretMs }) => signed(ttftRegretMs)),
      ),
      column(
        'E2E ms',
        shadows.map(({ e2eMs }) => decimal(e2eMs)),
      ),
      column(
        'against',
        shadows.map(({ e2eRegretMs }) => signed(e2eRegretMs)),
      ),
    ],
    width,
  );
}
