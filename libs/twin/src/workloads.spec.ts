import { describe, expect, it } from '@jest/globals';
import { promptTokensOf } from './prompt-tokens.ts';
import { b2bWorkload, reasoningWorkload } from './synthetic-workloads.ts';
import { fromAzure, fromMooncake } from './trace-workloads.ts';

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

describe('fromMooncake', () => {
  const rows = [
    { timestampMs: 3000, inputTokens: 1000, outputTokens: 10, hashIds: [0, 1] },
    { timestampMs: 3000, inputTokens: 600, outputTokens: 0, hashIds: [0, 2] },
    { timestampMs: 0, inputTokens: 512 * 4, outputTokens: 5, hashIds: [3, 4, 5, 6] },
  ];
  const requests = fromMooncake(rows, { speed: 2, jitterSeed: 5, kvTokens: 2000 });

  it('spreads timestamps over their quantum, scales them and orders by them', () => {
    expect(requests.map(({ blocks }) => blocks[0])).toEqual([3, 0, 0]);
    const [first, second, third] = requests.map(({ arrivalMs }) => arrivalMs);
    expect(first! >= 0 && first! < 1500).toBe(true);
    expect(second! >= 1500 && third! >= second! && third! < 3000).toBe(true);
    expect(second).not.toBe(third);
  });

  it('caps prompts, and gives every request a token to put out', () => {
    expect(requests[0]!.promptTokens).toBe(1800);
    expect(requests.map(({ outputTokens }) => outputTokens).sort()).toEqual([1, 10, 5]);
  });
});

describe('fromAzure', () => {
  it('starts at 0 and shares nothing', () => {
    const rows = [
      { timestampMs: 10_500, inputTokens: 100, outputTokens: 2 },
      { timestampMs: 10_000, inputTokens: 50, outputTokens: 1 },
    ];
    expect(fromAzure(rows, { speed: 2 })).toMatchObject([
      { arrivalMs: 0, blocks: [], promptTokens: 50 },
      { arrivalMs: 250, blocks: [], promptTokens: 100 },
    ]);
  });
});

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
