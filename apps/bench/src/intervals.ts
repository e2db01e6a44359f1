import { confidence95 } from '@sluice/twin';
import type { RunOutcome } from './run-scenario.ts';

/** One number per seed. */
export type Metric = (run: RunOutcome) => number | null;

export const TTFT_MEAN_S: Metric = ({ ttftMs }) => seconds(ttftMs.mean);
export const TTFT_P50_S: Metric = ({ ttftMs }) => seconds(ttftMs.p50);
export const TTFT_P90_S: Metric = ({ ttftMs }) => seconds(ttftMs.p90);
export const TTFT_P99_S: Metric = ({ ttftMs }) => seconds(ttftMs.p99);
export const E2E_P99_S: Metric = ({ e2eMs }) => seconds(e2eMs.p99);
export const TPOT_MS: Metric = ({ tpotMs }) => tpotMs.mean;

const seconds = (ms: number | null): number | null => (ms === null ? null : ms / 1000);

/** The runs of one policy on one scenario, one per seed. */
export const runsOf = (runs: readonly RunOutcome[], scenario: string, arm: string): RunOutcome[] =>
  runs.filter((run) => run.scenario === scenario && run.arm === arm);

/** Mean over seeds; null when one has no finite value or there are no runs. */
export function meanOf(runs: readonly RunOutcome[], metric: Metric): number | null {
  const values = runs.map(metric);
  return values.length === 0 || values.includes(null)
    ? null
    : (values as number[]).reduce((sum, value) => sum + value, 0) / values.length;
}

/** Mean and half width of the 95 % confidence interval, as `1.23 ±0.04`. */
export function cell(runs: readonly RunOutcome[], metric: Metric): string {
  if (runs.length === 0) return '';
  const values = runs.map(metric);
  if (values.includes(null)) return 'inf';
  const { mean, halfWidth } = confidence95(values as number[])!;
  return halfWidth === null ? short(mean) : `${short(mean)} ±${short(halfWidth)}`;
}

/** Three digits that count; one below a hundredth. */
export const short = (value: number): string =>
  Math.abs(value) >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(Math.abs(value) < 0.01 ? 1 : 3)));

export interface Ratio {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

/** Geometric mean of a / b over paired seeds with its 95 % confidence interval; null without pairs of finite values. */
export function pairedRatio(a: readonly RunOutcome[], b: readonly RunOutcome[], metric: Metric): Ratio | null {
  const logs: number[] = [];
  for (const run of a) {
    const other = b.find(({ seed }) => seed === run.seed);
    if (other === undefined) continue;
    const [x, y] = [metric(run), metric(other)];
    if (x === null || y === null || !(x > 0 && y > 0)) return null;
    logs.push(Math.log(x / y));
  }
  const interval = confidence95(logs);
  if (interval === null) return null;
  const half = interval.halfWidth ?? 0;
  return { mean: Math.exp(interval.mean), low: Math.exp(interval.mean - half), high: Math.exp(interval.mean + half) };
}

export const geometricMean = (values: readonly number[]): number =>
  Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
