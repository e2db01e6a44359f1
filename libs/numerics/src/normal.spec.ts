import { describe, expect, it } from '@jest/globals';
import { normal, normalOf } from './normal.ts';
import { seededRng } from './seeded-rng.ts';

describe('normal', () => {
  it('has the moments of the standard normal', () => {
    const rng = seededRng(1);
    const values = Array.from({ length: 200_000 }, () => normal(rng));
    const moment = (power: number): number => values.reduce((sum, x) => sum + x ** power, 0) / values.length;
    expect(moment(1)).toBeCloseTo(0, 1);
    expect(moment(2)).toBeCloseTo(1, 1);
    expect(moment(3)).toBeCloseTo(0, 1);
    expect(Math.abs(moment(4) - 3)).toBeLessThan(0.1);
  });

  it('takes its two numbers in order and is finite at the ends', () => {
    const drawn = [0.3, 0.8];
    expect(normal(() => drawn.shift()!)).toBe(normalOf(0.3, 0.8));
    expect(drawn).toEqual([]);
    expect(Math.abs(normalOf(0, 0))).toBe(0);
    expect(Number.isFinite(normalOf(1 - 2 ** -53, 0))).toBe(true);
  });
});
