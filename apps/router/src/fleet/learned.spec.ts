import { describe, expect, it } from '@jest/globals';
import { Learned } from './learned.ts';

describe('Learned', () => {
  it('follows the bytes per token of a pool\u2019s prompts', () => {
    const learned = new Learned();
    for (let i = 0; i < 200; i++) learned.prompt(3000, 1000);
    expect(learned.bytesPerToken).toBeCloseTo(3, 1);
  });

  it('learns nothing from prompts that are not what their engine read', () => {
    const learned = new Learned();
    const before = learned.bytesPerToken;
    for (const [bytes, tokens] of [
      [8_000_000, 10],
      [17_000, 1000],
      [10, 1000],
      [0, 5],
      [5, 0],
      [0, 0],
    ] as const) {
      learned.prompt(bytes, tokens);
    }
    expect(learned.bytesPerToken).toBe(before);
  });
});
