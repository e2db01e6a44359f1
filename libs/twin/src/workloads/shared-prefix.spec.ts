import { describe, expect, it } from '@jest/globals';
import { b2bWorkload } from './shared-prefix.ts';

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

describe('b2bWorkload', () => {
  const unique = b2bWorkload({ qps: 7, verbatim: false, seed: 1 });
  const verbatim = b2bWorkload({ qps: 7, verbatim: true, seed: 1 });

  it('arrives as a Poisson process over warm-up and measurement', () => {
    expect(unique.length).toBeGreaterThan(3500 - 4 * 60);
    expect(unique.length).toBeLessThan(3500 + 4 * 60);
    const gaps = unique.slice(1).map(({ arrivalMs }, i) => arrivalMs - unique[i]!.arrivalMs);
    const average = mean(gaps);
    const deviation = Math.sqrt(mean(gaps.map((gap) => (gap - average) ** 2)));
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(0);
    expect(deviation / average).toBeCloseTo(1, 1);
    expect(unique.at(-1)!.arrivalMs).toBeLessThan(500_000);
  });

  it('shares the system prompt within a group, and verbatim questions within a user', () => {
    expect(new Set(unique.map(({ blocks }) => blocks[0])).size).toBe(150);
    expect(new Set(unique.map(({ session }) => session)).size).toBeGreaterThan(700);
    expect(new Set(verbatim.map(({ blocks }) => blocks.join())).size).toBe(
      new Set(verbatim.map(({ session }) => session)).size,
    );
    const [first] = unique;
    expect(first).toMatchObject({ blockTokens: 1200, promptTokens: 7200, outputTokens: 1000 });
    expect(first!.blocks).toHaveLength(5);
    expect(verbatim[0]!.blocks).toHaveLength(6);
  });
});
