import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { SimulatedRequest } from '../api.ts';
import { pooledHits, PooledLru } from './pooled-lru.ts';

const BLOCK_TOKENS = 32;
const requestOf = (blocks: readonly number[], promptTokens: number, outputTokens = 8): SimulatedRequest => ({
  arrivalMs: 0,
  blocks,
  blockTokens: BLOCK_TOKENS,
  promptTokens,
  outputTokens,
  session: null,
});

/** The same with a list of entries named by the whole chain of ids, oldest first. */
class NaiveLru {
  private entries: { chain: string; tokens: number }[] = [];
  private tails = 0;
  private readonly capacityTokens: number;

  constructor(capacityTokens: number) {
    this.capacityTokens = capacityTokens;
  }

  access({ blocks, promptTokens, outputTokens }: SimulatedRequest): number {
    const runs = blocks
      .slice(0, Math.ceil(promptTokens / BLOCK_TOKENS))
      .map((_, k) => ({
        chain: blocks.slice(0, k + 1).join('/'),
        tokens: Math.min(BLOCK_TOKENS, promptTokens - k * BLOCK_TOKENS),
      }));
    let found = 0;
    for (const { chain, tokens } of runs) {
      const held = this.entries.find((entry) => entry.chain === chain)?.tokens ?? 0;
      found += Math.min(held, tokens);
      if (held < tokens) break;
    }
    const unique = Math.max(0, promptTokens - runs.length * BLOCK_TOKENS) + outputTokens;
    this.entries.push({ chain: `tail ${this.tails++}`, tokens: unique });
    for (const { chain, tokens } of runs.reverse()) {
      const held = this.entries.find((entry) => entry.chain === chain)?.tokens ?? 0;
      this.entries = this.entries.filter((entry) => entry.chain !== chain);
      this.entries.push({ chain, tokens: Math.max(held, tokens) });
    }
    while (this.entries.reduce((sum, { tokens }) => sum + tokens, 0) > this.capacityTokens) this.entries.shift();
    return found;
  }
}

describe('PooledLru', () => {
  it('finds what the naive reference finds', () => {
    const request = fc
      .record({
        blocks: fc.array(fc.nat(3), { maxLength: 6 }),
        promptTokens: fc.integer({ min: 1, max: 220 }),
        outputTokens: fc.integer({ min: 1, max: 40 }),
      })
      .map(({ blocks, promptTokens, outputTokens }) => requestOf(blocks, promptTokens, outputTokens));
    const property = fc.property(
      fc.array(request, { minLength: 1, maxLength: 120 }),
      fc.constantFrom(0, 100, 400, 1500, 1e6),
      (requests, capacityTokens) => {
        const [cache, reference] = [new PooledLru(capacityTokens), new NaiveLru(capacityTokens)];
        const found = requests.map((each) => cache.access(each));
        expect(found).toEqual(requests.map((each) => reference.access(each)));
      },
    );
    fc.assert(property, { seed: 20261124, numRuns: 150 });
  });
});

describe('pooledHits', () => {
  it('counts whole blocks, and never the last token', () => {
    const requests = [requestOf([1, 2], 64), requestOf([1, 2], 64), requestOf([1, 2], 60), requestOf([1, 3, 2], 96)];
    expect([...pooledHits(requests, 1e6, 16)]).toEqual([0, 48, 48, 32]);
  });

  it('holds no more than its capacity: two prompts in turn in room for one', () => {
    const turns = Array.from({ length: 6 }, (_, i) => requestOf([i % 2], 32, 8));
    expect([...pooledHits(turns, 100, 16)]).toEqual([0, 0, 16, 16, 16, 16]);
    expect([...pooledHits(turns, 40, 16)]).toEqual([0, 0, 0, 0, 0, 0]);
  });
});
