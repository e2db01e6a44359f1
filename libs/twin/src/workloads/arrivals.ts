import type { Rng } from '@sluice/model';
import { exponential, gamma } from './distributions.ts';

/** When requests come. What is measured starts after the warm-up. */
export interface Schedule {
  readonly qps: number;
  /** Coefficient of variation of the gaps; default 1, a Poisson process. Above it requests come in bursts. */
  readonly cv?: number;
  /** Default 100. */
  readonly warmUpS?: number;
  /** Default 400. */
  readonly measuredS?: number;
  readonly seed: number;
}

/** Arrival times of a Poisson process of `perSecond` in [0, endMs). */
export const poissonArrivals = (perSecond: number, endMs: number, rng: Rng): number[] =>
  renewals(endMs, () => (exponential(rng) * 1000) / perSecond);

/** Arrival times in [0, endMs) with gamma-distributed gaps of coefficient of variation `cv`; 0 is evenly spaced. */
export const gammaArrivals = (perSecond: number, cv: number, endMs: number, rng: Rng): number[] =>
  renewals(endMs, () => ((cv === 0 ? 1 : gamma(rng, 1 / cv ** 2)) * 1000) / perSecond);

/** Arrival times of a steady stream, warm-up and measured part. */
export function steadyArrivals({ qps, cv = 1, warmUpS = 100, measuredS = 400 }: Schedule, rng: Rng): number[] {
  const endMs = 1000 * (warmUpS + measuredS);
  return cv === 1 ? poissonArrivals(qps, endMs, rng) : gammaArrivals(qps, cv, endMs, rng);
}

function renewals(endMs: number, gapMs: () => number): number[] {
  const times: number[] = [];
  for (let atMs = gapMs(); atMs < endMs; atMs += gapMs()) times.push(atMs);
  return times;
}
