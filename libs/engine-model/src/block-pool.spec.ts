import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { BlockPool } from './block-pool.ts';
import { NaiveBlockPool } from './testing/naive-block-pool.ts';

const CAPACITY = 9;

/** What a caller may do; numbers choose among what is possible at that moment. */
type Action =
  | { do: 'allocate' }
  | { do: 'release'; pick: number }
  | { do: 'cache'; pick: number; hash: number }
  | { do: 'hit'; hash: number }
  | { do: 'clear' };

const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant('allocate' as const) }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('release' as const), pick: fc.nat(100) }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('cache' as const), pick: fc.nat(100), hash: fc.nat(6) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('hit' as const), hash: fc.nat(6) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('clear' as const) }) },
);

// Equal low words land in one bucket of the table: collisions on purpose.
const high = (hash: number): number => hash * 0x1000_0001;
const low = (hash: number): number => (hash % 3) * 16;

describe('BlockPool', () => {
  it('does what the naive pool does, whatever is asked of it', () => {
    fc.assert(
      fc.property(fc.array(action, { maxLength: 120 }), (actions) => {
        const evictions: string[] = [];
        const pool = new BlockPool(CAPACITY, (hi, lo) => evictions.push(`${hi}:${lo}`));
        const naive = new NaiveBlockPool(CAPACITY);
        const held: number[] = [];
        const hashed = new Set<number>();
        for (const step of actions) {
          if (step.do === 'allocate') {
            if (naive.freeBlocks === 0) {
              expect(() => pool.allocate()).toThrow(RangeError);
              continue;
            }
            const block = naive.allocate();
            expect(pool.allocate()).toBe(block);
            hashed.delete(block);
            held.push(block);
          } else if (step.do === 'hit') {
            const block = naive.find(`${high(step.hash)}:${low(step.hash)}`);
            expect(pool.find(high(step.hash), low(step.hash))).toBe(block);
            if (block < 0) continue;
            naive.reference(block);
            pool.reference(block);
            held.push(block);
          } else if (step.do === 'clear') {
            const done = naive.clear();
            expect(pool.clear()).toBe(done);
            if (done) hashed.clear();
          } else if (held.length > 0) {
            const at = step.pick % held.length;
            const block = held[at]!;
            if (step.do === 'release') {
              held.splice(at, 1);
              naive.release(block);
              pool.release(block);
            } else if (!hashed.has(block)) {
              hashed.add(block);
              naive.cache(block, `${high(step.hash)}:${low(step.hash)}`);
              pool.cache(block, high(step.hash), low(step.hash));
            }
          }
          expect([pool.freeBlocks, pool.cachedBlocks]).toEqual([naive.freeBlocks, naive.cachedBlocks]);
          expect(evictions).toEqual(naive.evictions);
          const blocks = Array.from({ length: CAPACITY }, (_, block) => block);
          expect(blocks.map((block) => pool.referencesOf(block))).toEqual(
            blocks.map((block) => held.filter((other) => other === block).length),
          );
        }
      }),
      { seed: 20261123, numRuns: 400 },
    );
  });
});
