import { describe, expect, it, jest } from '@jest/globals';
import { workerId } from '@sluice/model';
import { seededRng } from '@sluice/numerics';
import * as fc from 'fast-check';
import { createMatches } from './matches.ts';
import { createPrefixIndex } from './prefix-index.ts';
import { createReferenceIndex } from './reference.ts';
import { chainOf, randomBytes, splice, testRoot } from './testing/prompts.ts';
import { ALL_TIERS } from '@sluice/model';
import type { PrefixIndex } from './types.ts';

// Many random histories: a busy machine may take its time.
jest.setTimeout(60_000);

const WORKERS = 40; // more than one word of rows
const ROOTS = [testRoot('one'), testRoot('two')] as const;
const TEXTS = [1, 2, 3].map((seed) => randomBytes(seededRng(seed), 420));
/** Ways to cut a prompt: several span lengths meet below one parent, 64 meets the speculative spans. */
const CUTS = [[32], [64], [16, 48, 32], [64, 40, 64], [1, 31, 32], [20]] as const;

/** Prompts that share a prefix with others and part at any byte. */
const prompt = fc
  .tuple(fc.nat(2), fc.integer({ min: 0, max: 420 }), fc.nat(2))
  .map(([head, cut, tail]) => splice(TEXTS[head]!, cut, TEXTS[tail]!.subarray(cut)));
const worker = fc.oneof({ weight: 5, arbitrary: fc.nat(3) }, { weight: 1, arbitrary: fc.nat(WORKERS - 1) });
const root = fc.constantFrom(...ROOTS);
const range = fc.tuple(fc.nat(8), fc.nat(20), fc.boolean());
const blocks = fc
  .record({ root, prompt, cut: fc.constantFrom(...CUTS), range, tokens: fc.constantFrom(3, 8, 16) })
  .map(({ root, prompt, cut, range: [from, count, reversed], tokens }) => {
    const chain = chainOf(root, prompt, cut, (bytes) => (bytes % 16 === 0 ? bytes / 4 : tokens));
    const part = chain.slice(from % 5 === 0 ? 0 : from, from + count); // with holes, sometimes child first
    return reversed ? part.reverse() : part;
  });
const tier = fc.nat(3);

type Op = (index: PrefixIndex, rows: number[], speculations: number[]) => void;
const operation: fc.Arbitrary<Op> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ worker, tier, blocks }).map(({ worker, tier, blocks }): Op => (index, rows) => {
      for (const b of blocks)
        index.store(rows[worker]!, tier, b.keyHi, b.keyLo, b.parentHi, b.parentLo, b.spanBytes, b.tokens);
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ worker, tier, blocks }).map(({ worker, tier, blocks }): Op => (index, rows) => {
      for (const b of blocks) index.remove(rows[worker]!, tier, b.keyHi, b.keyLo);
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ worker, tier: fc.oneof(tier, fc.constant(ALL_TIERS)) }).map(
      ({ worker, tier }): Op =>
        (index, rows) =>
          index.clear(rows[worker]!, tier),
    ),
  },
  {
    weight: 1,
    arbitrary: worker.map((worker): Op => (index, rows) => {
      index.removeWorker(workerId(`w${worker}`));
      rows[worker] = index.addWorker(workerId(`w${worker}`));
    }),
  },
  {
    weight: 4,
    arbitrary: fc
      .record({ worker, root, prompt, nowMs: fc.nat(50), ttlMs: fc.integer({ min: 1, max: 60 }) })
      .map(({ worker, root, prompt, nowMs, ttlMs }): Op => (index, rows, speculations) => {
        speculations.push(index.speculate(rows[worker]!, ...root, prompt, nowMs, nowMs + ttlMs));
      }),
  },
  {
    // as the router does it, and with a change in between: what the match found may stand no longer
    weight: 4,
    arbitrary: fc
      .record({ worker, other: worker, root, prompt, blocks, disturb: fc.nat(3), nowMs: fc.nat(50) })
      .map(({ worker, other, root, prompt, blocks, disturb, nowMs }): Op => (index, rows, speculations) => {
        index.match(...root, prompt, 4, nowMs, createMatches(0));
        const [block] = blocks;
        if (disturb === 1 && block !== undefined) {
          const { keyHi, keyLo, parentHi, parentLo, spanBytes, tokens } = block;
          index.store(rows[other]!, 1, keyHi, keyLo, parentHi, parentLo, spanBytes, tokens);
        }
        if (disturb === 2) index.clear(rows[other]!, ALL_TIERS);
        for (const row of [rows[worker]!, rows[other]!])
          speculations.push(index.speculate(row, ...root, prompt, nowMs, nowMs + 40));
      }),
  },
  {
    weight: 2,
    arbitrary: fc
      .record({ which: fc.nat(1000), confirm: fc.boolean() })
      .map(({ which, confirm }): Op => (index, _rows, speculations) => {
        const id = speculations[which % Math.max(1, speculations.length)] ?? 0;
        if (confirm) index.confirm(id);
        else index.forget(id);
      }),
  },
  {
    weight: 1,
    arbitrary: fc.nat(100).map(
      (nowMs): Op =>
        (index) =>
          index.expire(nowMs),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.record({ worker, tokens: fc.option(fc.integer({ min: 0, max: 300 })) }).map(
      ({ worker, tokens }): Op =>
        (index, rows) =>
          index.setCapacity(rows[worker]!, tokens, 4),
    ),
  },
);

