import { describe, expect, it } from '@jest/globals';
import { wholeTokens } from './whole-tokens.ts';

describe('wholeTokens', () => {
  it.each([
    [0, 0],
    [0.49, 0],
    [0.5, 1],
    [7.5, 8],
    [1e9, 1e9],
    [-0.7, 0],
    [-3, 0],
    [NaN, 0],
    [Infinity, 0],
    [-Infinity, 0],
  ])('%d is %d', (tokens, whole) => {
    expect(wholeTokens(tokens)).toBe(whole);
  });
});
