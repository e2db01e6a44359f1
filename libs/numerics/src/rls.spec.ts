import { describe, expect, it } from '@jest/globals';
import { Rls } from './rls.ts';
import { normal } from './normal.ts';
import { seededRng } from './seeded-rng.ts';

describe('Rls', () => {
  const make = (): Rls => new Rls({ dimension: 3, start: 1, variance: 1, lowerBound: 0 });

  it('agrees with batch least squares regularised towards the start', () => {
    const rng = seededRng(7);
    const rls = make();
    const rows: number[][] = [];
    const samples: number[] = [];
    for (let i = 0; i < 40; i++) {
      const row = [rng(), rng(), rng()];
      const sample = 0.5 * row[0]! + 2 * row[1]! + 1.2 * row[2]! + 0.05 * normal(rng);
      rows.push(row);
      samples.push(sample);
      rls.update(Float64Array.from(row), sample, 0.01, 1);
    }
    // Gradient of sum((y - x*b)^2)/0.01 + sum((b - 1)^2)/1 vanishes at the estimate.
    for (let k = 0; k < 3; k++) {
      let gradient = rls.coefficients[k]! - 1;
      rows.forEach((row, i) => {
        gradient -= (row[k]! * (samples[i]! - rls.predict(Float64Array.from(row)))) / 0.01;
      });
      expect(Math.abs(gradient)).toBeLessThan(1e-6);
    }
  });

  it('keeps an unexcited coefficient at its start however long it forgets', () => {
    const rls = make();
    for (let i = 0; i < 5000; i++) rls.update(Float64Array.of(1, 2, 0), 7, 0.01, 0.9);
    expect(rls.coefficients[2]).toBe(1);
    expect(rls.predict(Float64Array.of(1, 2, 0))).toBeCloseTo(7, 3);
    expect(rls.variance(Float64Array.of(0, 0, 1))).toBeLessThanOrEqual(1);
    // and still learns it at once when it is excited
    rls.update(Float64Array.of(0, 0, 1), 3, 0.01, 0.9);
    expect(rls.coefficients[2]).toBeCloseTo(3, 1);
  });

  it('never goes below its bound, and fits the rest given that', () => {
    const rls = make();
    const rng = seededRng(3);
    for (let i = 0; i < 300; i++) {
      const x = Float64Array.of(rng(), rng(), rng());
      rls.update(x, 2 * x[0]! - 0.5 * x[1]! + x[2]!, 0.01, 1);
      for (const coefficient of rls.coefficients) expect(coefficient).toBeGreaterThanOrEqual(0);
    }
    expect(rls.coefficients[1]).toBe(0);
    expect(rls.coefficients[0]).toBeGreaterThan(1.3);
  });

  it('can be stored and goes on identically', () => {
    const first = make();
    first.update(Float64Array.of(1, 0.3, 2), 5, 0.1, 0.99);
    const second = make();
    second.restore(JSON.parse(JSON.stringify(first.toState())));
    for (const rls of [first, second]) rls.update(Float64Array.of(0.2, 1, 0.1), 2, 0.1, 0.99);
    expect(second.toState()).toEqual(first.toState());
  });
});
