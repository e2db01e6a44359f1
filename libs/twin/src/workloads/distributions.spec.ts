import { describe, expect, it } from '@jest/globals';
import { seededRng } from '@sluice/numerics';
import { poissonArrivals, gammaArrivals } from './arrivals.ts';
import { gamma, geometric, logNormalCount, zipf } from './distributions.ts';

const COUNT = 40_000;
const sample = (draw: (rng: () => number) => number): number[] => {
  const rng = seededRng(7);
  return Array.from({ length: COUNT }, () => draw(rng));
};
const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
const variation = (values: readonly number[]): number => {
  const average = mean(values);
  return Math.sqrt(mean(values.map((value) => (value - average) ** 2))) / average;
};
const gaps = (times: readonly number[]): number[] => times.slice(1).map((time, i) => time - times[i]!);

describe('distributions', () => {
  it.each([0.1, 0.25, 1, 4, 100])('gamma of shape %p has mean 1 and variation 1 / sqrt(shape)', (shape) => {
    const values = sample((rng) => gamma(rng, shape));
    expect(Math.min(...values)).toBeGreaterThanOrEqual(0);
    expect(mean(values)).toBeCloseTo(1, 1);
    expect(variation(values) * Math.sqrt(shape)).toBeCloseTo(1, 1);
  });

  it('geometric is 1 or more with its mean', () => {
    const values = sample((rng) => geometric(rng, 5));
    expect(Math.min(...values)).toBe(1);
    expect(mean(values) / 5).toBeCloseTo(1, 1);
    expect(values.filter((value) => value === 1).length / COUNT).toBeCloseTo(1 / 5, 1);
    expect(geometric(() => 0.99, 1)).toBe(1);
  });

  it('a log-normal count has its median and stays within its limits', () => {
    const values = sample((rng) => logNormalCount(rng, { median: 200, sigma: 1, least: 20, most: 1000 })).sort(
      (a, b) => a - b,
    );
    expect(values[COUNT / 2]! / 200).toBeCloseTo(1, 1);
    expect([values[0], values.at(-1)]).toEqual([20, 1000]);
    // one deviation of a normal logarithm
    expect(values[Math.floor(COUNT * 0.8413)]! / 200).toBeCloseTo(Math.E, 0);
  });

  it('zipf weighs number k by 1 / (k + 1)^exponent, and is uniform at 0', () => {
    const shares = (exponent: number): number[] => {
      const counts = [0, 0, 0, 0];
      const draw = zipf(4, exponent);
      for (const k of sample(draw)) counts[k]!++;
      return counts.map((count) => count / COUNT);
    };
    const whole = 1 + 1 / 2 + 1 / 3 + 1 / 4;
    shares(1).forEach((share, k) => expect(share).toBeCloseTo(1 / (k + 1) / whole, 1));
    shares(0).forEach((share) => expect(share).toBeCloseTo(1 / 4, 1));
  });
});

describe('arrivals', () => {
  it('Poisson: the rate, and gaps that vary by 1', () => {
    const times = poissonArrivals(20, 1e6, seededRng(1));
    expect(times.length / 20_000).toBeCloseTo(1, 1);
    expect(variation(gaps(times))).toBeCloseTo(1, 1);
    expect(times.at(-1)).toBeLessThan(1e6);
  });

  it.each([0, 0.5, 3])('gamma gaps of variation %p keep the rate', (cv) => {
    const times = gammaArrivals(20, cv, 1e6, seededRng(1));
    expect(times.length / 20_000).toBeCloseTo(1, 1);
    expect(variation(gaps(times))).toBeCloseTo(cv, cv > 1 ? 0 : 1);
  });
});
