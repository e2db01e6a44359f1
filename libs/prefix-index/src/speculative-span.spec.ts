import { describe, expect, it, jest } from '@jest/globals';
import { workerId } from '@sluice/model';
import { seededRng } from '@sluice/numerics';
import * as fc from 'fast-check';
import { createMatches } from './matches.ts';
import { createPrefixIndex } from './prefix-index.ts';
import { createReferenceIndex } from './reference.ts';
import { speculativeSpanBytes } from './speculative-span.ts';
import { chainOf, randomBytes, splice, storeAll, testRoot } from './testing/prompts.ts';

// Many random histories: a busy machine may take its time.
jest.setTimeout(60_000);

const ROOT = testRoot();
const KB = 1024;

describe('speculativeSpanBytes', () => {
  it('is 64 bytes everywhere for a worker with events', () => {
    for (const at of [0, 64, 4096, 1_000_000]) expect(speculativeSpanBytes(at, true)).toBe(64);
  });

  it('stays within 1/64 of the depth for a worker without events, in whole 64 bytes', () => {
    for (let at = 0; at < 2_000_000; at += 997) {
      const span = speculativeSpanBytes(at, false);
      expect(span % 64).toBe(0);
      expect(span).toBeGreaterThanOrEqual(64);
      expect(span).toBeLessThanOrEqual(Math.max(64, at / 64));
    }
  });
});

describe('long prompts on a worker without events', () => {
  it('are known to within 1/64 of the common prefix, from a few hundred spans', () => {
    const index = createPrefixIndex();
    const row = index.addWorker(workerId('a'));
    index.setCapacity(row, 1_000_000, 4);
    const rng = seededRng(7);
    const prompt = randomBytes(rng, 220 * KB);
    index.confirm(index.speculate(row, ...ROOT, prompt, 0, 10));
    expect(index.stats().speculative).toBeLessThan(400);
    const out = createMatches(1);
    for (const common of [100, 4 * KB, 30 * KB, 100 * KB, 219 * KB, 220 * KB]) {
      index.match(...ROOT, splice(prompt, common, randomBytes(rng, 220 * KB - common)), 4, 0, out);
      expect(out.cachedBytes[row]).toBeLessThanOrEqual(common);
      expect(out.cachedBytes[row]).toBeGreaterThan(common - Math.max(64, common / 64));
    }
  });

  it.each([1, 2])('give what the reference gives, whatever was routed and dropped before (seed %i)', (seed) => {
    const rng = seededRng(seed);
    const texts = [0, 1, 2].map(() => randomBytes(rng, 24 * KB));
    const prompt = fc
      .tuple(fc.nat(2), fc.integer({ min: 0, max: 24 * KB }), fc.nat(2), fc.integer({ min: 0, max: 24 * KB }))
      .map(([head, cut, tail, end]) => splice(texts[head]!, cut, texts[tail]!.subarray(cut, Math.max(cut, end))));
    const step = fc.record({
      prompt,
      row: fc.nat(2),
      capacityTokens: fc.option(fc.integer({ min: 0, max: 15_000 }), { freq: 4 }),
      computed: fc.boolean(),
      held: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 20 }), (steps) => {
        const both = [createPrefixIndex(), createReferenceIndex()];
        for (const index of both)
          for (let row = 0; row < 3; row++) index.setCapacity(index.addWorker(workerId(`w${row}`)), 9_000, 4);
        steps.forEach(({ prompt, row, capacityTokens, computed, held }, i) => {
          const answers = both.map((index) => {
            const out = createMatches(3);
            index.match(...ROOT, prompt, 4, i, out);
            const id = index.speculate(row, ...ROOT, prompt, i, i + 5);
            if (!held && computed) index.confirm(id);
            else if (!held) index.forget(id);
            if (capacityTokens !== null) index.setCapacity(row, capacityTokens, 4);
            return [[...out.cachedBytes.subarray(0, 3)], index.stats().nodes, index.stats().speculative];
          });
          expect(answers[0]).toEqual(answers[1]);
        });
      }),
      { seed, numRuns: 12 },
    );
  });
});

describe('long prompts on workers with events', () => {
  it.each([1, 2])('give what the reference gives, however far events have come (seed %i)', (seed) => {
    const rng = seededRng(seed);
    const texts = [0, 1].map(() => randomBytes(rng, 6 * KB));
    const step = fc.record({
      prompt: fc
        .tuple(fc.nat(1), fc.constantFrom(0, 2500, 4096, 5500), fc.nat(1))
        .map(([head, cut, tail]) => splice(texts[head]!, cut, texts[tail]!.subarray(cut))),
      row: fc.nat(1),
      cut: fc.constantFrom([72], [61, 80], [64]),
      /** Blocks whose events come, counted back from the end of the prompt. */
      missing: fc.constantFrom(0, 1, 12, 15, 16, 40, 200),
      ends: fc.constantFrom('never', 'at once', 'later'),
    });
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 16 }), (steps) => {
        const both = [createPrefixIndex(), createReferenceIndex()].map((index) => ({ index, open: [] as number[] }));
        for (const { index } of both) for (let row = 0; row < 2; row++) index.addWorker(workerId(`w${row}`));
        steps.forEach(({ prompt, row, cut, missing, ends }, i) => {
          const answers = both.map(({ index, open }) => {
            const out = createMatches(2);
            index.match(...ROOT, prompt, 4, i, out);
            const id = index.speculate(row, ...ROOT, prompt, i, i + 9);
            const blocks = chainOf(ROOT, prompt, cut, () => 16);
            storeAll(index, row, 0, blocks.slice(0, Math.max(0, blocks.length - missing)));
            if (ends === 'at once') index.confirm(id);
            else if (ends === 'later') open.push(id);
            if (open.length > 2) index.confirm(open.shift()!);
            const { nodes, speculative } = index.stats();
            return [[...out.cachedBytes.subarray(0, 2)], [...out.cachedTokens.subarray(0, 2)], nodes, speculative];
          });
          expect(answers[0]).toEqual(answers[1]);
        });
      }),
      { seed, numRuns: 12 },
    );
  });
});
