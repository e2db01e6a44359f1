import type { LatencySummary } from '../api.ts';

const finite = (value: number): number | null => (Number.isFinite(value) ? value : null);

/** Exact mean and percentiles (nearest rank: the smallest value that at least that share does not exceed). */
export function summarize(values: readonly number[]): LatencySummary {
  const sorted = Float64Array.from(values).sort();
  const rank = (share: number): number | null =>
    finite(sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? NaN);
  let sum = 0;
  for (const value of sorted) sum += value;
  return { mean: finite(sum / sorted.length), p50: rank(0.5), p90: rank(0.9), p99: rank(0.99), p999: rank(0.999) };
}

/** Two-sided 95 % quantiles of Student's t by degrees of freedom from 1 (standard table). */
const T_95 = [
  12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.16, 2.145, 2.131, 2.12, 2.11,
  2.101, 2.093, 2.086, 2.08, 2.074, 2.069, 2.064, 2.06, 2.056, 2.052, 2.048, 2.045, 2.042,
];

/** `mean ± halfWidth`; the half width is null with fewer than two values. */
export interface ConfidenceInterval {
  readonly mean: number;
  readonly halfWidth: number | null;
}

/**
 * 95 % confidence interval of the mean of one value per seed, by Student's t. Above 30 degrees of freedom the quantile
 * is the expansion around the normal's (Abramowitz and Stegun 26.7.5), right to 1e-3. Null without values.
 */
export function confidence95(values: readonly number[]): ConfidenceInterval | null {
  const count = values.length;
  if (count === 0) return null;
  const mean = values.reduce((sum, value) => sum + value, 0) / count;
  if (count === 1) return { mean, halfWidth: null };
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (count - 1);
  const freedom = count - 1;
  const z = 1.959964;
  const t =
    T_95[freedom - 1] ?? z + (z ** 3 + z) / (4 * freedom) + (5 * z ** 5 + 16 * z ** 3 + 3 * z) / (96 * freedom ** 2);
  return { mean, halfWidth: t * Math.sqrt(variance / count) };
}
