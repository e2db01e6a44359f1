import { describe, expect, it } from '@jest/globals';
import { seededRng } from '@sluice/numerics';
import { LatencyHistogram } from './latency-histogram.ts';
import { RecentLatency, SLOT_MS, SLOTS } from './recent-latency.ts';

const attempt = (e2eMs: number, completed = true) => ({ completed, ttftMs: e2eMs / 2, tpotMs: null, e2eMs });
/** The smallest sample that is not exceeded by `share` of them. */
const exact = (sorted: readonly number[], share: number): number => sorted[Math.ceil(share * sorted.length) - 1]!;

describe('LatencyHistogram', () => {
  it('says the quantiles of any sample within the width of a bucket', () => {
    const rng = seededRng(5);
    for (const n of [1, 2, 10, 1000]) {
      const histogram = new LatencyHistogram();
      const sorted = Array.from({ length: n }, () => 10 ** (rng() * 5)).sort((a, b) => a - b);
      for (const ms of sorted) histogram.add(ms);
      const found = histogram.quantiles()!;
      [0.5, 0.9, 0.95, 0.99].forEach((share, i) => {
        expect(Math.abs(Math.log(found[i]! / exact(sorted, share)))).toBeLessThan(0.08);
      });
    }
  });

  it('takes what is beyond its range, and knows nothing of nothing', () => {
    const histogram = new LatencyHistogram();
    expect(histogram.quantiles()).toBeNull();
    histogram.add(0);
    histogram.add(1e12);
    expect(histogram.total).toBe(2);
    expect(histogram.quantiles()![3]).toBeCloseTo(1e6, -5);
  });
});

describe('RecentLatency', () => {
  it('keeps each pool and all together, slot by slot', () => {
    const recent = new RecentLatency();
    recent.add('a', attempt(100), 0);
    recent.add('b', attempt(400), 10);
    recent.add('b', attempt(1, false), SLOT_MS);
    const [all, a, b] = recent.view(0, 2 * SLOT_MS);
    expect([all!.pool, a!.pool, b!.pool]).toEqual(['', 'a', 'b']);
    expect(all!.slots.map(({ completed, failed }) => [completed, failed])).toEqual([
      [2, 0],
      [0, 1],
    ]);
    expect(a!.slots[0]).toMatchObject({ startMs: 0, durationMs: SLOT_MS, tpotMs: null });
    expect(a!.slots[0]!.e2eMs![0]).toBeGreaterThan(92);
    expect(a!.slots[0]!.e2eMs![0]).toBeLessThan(108);
    expect(b!.windows.map(({ completed, failed }) => [completed, failed])).toEqual([
      [1, 1],
      [1, 1],
      [1, 1],
    ]);
  });

  it('tells only the slots that were closed since, and forgets what is too old', () => {
    const recent = new RecentLatency();
    recent.add('a', attempt(100), 0);
    expect(recent.view(3 * SLOT_MS, 5 * SLOT_MS)[0]!.slots.map(({ startMs }) => startMs / SLOT_MS)).toEqual([3, 4]);
    expect(recent.view(5 * SLOT_MS, 5 * SLOT_MS)[0]!.slots).toEqual([]);
    const later = recent.view(0, SLOTS * SLOT_MS)[0]!;
    expect(later.slots).toHaveLength(SLOTS - 1);
    expect(later.windows[2]!.completed).toBe(0);
    recent.add('a', attempt(100), SLOTS * SLOT_MS);
    expect(recent.view(0, (SLOTS + 1) * SLOT_MS)[0]!.windows[2]!.completed).toBe(1);
  });
});
