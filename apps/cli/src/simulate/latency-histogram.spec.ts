import { describe, expect, it } from '@jest/globals';
import { seededRng } from '@sluice/numerics';
import { summarize } from '@sluice/twin';
import { cdfOf, histogramOf, mergeHistograms } from './latency-histogram.ts';

const WIDTH = 10 ** (1 / 64);

describe('latency histogram', () => {
  it('has every percentile within the width of a bin', () => {
    const rng = seededRng(3);
    const values = Array.from({ length: 5000 }, () => 10 ** (4 * rng()));
    const points = cdfOf(histogramOf(values));
    const exact = summarize(values);
    for (const [share, value] of [
      [0.5, exact.p50],
      [0.9, exact.p90],
      [0.99, exact.p99],
      [0.999, exact.p999],
    ] as const) {
      const { ms } = points.find((point) => point.share >= share)!;
      expect(ms).toBeGreaterThanOrEqual(value! * 0.9999);
      expect(ms).toBeLessThanOrEqual(value! * WIDTH * 1.0001);
    }
    expect(points.at(-1)!.share).toBe(1);
  });

  it('counts failed requests in the whole, and leaves out what has no value', () => {
    const { total, bins } = histogramOf([10, Infinity, NaN, 10]);
    expect(total).toBe(3);
    expect(cdfOf({ total, bins })).toEqual([{ ms: expect.closeTo(10, 5), share: 2 / 3 }]);
  });

  it('adds up runs as if they were one', () => {
    const [a, b] = [
      [1, 5, 90, Infinity],
      [5, 4000, 0],
    ];
    expect(mergeHistograms([histogramOf(a!), histogramOf(b!)])).toEqual(histogramOf([...a!, ...b!]));
    expect(cdfOf(mergeHistograms([]))).toEqual([]);
  });
});
