import type { Rng } from '@sluice/model';

/** When requests come. What is measured starts after the warm-up. */
export interface Schedule {
  readonly qps: number;
  /** Default 100. */
  readonly warmUpS?: number;
  /** Default 400. */
  readonly measuredS?: number;
  readonly seed: number;
}

/** Arrival times of a Poisson process of `perSecond` in [0, endMs). */
export function poissonArrivals(perSecond: number, endMs: number, rng: Rng): number[] {
  const times: number[] = [];
  // 1 - rng() is never 0
  const gap = (): number => (-Math.log(1 - rng()) * 1000) / perSecond;
  for (let atMs = gap(); atMs < endMs; atMs += gap()) times.push(atMs);
  return times;
}

/** Uniform integer in [0, count). */
export const uniformInt = (rng: Rng, count: number): number => Math.min(count - 1, Math.floor(rng() * count));

/** Normal with mean 0 and deviation 1 (Box-Muller). */
export const normal = (rng: Rng): number => Math.sqrt(-2 * Math.log(1 - rng())) * Math.cos(2 * Math.PI * rng());

/** Arrival times of a steady Poisson stream. */
export const steadyArrivals = ({ qps, warmUpS = 100, measuredS = 400 }: Schedule, rng: Rng): number[] =>
  poissonArrivals(qps, 1000 * (warmUpS + measuredS), rng);
