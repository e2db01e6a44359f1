import { describe, expect, it, jest } from '@jest/globals';
import { workerId } from '@sluice/model';
import { seededRng } from '@sluice/numerics';
import { createMatches } from './matches.ts';
import { createPrefixIndex } from './prefix-index.ts';
import { createReferenceIndex } from './reference.ts';
import { chainOf, randomBytes, splice, storeAll, testRoot } from './testing/prompts.ts';
import { prefixIndexSuite } from './testing/suite.ts';

// Many random histories: a busy machine may take its time.
jest.setTimeout(60_000);

describe('production index', () => prefixIndexSuite(() => createPrefixIndex()));
describe('reference index', () => prefixIndexSuite(createReferenceIndex));

describe('memory bound', () => {
  it('drops least recently confirmed leaves, counts them, and never invents a block', () => {
    const maxNodes = 600;
    const index = createPrefixIndex({ maxNodes });
    const reference = createReferenceIndex();
    const rng = seededRng(5);
    const root = testRoot();
    const texts = [1, 2, 3, 4].map(() => randomBytes(rng, 2048));
    const [bounded, whole] = [createMatches(4), createMatches(4)];
    for (const i of [0, 1, 2, 3]) for (const each of [index, reference]) each.addWorker(workerId(`w${i}`));
    for (let round = 0; round < 400; round++) {
      const text = splice(texts[round % 4]!, Math.floor(rng() * 2048), randomBytes(rng, 512));
      const blocks = chainOf(root, text, [32]);
      const row = Math.floor(rng() * 4);
      for (const each of [index, reference]) storeAll(each, row, 0, blocks);
      const id = index.speculate(row, ...root, text, round, round + 3);
      if (rng() < 0.5) index.forget(id);
      index.match(...root, text, 4, round, bounded);
      reference.match(...root, text, 4, round, whole);
      for (let w = 0; w < 4; w++) expect(bounded.confirmedBytes[w]).toBeLessThanOrEqual(whole.confirmedBytes[w]!);
      expect(bounded.confirmedBytes[row]).toBe(blocks.length * 32);
      const { nodes, placeholders } = index.stats();
      expect(nodes + placeholders).toBeLessThanOrEqual(maxNodes);
    }
    expect(index.stats().evictedNodes).toBeGreaterThan(1000);
    for (const i of [0, 1, 2, 3]) index.removeWorker(workerId(`w${i}`));
    expect(index.stats()).toMatchObject({ nodes: 0, placeholders: 0, memberships: 0, speculative: 0 });
  });

  it('enters long speculation in part rather than beyond a quarter of the bound', () => {
    const index = createPrefixIndex({ maxNodes: 64 });
    const row = index.addWorker(workerId('a'));
    const prompt = randomBytes(seededRng(1), 64 * 40);
    const out = createMatches(1);
    index.speculate(row, ...testRoot(), prompt, 0, 10);
    index.match(...testRoot(), prompt, 4, 0, out);
    expect(out.cachedBytes[row]).toBe(64 * 16);
  });
});

describe('bounded walk', () => {
  it('gives up on a prompt that matches in very many ways, says so, and answers a true prefix', () => {
    const index = createPrefixIndex();
    const row = index.addWorker(workerId('a'));
    const root = testRoot();
    const prompt = randomBytes(seededRng(2), 30);
    // every way to cut the first 30 bytes into spans of 1 and 2: four thousand chains of twelve
    let ways: number[][] = [[]];
    for (let step = 0; step < 12; step++)
      ways = ways.flatMap((way) => [
        [...way, 1],
        [...way, 2],
      ]);
    for (const way of ways)
      storeAll(
        index,
        row,
        0,
        chainOf(
          root,
          prompt.subarray(
            0,
            way.reduce((a, b) => a + b),
          ),
          way,
        ),
      );
    const out = createMatches(1);
    index.match(...root, prompt, 4, 0, out);
    expect(index.stats().truncatedMatches).toBe(1);
    expect(out.confirmedBytes[row]).toBeGreaterThan(0);
    expect(out.confirmedBytes[row]).toBeLessThanOrEqual(24);
  });
});
