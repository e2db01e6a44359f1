import { describe, expect, it } from '@jest/globals';
import { playTrace } from './recorded-trace.ts';

describe('playTrace', () => {
  const rounded = {
    blockTokens: 512,
    quantumMs: 3000,
    requests: [
      { timestampMs: 9000, promptTokens: 1000, outputTokens: 10, blocks: [0, 1] },
      { timestampMs: 9000, promptTokens: 600, outputTokens: 0, blocks: [0, 2] },
      { timestampMs: 6000, promptTokens: 512 * 4, outputTokens: 5, blocks: [3, 4, 5, 6] },
    ],
  };
  const requests = playTrace(rounded, { speed: 2, seed: 5, kvTokens: 2000 });

  it('starts at 0, spreads timestamps over their quantum, scales them and orders by them', () => {
    expect(requests.map(({ blocks }) => blocks[0])).toEqual([3, 0, 0]);
    const [first, second, third] = requests.map(({ arrivalMs }) => arrivalMs);
    expect(first! >= 0 && first! < 1500).toBe(true);
    expect(second! >= 1500 && third! >= second! && third! < 3000).toBe(true);
    expect(second).not.toBe(third);
  });

  it('is another play with another seed, and the same with the same', () => {
    expect(playTrace(rounded, { speed: 2, seed: 5, kvTokens: 2000 })).toEqual(requests);
    expect(playTrace(rounded, { speed: 2, seed: 6, kvTokens: 2000 })).not.toEqual(requests);
  });

  it('caps prompts, and gives every request a token to put out', () => {
    expect(requests[0]!.promptTokens).toBe(1800);
    expect(requests.map(({ outputTokens }) => outputTokens).sort()).toEqual([1, 10, 5]);
  });

  it('leaves exact timestamps where they are', () => {
    const exact = {
      blockTokens: 16,
      quantumMs: 0,
      requests: [
        { timestampMs: 10_500, promptTokens: 100, outputTokens: 2, blocks: [] },
        { timestampMs: 10_000, promptTokens: 0, outputTokens: 1, blocks: [] },
      ],
    };
    expect(playTrace(exact, { speed: 2, seed: 1, kvTokens: 2000 })).toMatchObject([
      { arrivalMs: 0, blocks: [], promptTokens: 1 },
      { arrivalMs: 250, blocks: [], promptTokens: 100 },
    ]);
  });
});
