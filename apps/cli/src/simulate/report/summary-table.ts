import { bestRows, estimate, METRICS } from '../metrics.ts';
import type { Metric } from '../metrics.ts';
import { outcomesOf } from './report-data.ts';
import type { ReportData } from './report-data.ts';
import { dashOf, seriesClass } from './series-style.ts';
import { escapeHtml } from './text.ts';

const LATENCIES = METRICS.filter(({ id }) => /^(ttft|tpot|e2e)-/.test(id));
const THE_REST = METRICS.filter((metric) => !LATENCIES.includes(metric));

/** Latencies, then everything else: together they are wider than most screens. */
export const summaryTables = (data: ReportData, load: number): string =>
  summaryTable(data, load, LATENCIES) + summaryTable(data, load, THE_REST);

/** A row per policy: means over the seeds and half of their 95 % confidence intervals; the best of a column is marked. */
function summaryTable(data: ReportData, load: number, metrics: readonly Metric[]): string {
  const { policies } = data;
  const columns = metrics.map((metric, i) => columnOf(data, load, metric, metrics[i - 1]?.group !== metric.group));
  const groups = groupsOf(metrics)
    .map(({ name, size }) => `<th scope="colgroup" colspan="${size}">${escapeHtml(name)}</th>`)
    .join('');
  const heads = metrics.map(
    ({ head, title }) => `<th scope="col" title="${escapeHtml(title)}">${escapeHtml(head)}</th>`,
  );
  const rows = policies.map((policy, row) => {
    const cells = columns.map((column) => column[row]!).join('');
    return `<tr class="${seriesClass(row)}"><th scope="row">${swatch(row)}${escapeHtml(policy)}</th>${cells}</tr>`;
  });
  return (
    `<div class="scroll"><table><thead><tr><th rowspan="2" scope="col">policy</th>${groups}</tr><tr>${heads.join('')}</tr></thead>` +
    `<tbody>${rows.join('')}</tbody></table></div>`
  );
}

/** A stretch of a series' line, as the legend shows it. */
export function swatch(index: number): string {
  const dashes = dashOf(index);
  return `<svg class="swatch ${seriesClass(index)}" viewBox="0 0 30 8" aria-hidden="true"><path class="line" d="M1 4H29"${dashes === '' ? '' : ` stroke-dasharray="${dashes}"`}/></svg>`;
}

/** The cells of a column, by policy. */
function columnOf(data: ReportData, load: number, metric: Metric, opensGroup: boolean): string[] {
  const { policies } = data;
  const intervals = policies.map((policy) =>
    estimate(
      outcomesOf(data, load, policy).map(({ result }) => result),
      metric,
    ),
  );
  const best = bestRows(
    intervals.map((interval) => interval?.mean ?? null),
    metric,
    (row) => policies[row] !== 'oracle',
  );
  const classes = (isBest: boolean): string => {
    const names = [...(opensGroup ? ['opens'] : []), ...(isBest ? ['best'] : [])];
    return names.length === 0 ? '' : ` class="${names.join(' ')}"`;
  };
  return intervals.map((interval, row) => {
    if (interval === null) return `<td${classes(false)}>–</td>`;
    const half = interval.halfWidth === null ? '' : `<small>± ${fixed(interval.halfWidth, metric)}</small>`;
    return `<td${classes(best.has(row))}>${fixed(interval.mean, metric)}${half}</td>`;
  });
}

const fixed = (value: number, { digits }: Metric): string =>
  value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });

function groupsOf(metrics: readonly Metric[]): { name: string; size: number }[] {
  const groups: { name: string; size: number }[] = [];
  for (const { group } of metrics) {
    const last = groups.at(-1);
    if (last?.name === group) last.size++;
    else groups.push({ name: group, size: 1 });
  }
  return groups;
}
