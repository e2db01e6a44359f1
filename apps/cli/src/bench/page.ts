import { count, decimal, percent } from '../numbers.ts';
import { stylesOf, widthOf } from '../speaker.ts';
import type { Speaker } from '../speaker.ts';
import { textTable, wrapped } from '../text-table.ts';
import type { TextColumn } from '../text-table.ts';
import type { Distribution, Measurement, ServiceLevel } from './measure.ts';

/** What was run against what. */
export interface RunTitle {
  readonly url: string;
  readonly model: string;
  readonly load: string;
  readonly seed: number;
  readonly stopped: boolean;
}

const LEVELS = ['mean', 'p50', 'p90', 'p95', 'p99', 'max'] as const;

/** The numbers of a run for people. */
export function benchPage(title: RunTitle, measured: Measurement, slo: ServiceLevel, speaker: Speaker): string {
  const { bold, faint, bad } = stylesOf(speaker);
  const width = widthOf(speaker);
  const { requests, client } = measured;
  const lines = [
    ...wrapped(`${title.model} at ${title.url}: ${title.load}, seed ${title.seed}`, width, 2).map(bold),
    ...(title.stopped ? [bad('stopped before its end')] : []),
    '',
    ...table(measured, width),
    '',
    ...wrapped(
      `requests  ${count(requests.sent)} in ${decimal(measured.measuredS)} s: ${count(requests.completed)} completed (${decimal(measured.requestsPerS)}/s), ${count(requests.failed)} failed`,
      width,
      10,
    ),
    `goodput   ${decimal(measured.goodputPerS)}/s, ${percent(measured.goodShare)} with TTFT <= ${count(slo.ttftMs)} ms and TPOT <= ${count(slo.tpotMs)} ms`,
    ...wrapped(
      `tokens    ${count(measured.promptTokens)} in, ${cachedText(measured)}, ${count(measured.outputTokens)} out (${decimal(measured.outputTokensPerS)}/s)`,
      width,
      10,
    ),
    ...workersLines(measured, width),
    ...Object.entries(measured.failures).map(([reason, n]) => bad(`failed    ${count(n)} times ${reason}`)),
  ];
  const loop = `event loop ${decimal(client.loopDelayMs.p99)} ms`;
  const late = `client    p99 of its own delays: sending ${decimal(client.latenessMs?.p99)} ms, ${loop}`;
  lines.push(client.behind ? bad(late) : faint(late));
  if (client.behind) {
    const advice =
      'This client did not keep up: latencies count from when a request was due, and so tell of the client as much as of the server. Use a faster or idler machine, or a lower --qps.';
    lines.push(...wrapped(advice, width, 0).map(bad));
  }
  return `${lines.join('\n')}\n`;
}

function table({ ttftMs, tpotMs, e2eMs }: Measurement, width: number): string[] {
  const rows: readonly (readonly [string, Distribution | null])[] = [
    ['TTFT ms', ttftMs],
    ['TPOT ms', tpotMs],
    ['E2E ms', e2eMs],
  ];
  const names: TextColumn = { head: '', cells: rows.map(([name]) => name), align: 'left' };
  const columns = LEVELS.map((level): TextColumn => ({
    head: level,
    cells: rows.map(([, values]) => decimal(values?.[level])),
    align: 'right',
  }));
  return textTable([names, ...columns], width);
}

const cachedText = ({ cachedTokens, promptTokens }: Measurement): string =>
  cachedTokens === null
    ? 'the server does not tell how many cached'
    : `${count(cachedTokens)} of them cached (${percent(promptTokens === 0 ? null : cachedTokens / promptTokens)})`;

const MOST_WORKERS = 12;

function workersLines({ workers }: Measurement, width: number): string[] {
  const sorted = Object.entries(workers).sort(([, a], [, b]) => b - a);
  if (sorted.length === 0) return [];
  const shown = sorted.slice(0, MOST_WORKERS).map(([worker, n]) => `${worker} ${count(n)}`);
  const more = sorted.length > MOST_WORKERS ? `, and ${sorted.length - MOST_WORKERS} more` : '';
  return wrapped(`workers   ${shown.join(', ')}${more}`, width, 10);
}
