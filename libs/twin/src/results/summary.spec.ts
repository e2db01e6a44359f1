import { describe, expect, it } from '@jest/globals';
import { confidence95, summarize } from './summary.ts';

describe('summarize', () => {
  it('takes exact percentiles by nearest rank', () => {
    const values = Array.from({ length: 1000 }, (_, i) => 1000 - i);
    expect(summarize(values)).toEqual({ mean: 500.5, p50: 500, p90: 900, p99: 990, p999: 999 });
    expect(summarize([7])).toEqual({ mean: 7, p50: 7, p90: 7, p99: 7, p999: 7 });
  });

  it('has no value where it is infinite', () => {
    expect(summarize([1, 2, 3, Infinity])).toEqual({ mean: null, p50: 2, p90: null, p99: null, p999: null });
  });
});

describe('confidence95', () => {
  it('is the interval of Student for a few seeds', () => {
    // deviation 1.5811, t(4) 2.776
    const interval = confidence95([1, 2, 3, 4, 5])!;
    expect(interval.mean).toBe(3);
    expect(interval.halfWidth).toBeCloseTo((2.776 * Math.sqrt(2.5)) / Math.sqrt(5), 9);
  });

  it('goes over into the expansion, which agrees with tables', () => {
    const values = (count: number) => Array.from({ length: count }, (_, i) => (i % 2 === 0 ? 1 : -1));
    const t = (count: number) => {
      const deviation = Math.sqrt(count / (count - 1));
      return (confidence95(values(count))!.halfWidth! / deviation) * Math.sqrt(count);
    };
    expect(t(32)).toBeCloseTo(2.0395, 3);
    expect(t(62)).toBeCloseTo(1.9996, 3);
  });

  it('knows no width of one value, and nothing of none', () => {
    expect(confidence95([3])).toEqual({ mean: 3, halfWidth: null });
    expect(confidence95([])).toBeNull();
  });
});
