import type { Rng } from '@sluice/model';
import { normal } from '@sluice/numerics';

/** Uniform integer in [0, count). */
export const uniformInt = (rng: Rng, count: number): number => Math.min(count - 1, Math.floor(rng() * count));

/** Exponential with mean 1; 1 - rng() is never 0. */
export const exponential = (rng: Rng): number => -Math.log(1 - rng());

/** A count whose logarithm is normal, as lengths of texts are. */
export interface LogNormalCount {
  readonly median: number;
  /** Deviation of the logarithm. */
  readonly sigma: number;
  /** Values are clipped to these. */
  readonly least: number;
  readonly most: number;
}

export const logNormalCount = (rng: Rng, { median, sigma, least, most }: LogNormalCount): number =>
  Math.min(most, Math.max(least, Math.round(median * Math.exp(sigma * normal(rng)))));

/** At least 1, with that mean: after each further one the chance to go on is the same. */
export const geometric = (rng: Rng, mean: number): number =>
  mean <= 1 ? 1 : 1 + Math.floor(exponential(rng) / -Math.log(1 - 1 / mean));

/** Gamma with mean 1 and this shape (Marsaglia and Tsang, 2000; below shape 1 by their power of a uniform). */
export function gamma(rng: Rng, shape: number): number {
  const d = (shape < 1 ? shape + 1 : shape) - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const x = normal(rng);
    const v = (1 + c * x) ** 3;
    if (v <= 0 || Math.log(1 - rng()) >= 0.5 * x * x + d * (1 - v + Math.log(v))) continue;
    return (d * v * (shape < 1 ? (1 - rng()) ** (1 / shape) : 1)) / shape;
  }
}

/** Draws numbers in [0, count), number k with weight 1 / (k + 1)^exponent; exponent 0 is uniform. */
export function zipf(count: number, exponent: number): (rng: Rng) => number {
  const cumulated = new Float64Array(count);
  let sum = 0;
  for (let k = 0; k < count; k++) cumulated[k] = sum += (k + 1) ** -exponent;
  return (rng) => {
    const at = rng() * sum;
    let low = 0;
    for (let high = count - 1; low < high;) {
      const middle = (low + high) >> 1;
      if (cumulated[middle]! > at) high = middle;
      else low = middle + 1;
    }
    return low;
  };
}
