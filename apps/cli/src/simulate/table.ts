import type { ConfidenceInterval } from '@sluice/twin';
import { bestRows, estimate, METRICS } from './metrics.ts';
import type { Metric } from './metrics.ts';
import type { RunOutcome } from './outcome.ts';

export interface TableOptions {
  /** Characters of a line. */
  readonly width: number;
  /** Every column, in as many blocks as that takes; else the most telling ones that fit. */
  readonly all: boolean;
  /** Whether the best of a column may be marked by colour. */
  readonly colour: boolean;
}

/** What a narrow terminal shows, the most telling first. Failures come before all else where there are any. */
const BY_WEIGHT = [
  'ttft-p50',
  'ttft-p99',
  'tpot-mean',
  'e2e-mean',
  'cached',
  'goodput',
  'ttft-mean',
  'ttft-p90',
  'imbalance',
  'throughput',
  'ttft-p999',
  'captured',
  'preempted',
  'tpot-p99',
  'e2e-p99',
  'tpot-p50',
  'e2e-p50',
  'tpot-p90',
  'e2e-p90',
];

const GAP = '  ';
const [BEST, FAINT, PLAIN] = ['\x1b[1;32m', '\x1b[2m', '\x1b[0m'];

/** A column as text: two lines of head, then one or two lines per policy, all of one width. */
interface Column {
  readonly metric: Metric;
  readonly cells: readonly string[];
  readonly best: ReadonlySet<number>;
  readonly width: number;
}

export interface ResultTable {
  readonly text: string;
  /** Columns that there was no room for. */
  readonly hidden: number;
}

/** One row per policy: means over its seeds; below them half of their 95 % confidence interval. */
export function resultTable(outcomes: readonly RunOutcome[], { width, all, colour }: TableOptions): ResultTable {
  const policies = [...new Set(outcomes.map(({ policy }) => policy))];
  const byPolicy = policies.map((policy) =>
    outcomes.filter((each) => each.policy === policy).map(({ result }) => result),
  );
  const seeds = Math.max(...byPolicy.map((runs) => runs.length));
  const columns = METRICS.map((metric): Column => {
    const intervals = byPolicy.map((runs) => estimate(runs, metric));
    const cells = intervals.flatMap((interval) => cellsOf(interval, metric, seeds > 1));
    const best = bestRows(
      intervals.map((interval) => interval?.mean ?? null),
      metric,
      (row) => policies[row] !== 'oracle',
    );
    return {
      metric,
      cells,
      best,
      width: Math.max(metric.head.length, metric.group.length, ...cells.map((c) => c.length)),
    };
  });
  const names = ['policy', ...policies];
  const room = width - Math.max(...names.map((name) => name.length));
  const failed = outcomes.some(({ result }) => result.failed > 0);
  const blocks = all ? blocksOf(columns, room) : [fitting(columns, room, failed)];
  return {
    text: blocks.map((block) => render(policies, block, seeds > 1, colour)).join('\n'),
    hidden: blocks.reduce((left, block) => left - block.length, columns.length),
  };
}

/** A dash stands for a mean that a seed made infinite. */
function cellsOf(interval: ConfidenceInterval | null, { digits }: Metric, intervals: boolean): string[] {
  const mean = interval === null ? '-' : interval.mean.toFixed(digits);
  if (!intervals) return [mean];
  return [mean, interval === null || interval.halfWidth === null ? '' : `±${interval.halfWidth.toFixed(digits)}`];
}

/** The most telling columns that there is room for, in their usual order. */
function fitting(columns: readonly Column[], room: number, failed: boolean): Column[] {
  const chosen = new Set<Column>();
  let left = room;
  for (const id of failed ? ['failed', ...BY_WEIGHT] : BY_WEIGHT) {
    const column = columns.find(({ metric }) => metric.id === id)!;
    const needed = column.width + GAP.length;
    if (needed > left) break;
    left -= needed;
    chosen.add(column);
  }
  return columns.filter((column) => chosen.has(column));
}

/** All columns, cut into tables that fit one below the other. */
function blocksOf(columns: readonly Column[], room: number): Column[][] {
  const blocks: Column[][] = [];
  let left = 0;
  for (const column of columns) {
    const needed = column.width + GAP.length;
    const block = needed > left ? undefined : blocks.at(-1);
    if (block === undefined) {
      blocks.push([column]);
      left = room - needed;
    } else {
      block.push(column);
      left -= needed;
    }
  }
  return blocks;
}

function render(policies: readonly string[], columns: readonly Column[], intervals: boolean, colour: boolean): string {
  const margin = Math.max(...['policy', ...policies].map((name) => name.length));
  const line = (name: string, cell: (column: Column, index: number) => string): string =>
    [name.padEnd(margin), ...columns.map(cell)].join(GAP).trimEnd();
  const groups = line('', (column, index) => {
    const named = columns[index - 1]?.metric.group !== column.metric.group;
    return (named ? column.metric.group : '').padStart(column.width);
  });
  const heads = line('policy', ({ metric, width }) => metric.head.padStart(width));
  const perRow = intervals ? 2 : 1;
  const rows = policies.flatMap((policy, row) => {
    const means = line(policy, ({ cells, best, width }) => {
      const cell = cells[row * perRow]!.padStart(width);
      return colour && best.has(row) ? `${BEST}${cell}${PLAIN}` : cell;
    });
    if (!intervals) return [means];
    const halves = line('', ({ cells, width }) => cells[row * perRow + 1]!.padStart(width));
    return [means, colour ? `${FAINT}${halves}${PLAIN}` : halves];
  });
  return `${[groups, heads, ...rows].join('\n')}\n`;
}
