import { confidence95 } from '@sluice/twin';
import type { ConfidenceInterval, LatencySummary, TwinResult } from '@sluice/twin';

/** One column of the tables: a number of a run. */
export interface Metric {
  readonly id: string;
  /** Columns of one group stand side by side under its name. */
  readonly group: string;
  readonly head: string;
  readonly title: string;
  /** Decimals shown. */
  readonly digits: number;
  readonly better: 'lower' | 'higher';
  /** Null where it is infinite or nothing was measured. */
  readonly value: (run: TwinResult) => number | null;
}

const LEVELS = [
  { level: 'mean', head: 'mean', title: 'mean' },
  { level: 'p50', head: 'p50', title: 'median' },
  { level: 'p90', head: 'p90', title: '90th percentile' },
  { level: 'p99', head: 'p99', title: '99th percentile' },
  { level: 'p999', head: 'p99.9', title: '99.9th percentile' },
] as const satisfies readonly { level: keyof LatencySummary; head: string; title: string }[];

interface Latency {
  readonly id: 'ttft' | 'tpot' | 'e2e';
  readonly group: string;
  readonly title: string;
  readonly digits: number;
  /** Milliseconds in the unit shown. */
  readonly unitMs: number;
  readonly of: (run: TwinResult) => LatencySummary;
}

const latencyMetrics = ({ id, group, title, digits, unitMs, of }: Latency): Metric[] =>
  LEVELS.map(({ level, head, title: levelTitle }) => ({
    id: `${id}-${level}`,
    group,
    head,
    title: `${title}, ${levelTitle}`,
    digits,
    better: 'lower',
    value: (run) => divided(of(run)[level], unitMs),
  }));

const divided = (value: number | null, by: number): number | null => (value === null ? null : value / by);

/** Every column, in the order in which they are shown. */
export const METRICS: readonly Metric[] = [
  ...latencyMetrics({
    id: 'ttft',
    group: 'TTFT ms',
    title: 'time to the first token',
    digits: 0,
    unitMs: 1,
    of: (run) => run.ttftMs,
  }),
  ...latencyMetrics({
    id: 'tpot',
    group: 'TPOT ms',
    title: 'mean time per output token after the first',
    digits: 1,
    unitMs: 1,
    of: (run) => run.tpotMs,
  }),
  ...latencyMetrics({
    id: 'e2e',
    group: 'E2E s',
    title: 'time to the last token',
    digits: 2,
    unitMs: 1000,
    of: (run) => run.e2eMs,
  }),
  {
    id: 'goodput',
    group: 'good',
    head: 'req/s',
    title: 'requests per second that met the service level (goodput)',
    digits: 2,
    better: 'higher',
    value: (run) => run.goodput,
  },
  {
    id: 'throughput',
    group: 'out',
    head: 'tok/s',
    title: 'output tokens per second',
    digits: 0,
    better: 'higher',
    value: (run) => run.outputTokensPerS,
  },
  {
    id: 'cached',
    group: 'cached',
    head: '%',
    title: 'share of the prompt tokens that engines found in their caches',
    digits: 1,
    better: 'higher',
    value: (run) => 100 * run.cachedTokenShare,
  },
  {
    id: 'captured',
    group: 'captured',
    head: '%',
    title: 'captured reuse: cached tokens over what one cache with the memory of all engines would have found',
    digits: 1,
    better: 'higher',
    value: (run) => (run.capturedReuse === null ? null : 100 * run.capturedReuse),
  },
  {
    id: 'imbalance',
    group: 'imbalance',
    head: 'x mean',
    title: 'most prompt tokens that one engine was sent, over the mean',
    digits: 2,
    better: 'lower',
    value: (run) => run.imbalance,
  },
  {
    id: 'preempted',
    group: 'preempted',
    head: 'req',
    title: 'requests thrown out of a full KV cache and computed again',
    digits: 0,
    better: 'lower',
    value: (run) => run.preemptions,
  },
  {
    id: 'failed',
    group: 'failed',
    head: 'req',
    title: 'requests that failed; they count as infinitely late',
    digits: 0,
    better: 'lower',
    value: (run) => run.failed,
  },
];

/** @throws RangeError when there is no metric with this id. */
export function metric(id: string): Metric {
  const found = METRICS.find((each) => each.id === id);
  if (found === undefined) throw new RangeError(`there is no metric '${id}'`);
  return found;
}

/** Mean over the seeds with its 95 % confidence interval; null where a seed has no finite value or there is none. */
export function estimate(runs: readonly TwinResult[], { value }: Metric): ConfidenceInterval | null {
  const values = runs.map(value).filter((each) => each !== null);
  return values.length < runs.length ? null : confidence95(values);
}

/**
 * Which of the rows hold the best mean as it is shown; equals share the place. Rows that no deployment can have (the
 * oracle) do not compete, and where all that do are equal none is best.
 */
export function bestRows(
  means: readonly (number | null)[],
  { better, digits }: Metric,
  competes: (row: number) => boolean,
): ReadonlySet<number> {
  const rivals = means.flatMap((mean, row) =>
    competes(row) ? [{ row, shown: mean === null ? null : Number(mean.toFixed(digits)) }] : [],
  );
  const values = rivals.flatMap(({ shown }) => shown ?? []);
  const best = better === 'lower' ? Math.min(...values) : Math.max(...values);
  const winners = rivals.filter(({ shown }) => shown === best);
  return new Set(winners.length === rivals.length ? [] : winners.map(({ row }) => row));
}
