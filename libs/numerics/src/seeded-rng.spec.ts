import { describe, expect, it } from '@jest/globals';
import { seededRng } from './seeded-rng.ts';

describe('seededRng', () => {
  it('gives equal sequences for equal seeds and different ones for neighbouring seeds', () => {
    const take = (seed: number): number[] => Array.from({ length: 5 }, seededRng(seed));
    expect(take(7)).toEqual(take(7));
    expect(take(7)).not.toEqual(take(8));
  });

  it('is uniform in [0, 1): 64 bins of 1e5 draws pass a chi-squared test at 0.1 %', () => {
    const rng = seededRng(1);
    const bins = new Uint32Array(64);
    for (let i = 0; i < 100_000; i++) bins[Math.floor(rng() * 64)]!++;
    const expected = 100_000 / 64;
    const chi2 = bins.reduce((sum, n) => sum + (n - expected) ** 2 / expected, 0);
    expect(chi2).toBeLessThan(103.4); // 63 degrees of freedom
  });
});
