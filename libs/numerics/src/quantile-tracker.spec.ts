import { describe, expect, it } from '@jest/globals';
import { QuantileTracker } from './quantile-tracker.ts';
import { normal } from './normal.ts';
import { seededRng } from './seeded-rng.ts';

describe('QuantileTracker', () => {
  it('covers the stated share, before and after the distribution shifts', () => {
    const rng = seededRng(5);
    const tracker = new QuantileTracker(0.9, 0.4);
    const coverage = (mean: number, deviation: number): number => {
      let covered = 0;
      for (let i = 0; i < 4000; i++) {
        const sample = mean + deviation * normal(rng);
        if (i >= 1000 && sample <= tracker.value) covered++;
        tracker.observe(sample);
      }
      return covered / 3000;
    };
    expect(coverage(0, 0.2)).toBeCloseTo(0.9, 1);
    expect(coverage(0.7, 0.5)).toBeCloseTo(0.9, 1);
    const before = tracker.value;
    tracker.observe(NaN);
    expect(tracker.value).toBe(before);
  });
});
