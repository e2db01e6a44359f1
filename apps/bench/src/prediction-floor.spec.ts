import { describe, expect, it } from '@jest/globals';
import { seededRng } from '@sluice/numerics';
import type { SimulatedRequest } from '@sluice/twin';
import { afterAlikeMoments, between, leastErrors, otherPrompts } from './prediction-floor.ts';

const requestAt = (arrivalMs: number, promptTokens = 100): SimulatedRequest => ({
  arrivalMs,
  promptTokens,
  outputTokens: 10,
  blocks: [],
  blockTokens: 16,
  session: null,
});

describe('leastErrors', () => {
  it('is nothing where the future does not matter, and says of each what the others show', () => {
    expect(leastErrors([20, 20, 20])).toEqual([0, 0, 0]);
    // 10 of 10, 10 and 30; and of the one that is 30 the others say 10
    expect(leastErrors([10, 10, 10, 30])).toEqual([0, 0, 0, 2 / 3]);
  });
});

describe('otherPrompts', () => {
  it('keeps the times and the prompts, not which comes when', () => {
    const requests = Array.from({ length: 50 }, (_, i) => requestAt(100 * i, i));
    const made = otherPrompts(requests, 990, 2000, seededRng(1));
    const real = between(requests, 990, 2990);
    expect(made.map(({ arrivalMs }) => arrivalMs)).toEqual(real.map(({ arrivalMs }) => arrivalMs));
    const prompts = made.map(({ promptTokens }) => promptTokens);
    expect(prompts.toSorted((a, b) => a - b)).toEqual(real.map(({ promptTokens }) => promptTokens));
    expect(prompts).not.toEqual(real.map(({ promptTokens }) => promptTokens));
  });
});

describe('afterAlikeMoments', () => {
  it('finds moments as busy as this one, and what came after them', () => {
    // a second of 20 requests every 10 s; each first of a burst is longer by its burst's number
    const requests = Array.from({ length: 12 }, (_, burst) =>
      Array.from({ length: 20 }, (_, i) => requestAt(10_000 * burst + 50 * i, 100 + burst)),
    ).flat();
    const futures = afterAlikeMoments(requests, 60_500, 3000, 4);
    expect(futures).toHaveLength(4);
    for (const future of futures) {
      // the other half of a burst, at the times of this one's
      expect(future).toHaveLength(9);
      expect(future[0]!.arrivalMs).toBe(60_550);
      expect(future[0]!.promptTokens).not.toBe(106);
    }
  });
});
