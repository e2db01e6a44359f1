import { describe, expect, it } from '@jest/globals';
import { rootKey, spanKey } from '@sluice/model';
import fc from 'fast-check';
import type { SimulatedRequest } from '../api.ts';
import { ByteChain, ENGINE_ROOT, isOutput, RunChain } from './block-chain.ts';
import { outputToken, promptTokensOf } from './prompt-tokens.ts';

const OUTPUT_TOKENS = 100;

const request = fc.record({
  arrivalMs: fc.constant(0),
  // few ids, so that prefixes are shared
  blocks: fc.array(fc.integer({ min: 0, max: 1 }), { maxLength: 8 }),
  blockTokens: fc.constantFrom(8, 24, 100),
  promptTokens: fc.integer({ min: 1, max: 500 }),
  outputTokens: fc.constant(OUTPUT_TOKENS),
  session: fc.constant(null),
});
const blockSize = fc.constantFrom(5, 8, 16, 24, 64);

/** Prompt and output, token by token. */
function textOf(given: SimulatedRequest, index: number): number[] {
  const output = Array.from({ length: OUTPUT_TOKENS }, (_, position) => outputToken(index, position));
  return [...promptTokensOf(given, index), ...output];
}

const fullBlocks = (given: SimulatedRequest, size: number): number =>
  Math.floor((given.promptTokens + OUTPUT_TOKENS) / size);

const keysOf = (keys: Int32Array, count: number): string[] =>
  Array.from({ length: count }, (_, block) => `${keys[2 * block]}/${keys[2 * block + 1]}`);

describe('RunChain', () => {
  it('gives two blocks one key when, and only when, the text up to their end is the same', () => {
    fc.assert(
      fc.property(fc.array(request, { minLength: 2, maxLength: 6 }), blockSize, (requests, size) => {
        const textOfKey = new Map<string, string>();
        const keyOfText = new Map<string, string>();
        let contradictions = 0;
        for (const [index, given] of requests.entries()) {
          const text = textOf(given, index);
          const count = fullBlocks(given, size);
          for (const [block, key] of keysOf(new RunChain(given, index, size).keys(count), count).entries()) {
            const upToHere = text.slice(0, (block + 1) * size).join();
            if ((textOfKey.get(key) ?? upToHere) !== upToHere) contradictions++;
            if ((keyOfText.get(upToHere) ?? key) !== key) contradictions++;
            textOfKey.set(key, upToHere);
            keyOfText.set(upToHere, key);
          }
        }
        expect(contradictions).toBe(0);
      }),
      { seed: 20261125, numRuns: 80 },
    );
  });

  it('gives the same keys in whatever pieces they are asked for, marks output, and keeps sizes of blocks apart', () => {
    fc.assert(
      fc.property(request, blockSize, fc.array(fc.integer({ min: 1, max: 40 })), (given, size, pieces) => {
        const count = fullBlocks(given, size);
        const whole = new RunChain(given, 3, size).keys(count).slice(0, 2 * count);
        const piecewise = new RunChain(given, 3, size);
        let asked = 0;
        for (const piece of pieces) piecewise.keys(Math.min(count, (asked += piece)));
        expect(piecewise.keys(count).slice(0, 2 * count)).toEqual(whole);
        for (let block = 0; block < count; block++) {
          expect(isOutput(whole[2 * block + 1]!)).toBe((block + 1) * size > given.promptTokens);
        }
        const other = new RunChain(given, 3, size + 1);
        const others = new Set(keysOf(other.keys(count), Math.floor((count * size) / (size + 1))));
        expect(keysOf(whole, count).filter((key) => others.has(key))).toEqual([]);
      }),
      { seed: 20261125, numRuns: 100 },
    );
  });

  it('makes neighbours of the blocks of a run, and no neighbours of forks', () => {
    const of = (blocks: number[]): Int32Array =>
      new RunChain(
        { arrivalMs: 0, blocks, blockTokens: 160, promptTokens: 320, outputTokens: 1, session: null },
        0,
        16,
      ).keys(20);
    const [a, b] = [of([1, 2]), of([1, 3])];
    for (const place of [1, 7, 11, 17]) expect(a[2 * place]! - a[2 * place - 2]!).toBe(1);
    expect(a.slice(0, 20)).toEqual(b.slice(0, 20));
    expect(Math.abs(a[20]! - b[20]!)).toBeGreaterThan(1000);
  });
});

describe('ByteChain', () => {
  it('gives the keys that engines and the production index have for the tokens', () => {
    fc.assert(
      fc.property(request, blockSize, (given, size) => {
        const bytes = new Uint8Array(Uint32Array.from(textOf(given, 5)).buffer);
        const count = fullBlocks(given, size);
        const chain = new ByteChain(promptTokensOf(given, 5), 5, size);
        chain.keys(count >> 1);
        const keys = chain.keys(count);
        const key = new Uint32Array(2);
        rootKey(ENGINE_ROOT, key);
        for (let block = 0; block < count; block++) {
          spanKey(key[0]!, key[1]!, bytes, 4 * size * block, 4 * size * (block + 1), key);
          expect([keys[2 * block + 1]! >>> 0, keys[2 * block]! >>> 0]).toEqual([...key]);
        }
      }),
      { seed: 20261125, numRuns: 60 },
    );
  });
});
