import { describe, expect, it } from '@jest/globals';
import { reasoningWorkload } from './reasoning.ts';

describe('reasoningWorkload', () => {
  it('has short prompts and long answers of the published shape', () => {
    const requests = reasoningWorkload({ qps: 20, seed: 2 });
    const outputs = requests.map(({ outputTokens }) => outputTokens).sort((a, b) => a - b);
    expect(outputs[outputs.length >> 1]! / Math.exp(7.2)).toBeCloseTo(1, 1);
    expect(outputs[0]).toBeGreaterThanOrEqual(50);
    expect(outputs.at(-1)).toBe(12_000);
    const prompts = requests.map(({ promptTokens }) => promptTokens);
    expect([Math.min(...prompts), Math.max(...prompts)]).toEqual([200, 1000]);
  });
});
