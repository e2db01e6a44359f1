import { describe, expect, it } from '@jest/globals';
import { bestRows, estimate, metric, METRICS } from './metrics.ts';
import { resultWith } from './testing/results.ts';

const all = (): boolean => true;

describe('metrics', () => {
  it('have ids of their own, and say so when one is unknown', () => {
    expect(new Set(METRICS.map(({ id }) => id)).size).toBe(METRICS.length);
    expect(() => metric('speed')).toThrow(/no metric 'speed'/);
  });

  it('are means with intervals; infinite in one seed is infinite', () => {
    const runs = [10, 20, 30].map((p99) => resultWith({ ttftP99: p99 }));
    expect(estimate(runs, metric('ttft-p99'))!.mean).toBe(20);
    expect(estimate(runs, metric('ttft-p99'))!.halfWidth).toBeCloseTo((4.303 * 10) / Math.sqrt(3), 2);
    expect(estimate([...runs, resultWith({ ttftP99: null })], metric('ttft-p99'))).toBeNull();
    expect(estimate([], metric('ttft-p99'))).toBeNull();
    expect(estimate(runs.slice(0, 1), metric('ttft-p99'))).toEqual({ mean: 10, halfWidth: null });
  });

  it('mark the best as it is shown, equals alike', () => {
    const ttft = metric('ttft-p99');
    expect(bestRows([30.2, 29.9, 40, null], ttft, all)).toEqual(new Set([0, 1]));
    expect(bestRows([1, 2, 3], metric('goodput'), all)).toEqual(new Set([2]));
  });

  it('mark none where all are equal, none is finite, or nobody competes', () => {
    const ttft = metric('ttft-p99');
    expect(bestRows([5, 5], ttft, all).size).toBe(0);
    expect(bestRows([null, null], ttft, all).size).toBe(0);
    expect(bestRows([5, 6], ttft, () => false).size).toBe(0);
    expect(bestRows([7], ttft, all).size).toBe(0);
  });

  it('leave the oracle out, and do not call equals behind it best', () => {
    const deployable = (row: number): boolean => row !== 0;
    expect(bestRows([1, 5, 6], metric('ttft-p99'), deployable)).toEqual(new Set([1]));
    expect(bestRows([1, 5, 5], metric('ttft-p99'), deployable).size).toBe(0);
  });
});
