import type { Candidates, Rng } from '@sluice/model';
import type { Choice } from '../policy.ts';

/** Row of the `index`-th worker that is up; `index` must be below the number of those that are. */
export function nthUp(candidates: Candidates, index: number): number {
  for (let row = 0; row < candidates.size; row++) {
    if (candidates.up[row] === 1 && index-- === 0) return row;
  }
  throw new RangeError('fewer workers are up than counted');
}

export const noWorker = (candidates: Candidates): Choice => ({
  kind: 'no-worker',
  reason: candidates.size === 0 ? 'no workers' : 'no worker is up',
});

/** Uniform integer in [0, count). */
export const uniform = (rng: Rng, count: number): number => Math.min(count - 1, Math.floor(rng() * count));

/** Row of the smallest finite cost, ties uniformly at random; -1 when no cost is finite. */
export function cheapest(cost: Float64Array, size: number, rng: Rng): number {
  let best = -1;
  let ties = 1;
  for (let row = 0; row < size; row++) {
    const value = cost[row]!;
    if (!(value < Infinity)) continue;
    if (best < 0 || value < cost[best]!) {
      best = row;
      ties = 1;
    } else if (value === cost[best] && uniform(rng, ++ties) === 0) {
      best = row;
    }
  }
  return best;
}

export const picked = (row: number, candidates: Candidates): Choice =>
  row < 0 ? noWorker(candidates) : { kind: 'picked', row };
