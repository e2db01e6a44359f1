import { describe, expect, it } from '@jest/globals';
import { promptTokensOf } from './prompt-tokens.ts';

describe('promptTokensOf', () => {
  const of = (blocks: number[], promptTokens: number, index: number) =>
    promptTokensOf({ arrivalMs: 0, blocks, blockTokens: 8, promptTokens, outputTokens: 1, session: null }, index);

  it('repeats the run of an id, and nothing else', () => {
    const [a, b] = [of([1, 2], 20, 0), of([1, 3], 20, 1)];
    expect(a.subarray(0, 8)).toEqual(b.subarray(0, 8));
    expect(a.subarray(8).some((token, i) => token === b[8 + i])).toBe(false);
    expect(of([1, 2], 12, 2)).toEqual(a.subarray(0, 12));
    expect(of([1, 2], 20, 2).subarray(0, 16)).toEqual(a.subarray(0, 16));
  });
});
