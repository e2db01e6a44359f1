import { confidence95 } from '@sluice/twin';
import type { TwinResult } from '@sluice/twin';

interface Column {
  readonly head: string;
  readonly value: (run: TwinResult) => number | null;
  readonly digits: number;
}

const COLUMNS: readonly Column[] = [
  { head: 'TTFT ms', value: (run) => run.ttftMs.mean, digits: 0 },
  { head: 'p50', value: (run) => run.ttftMs.p50, digits: 0 },
  { head: 'p90', value: (run) => run.ttftMs.p90, digits: 0 },
  { head: 'p99', value: (run) => run.ttftMs.p99, digits: 0 },
  { head: 'p99.9', value: (run) => run.ttftMs.p999, digits: 0 },
  { head: 'TPOT ms', value: (run) => run.tpotMs.mean, digits: 1 },
  { head: 'E2E s', value: (run) => div(run.e2eMs.mean, 1000), digits: 2 },
  { head: 'cached %', value: (run) => 100 * run.cachedTokenShare, digits: 1 },
  { head: 'imbalance', value: (run) => run.imbalance, digits: 2 },
  { head: 'preempted', value: (run) => run.preemptions, digits: 0 },
  { head: 'out tok/s', value: (run) => run.outputTokensPerS, digits: 0 },
  { head: 'good req/s', value: (run) => run.goodput, digits: 2 },
  { head: 'failed', value: (run) => run.failed, digits: 0 },
];

const div = (value: number | null, by: number): number | null => (value === null ? null : value / by);

/** One row per policy: means over its seeds; below them the half width of their 95 % confidence interval. */
export function resultTable(runs: readonly TwinResult[]): string {
  const rows: string[][] = [['policy', ...COLUMNS.map(({ head }) => head)]];
  for (const policy of new Set(runs.map((run) => run.policy))) {
    const own = runs.filter((run) => run.policy === policy);
    const intervals = COLUMNS.map((column) => intervalOf(own.map(column.value)));
    rows.push([policy, ...intervals.map((interval, i) => cell(interval?.mean, COLUMNS[i]!.digits, ''))]);
    if (own.length > 1) {
      rows.push(['', ...intervals.map((interval, i) => cell(interval?.halfWidth, COLUMNS[i]!.digits, '±'))]);
    }
  }
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)));
  const aligned = (row: readonly string[]): string =>
    row.map((text, i) => (i === 0 ? text.padEnd(widths[i]!) : text.padStart(widths[i]!))).join('  ');
  return `${rows.map((row) => aligned(row).trimEnd()).join('\n')}\n`;
}

/** Null where a seed has no finite value: requests failed, or none was measured. */
const intervalOf = (values: readonly (number | null)[]): ReturnType<typeof confidence95> =>
  values.includes(null) ? null : confidence95(values as number[]);

const cell = (value: number | null | undefined, digits: number, sign: string): string =>
  value === null || value === undefined ? (sign === '' ? '-' : '') : `${sign}${value.toFixed(digits)}`;
