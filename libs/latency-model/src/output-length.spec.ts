import { describe, expect, it } from '@jest/globals';
import { seededRng } from '@sluice/numerics';
import { OutputLengths } from './output-length.ts';
import type { RequestClass } from './output-length.ts';

const CLASS: RequestClass = { maxTokens: null, promptTokens: 1000, streamed: true, sessionHash: null };

/** Root mean squared error of the estimates and of the mean of all, over the second half of `count` answers. */
function errors(count: number, next: () => readonly [RequestClass, number]): { own: number; mean: number } {
  const lengths = new OutputLengths(200);
  let own = 0;
  let mean = 0;
  for (let i = 0; i < count; i++) {
    const [request, tokens] = next();
    if (i >= count / 2) {
      own += (lengths.estimate(request).mean - tokens) ** 2;
      mean += (lengths.mean - tokens) ** 2;
    }
    lengths.observe(request, tokens);
  }
  return { own: Math.sqrt((2 * own) / count), mean: Math.sqrt((2 * mean) / count) };
}

describe('OutputLengths', () => {
  const exponential = (rng: () => number, mean: number): number => 1 - mean * Math.log(1 - rng());

  it('is the prior before answers, within the limit of the request', () => {
    const lengths = new OutputLengths(200);
    expect(lengths.estimate(CLASS)).toEqual({ mean: 200, variance: 40_000 });
    expect(lengths.estimate({ ...CLASS, maxTokens: 16 }).mean).toBe(16);
    lengths.startFrom(300);
    expect(lengths.mean).toBe(300);
    lengths.startFrom(NaN);
    expect(lengths.mean).toBe(300);
  });

  it('tells classes apart by limit, prompt length and streaming, and knows how sure it is', () => {
    const kinds: [RequestClass, number][] = [
      [{ ...CLASS, maxTokens: 4096 }, 900],
      [{ ...CLASS, maxTokens: 64 }, 20],
      [{ ...CLASS, promptTokens: 30_000 }, 60],
      [{ ...CLASS, streamed: false }, 300],
    ];
    const rng = seededRng(7);
    const lengths = new OutputLengths(200);
    for (let i = 0; i < 4000; i++) {
      const [request, mean] = kinds[Math.floor(4 * rng())]!;
      lengths.observe(request, exponential(rng, mean));
    }
    for (const [request, mean] of kinds) {
      const estimate = lengths.estimate(request);
      expect(Math.abs(estimate.mean / mean - 1)).toBeLessThan(0.35);
      expect(Math.sqrt(estimate.variance) / mean).toBeGreaterThan(0.6);
      expect(Math.sqrt(estimate.variance) / mean).toBeLessThan(2);
    }
    // one never seen is like the pool
    const never = lengths.estimate({ ...CLASS, promptTokens: 8, maxTokens: 100_000 });
    expect(never.mean).toBeCloseTo(lengths.mean, 9);
  });

  it('follows sessions that keep to their length, and forgets the ones that others took the place of', () => {
    const rng = seededRng(8);
    const { own, mean } = errors(6000, () => {
      const session = Math.floor(40 * rng());
      return [{ ...CLASS, sessionHash: session }, 20 + 40 * session + 30 * rng()];
    });
    expect(own).toBeLessThan(0.3 * mean);
    const lengths = new OutputLengths(200);
    for (let i = 0; i < 2000; i++) {
      lengths.observe({ ...CLASS, sessionHash: 1 + (i % 2) }, i % 2 === 0 ? 10 : 1000);
    }
    expect(lengths.estimate({ ...CLASS, sessionHash: 1 }).mean).toBeLessThan(200);
    lengths.observe({ ...CLASS, sessionHash: 1 + 4096 }, 500);
    expect(lengths.estimate({ ...CLASS, sessionHash: 1 }).mean).toBeGreaterThan(300);
  });

  it('is no worse than the mean of the pool where class and session say nothing', () => {
    for (const seed of [1, 2, 3]) {
      const rng = seededRng(seed);
      const { own, mean } = errors(4000, () => [
        { ...CLASS, promptTokens: 2 ** Math.floor(15 * rng()), sessionHash: Math.floor(200 * rng()) },
        exponential(rng, 250),
      ]);
      expect(own).toBeLessThan(1.02 * mean);
    }
  });

  it('takes over lengths that change, and no answer that is none', () => {
    const lengths = new OutputLengths(200);
    for (let i = 0; i < 500; i++) lengths.observe(CLASS, 100);
    for (let i = 0; i < 500; i++) lengths.observe(CLASS, 800);
    expect(lengths.estimate(CLASS).mean).toBeGreaterThan(700);
    const before = lengths.estimate(CLASS);
    for (const tokens of [0, NaN, Infinity, -3]) lengths.observe(CLASS, tokens);
    expect(lengths.estimate(CLASS)).toEqual(before);
  });
});