function answers(index: PrefixIndex, root: readonly [number, number], prompt: Uint8Array): Record<string, number[]> {
  const out = createMatches(0);
  index.match(...root, prompt, 4, 0, out);
  const column = (values: { subarray(from: number, to: number): Iterable<number> }): number[] => [
    ...values.subarray(0, out.size),
  ];
  return {
    cachedTokens: column(out.cachedTokens),
    cachedBytes: column(out.cachedBytes),
    confirmedTokens: column(out.confirmedTokens),
    confirmedBytes: column(out.confirmedBytes),
    lastBlockTokens: column(out.lastBlockTokens),
    whole: column(out.whole),
    ...Object.fromEntries(out.tierTokens.map((values, tier) => [`tier${tier}`, column(values)])),
  };
}

/** Every block of the row as text; fails when a child comes before its parent. */
function dumped(index: PrefixIndex, row: number): string[] {
  const lines: string[] = [];
  const keys = new Set<string>();
  const early = new Set<string>();
  index.dump(row, {
    store: (tier, keyHi, keyLo, parentHi, parentLo, spanBytes, tokens) => {
      const [key, parent] = [`${keyHi}:${keyLo}`, `${parentHi}:${parentLo}`];
      expect(early.has(key)).toBe(false);
      if (!keys.has(parent)) early.add(parent);
      keys.add(key);
      lines.push([tier, key, parent, spanBytes, tokens].join(' '));
    },
  });
  return lines.sort();
}

describe('production index against the reference', () => {
  it.each([1, 2, 3, 4])('gives the same answers after any history (seed %i)', (seed) => {
    fc.assert(
      fc.property(
        fc.array(operation, { minLength: 1, maxLength: 60 }),
        fc.array(fc.tuple(root, prompt), { minLength: 3, maxLength: 3 }),
        (operations, questions) => {
          const both = [createPrefixIndex(), createReferenceIndex()].map((index) => ({
            index,
            rows: Array.from({ length: WORKERS }, (_, i) => index.addWorker(workerId(`w${i}`))),
            speculations: [] as number[],
          }));
          for (const operation of operations) {
            for (const { index, rows, speculations } of both) operation(index, rows, speculations);
            const [fast, plain] = both.map(({ index }) => index);
            for (const [root, text] of questions)
              expect(answers(fast!, root, text)).toEqual(answers(plain!, root, text));
          }
          const [fast, plain] = both.map(({ index }) => index);
          const { nodes, memberships, speculative } = fast!.stats();
          expect({ nodes, memberships, speculative }).toEqual(
            (({ nodes, memberships, speculative }) => ({ nodes, memberships, speculative }))(plain!.stats()),
          );
          for (let row = 0; row < WORKERS; row++) {
            expect(dumped(fast!, row)).toEqual(dumped(plain!, row));
            for (let tier = 0; tier < 4; tier++) expect(fast!.held(row, tier)).toBe(plain!.held(row, tier));
          }
          for (let i = 0; i < WORKERS; i++) fast!.removeWorker(workerId(`w${i}`));
          expect(fast!.stats()).toMatchObject({ nodes: 0, placeholders: 0, memberships: 0, speculative: 0 });
        },
      ),
      { seed, numRuns: 40 },
    );
  });
});
