import { describe, expect, it } from '@jest/globals';
import { normal, seededRng } from '@sluice/numerics';
import { FEWEST_RESIDUALS, MOST_RESIDUALS, ResidualWindow } from './residual-window.ts';

interface Arrived {
  readonly residual: number;
  readonly arrival: number;
}

/** What a window keeps of all that arrived, oldest first. */
function kept(all: readonly Arrived[]): number[] {
  let rest = all.slice(-MOST_RESIDUALS);
  const { arrival } = all.at(-1)!;
  while (rest.length > FEWEST_RESIDUALS && rest[0]!.arrival < arrival - Math.min(2000, arrival / 2))
    rest = rest.slice(1);
  return rest.map(({ residual }) => residual);
}

/** Mean |exp(factor) * predicted - measured| / measured over residuals. */
const relativeError = (residuals: readonly number[], factor: number): number =>
  residuals.reduce((sum, residual) => sum + Math.abs(Math.exp(factor - residual) - 1), 0) / residuals.length;

describe('ResidualWindow', () => {
  it.each([1, 2, 3])(
    'has the quantiles of what it should keep, whatever share of the samples is its own (seed %d)',
    (seed) => {
      const rng = seededRng(seed);
      const window = new ResidualWindow();
      const all: Arrived[] = [];
      let arrival = 0;
      for (let i = 0; i < 1500; i++) {
        // a regime often met first, then seldom
        arrival += 1 + Math.floor(rng() * (i < 900 ? 2 : 60));
        const residual = Math.round(1e4 * (0.3 * normal(rng) + i / 1000)) / 1e4;
        all.push({ residual, arrival });
        window.add(residual, arrival);
        if (i % 50 !== 49) continue;
        const sorted = kept(all).toSorted((a, b) => a - b);
        expect(window.size).toBe(sorted.length);
        for (const level of [0.05, 0.5, 0.9, 0.97]) {
          const rank = Math.min(sorted.length - 1, Math.max(0, level * (sorted.length + 1) - 1));
          const [low, high] = [sorted[Math.floor(rank)]!, sorted[Math.ceil(rank)]!];
          expect(window.quantile(level)).toBeCloseTo(low + (rank % 1) * (high - low), 9);
        }
      }
    },
  );

  it('has the factor with the least relative error, as a search over factors finds it', () => {
    const rng = seededRng(7);
    const window = new ResidualWindow();
    const residuals: number[] = [];
    for (let i = 0; i < 400; i++) {
      // two humps, as a short answer meets a prompt or does not
      const residual = rng() < 0.6 ? 0.1 * normal(rng) : 1 + 0.3 * normal(rng);
      residuals.push(residual);
      window.add(residual, 1000 + i);
    }
    const grid = Array.from({ length: 301 }, (_, i) => -1 + i / 100);
    const least = Math.min(...grid.map((factor) => relativeError(residuals, factor)));
    expect(relativeError(residuals, window.relativeMedian())).toBeLessThanOrEqual(least + 1e-3);
    // and not where it is right as often as not
    const median = residuals.toSorted((a, b) => a - b)[200]!;
    expect(window.relativeMedian()).toBeLessThan(median);
  });

  it('reaches any residual at some level, and rises with the level everywhere', () => {
    const window = new ResidualWindow();
    expect(window.quantile(0.9)).toBe(0);
    expect(window.relativeMedian()).toBe(0);
    for (let i = 0; i < 100; i++) window.add(i % 2 === 0 ? 0.1 : 0.2, 1000 + i);
    const levels = Array.from({ length: 61 }, (_, i) => -1 + i / 20);
    const quantiles = levels.map((level) => window.quantile(level));
    expect(quantiles).toEqual(quantiles.toSorted((a, b) => a - b));
    expect(window.quantile(2)).toBeGreaterThan(1);
    expect(window.quantile(-1)).toBeLessThan(-0.8);
  });

  it('is not moved by one absurd time', () => {
    const window = new ResidualWindow();
    for (let i = 0; i < 200; i++) window.add(0.5, 1000 + i);
    window.add(-20, 1200);
    window.add(20, 1201);
    expect(window.relativeMedian()).toBe(0.5);
  });
});
