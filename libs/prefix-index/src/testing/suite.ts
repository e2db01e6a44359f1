import { beforeEach, describe, expect, it } from '@jest/globals';
import { TIERS, workerId } from '@sluice/model';
import { seededRng } from '@sluice/numerics';
import { createMatches } from '../matches.ts';
import { ALL_TIERS } from '@sluice/model';
import type { PrefixIndex } from '../types.ts';
import { chainOf, randomBytes, splice, storeAll, testRoot } from './prompts.ts';

const HBM = TIERS.indexOf('hbm');
const CPU = TIERS.indexOf('cpu');
const DISK = TIERS.indexOf('disk');
const ROOT = testRoot();

/** Behaviour that every index shows. */
export function prefixIndexSuite(factory: () => PrefixIndex): void {
  const rng = seededRng(11);
  const prompt = randomBytes(rng, 640);
  const chain = chainOf(ROOT, prompt, [64]);
  const out = createMatches(0);
  let index: PrefixIndex;
  let a: number;
  let b: number;
  beforeEach(() => {
    index = factory();
    a = index.addWorker(workerId('a'));
    b = index.addWorker(workerId('b'));
  });
  const match = (text = prompt, nowMs = 0): void => index.match(...ROOT, text, 4, nowMs, out);
  const tiersOf = (row: number): number[] => out.tierTokens.map((column) => column[row]!);

  describe('confirmed blocks', () => {
    it('answers the contiguous prefix of every worker in exact tokens', () => {
      storeAll(index, a, HBM, chain);
      storeAll(index, b, HBM, [...chain.slice(0, 3), ...chain.slice(4)]);
      match();
      expect([out.size, out.confirmedBytes[a], out.confirmedTokens[a], out.whole[a]]).toEqual([2, 640, 160, 1]);
      expect([out.confirmedBytes[b], out.confirmedTokens[b], out.lastBlockTokens[b], out.whole[b]]).toEqual([
        192, 48, 16, 0,
      ]);
      expect([out.cachedTokens[a], out.cachedBytes[b]]).toEqual([160, 192]);
      match(splice(prompt, 200, randomBytes(rng, 400)));
      expect([out.confirmedBytes[a], out.confirmedBytes[b], out.whole[a]]).toEqual([192, 192, 0]);
    });

    it('knows nothing below another root', () => {
      storeAll(index, a, HBM, chain);
      index.match(...testRoot('other'), prompt, 4, 0, out);
      expect([...out.cachedTokens.subarray(0, 2)]).toEqual([0, 0]);
    });

    it('is usable whatever the order in which blocks are announced', () => {
      storeAll(index, a, HBM, [...chain].reverse());
      match();
      expect(out.confirmedTokens[a]).toBe(160);
      expect(index.stats()).toMatchObject({ nodes: 10, placeholders: 1, memberships: 10 });
    });

    it('follows whichever span length leads further', () => {
      storeAll(index, a, HBM, chainOf(ROOT, prompt.subarray(0, 128), [32]));
      storeAll(index, a, HBM, chainOf(ROOT, prompt.subarray(0, 256), [64]));
      storeAll(index, b, HBM, chainOf(ROOT, prompt, [40, 24, 96]));
      match();
      expect([out.confirmedBytes[a], out.confirmedBytes[b]]).toEqual([256, 640]);
      expect(out.lastBlockTokens[b]).toBe(24);
    });

    it('takes the shorter first span where two ways lead equally far', () => {
      const ways = [chainOf(ROOT, prompt.subarray(0, 128), [64]), chainOf(ROOT, prompt.subarray(0, 128), [32, 96])];
      for (const row of [a, b]) for (const way of row === a ? ways : ways.toReversed()) storeAll(index, row, HBM, way);
      match();
      expect([...out.confirmedBytes.subarray(0, 2), ...out.lastBlockTokens.subarray(0, 2)]).toEqual([128, 128, 24, 24]);
    });

    it('counts a block in its fastest tier and survives the loss of one copy', () => {
      storeAll(index, a, HBM, chain.slice(0, 4));
      storeAll(index, a, CPU, chain.slice(2, 6));
      storeAll(index, a, DISK, chain.slice(5, 8));
      match();
      expect([tiersOf(a), out.confirmedTokens[a]]).toEqual([[64, 32, 32, 0], 128]);
      for (const block of chain.slice(2, 4)) index.remove(a, HBM, block.keyHi, block.keyLo);
      match();
      expect([tiersOf(a), out.confirmedTokens[a]]).toEqual([[32, 64, 32, 0], 128]);
      index.clear(a, CPU);
      match();
      expect([tiersOf(a), index.held(a, HBM), index.held(a, DISK)]).toEqual([[32, 0, 0, 0], 2, 3]);
    });

    it('takes the token count of the latest announcement and ignores repeats and unknown removals', () => {
      storeAll(index, a, HBM, chain);
      storeAll(
        index,
        a,
        HBM,
        chain.map((block) => ({ ...block, tokens: 15 })),
      );
      index.remove(b, HBM, chain[0]!.keyHi, chain[0]!.keyLo);
      index.remove(a, CPU, chain[0]!.keyHi, chain[0]!.keyLo);
      index.remove(a, HBM, 1, 2);
      index.store(a, TIERS.length, 1, 2, ...ROOT, 8, 2);
      match();
      expect([out.confirmedTokens[a], index.stats().memberships]).toEqual([150, 10]);
    });

    it('keeps nothing that nobody holds', () => {
      storeAll(index, a, HBM, chain);
      storeAll(index, b, CPU, chain);
      index.clear(a, ALL_TIERS);
      match();
      expect([out.confirmedTokens[a], out.confirmedTokens[b]]).toEqual([0, 160]);
      for (const block of chain) index.remove(b, CPU, block.keyHi, block.keyLo);
      expect(index.stats()).toMatchObject({ nodes: 0, placeholders: 0, memberships: 0 });
    });

    it('gives the row of a worker that left to the next one, empty', () => {
      storeAll(index, a, HBM, chain);
      index.removeWorker(workerId('a'));
      match();
      expect([index.row(workerId('a')), index.workers, out.cachedTokens[a]]).toEqual([undefined, [null, 'b'], 0]);
      expect([index.addWorker(workerId('c')), index.addWorker(workerId('c'))]).toEqual([a, a]);
      match();
      expect(out.cachedTokens[a]).toBe(0);
    });

    it('looks blocks up and hands them over with parents first', () => {
      storeAll(index, a, CPU, [...chain].reverse());
      storeAll(index, a, HBM, chain.slice(0, 1));
      storeAll(index, b, HBM, chainOf(ROOT, prompt, [32]));
      const record = { parentHi: 0, parentLo: 0, spanBytes: 0, tokens: 0, tiers: 0 };
      expect(index.lookup(a, chain[1]!.keyHi, chain[1]!.keyLo, record)).toBe(true);
      expect(record).toEqual({
        parentHi: chain[0]!.keyHi,
        parentLo: chain[0]!.keyLo,
        spanBytes: 64,
        tokens: 16,
        tiers: 2,
      });
      expect(index.lookup(b, chain[1]!.keyHi, chain[1]!.keyLo, record)).toBe(false);
      const dumped: number[][] = [];
      index.dump(a, { store: (...block) => dumped.push(block) });
      const [first, ...rest] = chain.map((block) => [CPU, ...Object.values(block)]);
      const hbm = [HBM, ...Object.values(chain[0]!)];
      expect(dumped.slice(2)).toEqual(rest);
      expect(dumped.slice(0, 2)).toEqual(expect.arrayContaining([first, hbm]));
    });

    it('counts any number of workers', () => {
      for (let i = 0; i < 100; i++) storeAll(index, index.addWorker(workerId(`w${i}`)), i % 4, chain.slice(0, i % 11));
      match();
      for (let i = 0; i < 100; i++) {
        expect(out.confirmedTokens[index.row(workerId(`w${i}`))!]).toBe((i % 11) * 16);
        expect(out.tierTokens[i % 4]![index.row(workerId(`w${i}`))!]).toBe((i % 11) * 16);
      }
    });
  });

  describe('speculation', () => {
    it('adds the routed prompt below what is confirmed, in whole blocks, and leaves confirmed answers exact', () => {
      const long = splice(prompt, 640, randomBytes(rng, 200));
      storeAll(index, a, HBM, chain.slice(0, 4));
      const id = index.speculate(a, ...ROOT, long, 0, 1000);
      match(long);
      expect([out.confirmedTokens[a], out.confirmedBytes[a], out.cachedBytes[a]]).toEqual([64, 256, 832]);
      expect([out.cachedTokens[a], out.cachedTokens[b], tiersOf(a)]).toEqual([64 + 144, 0, [64, 0, 0, 0]]);
      index.match(...ROOT, long, 5, 0, out);
      expect(out.cachedTokens[a]).toBe(64 + 112); // 115.2 tokens of 5 bytes hold 7 blocks of 16
      match(splice(long, 400, randomBytes(rng, 300)));
      expect(out.cachedBytes[a]).toBe(384);
      index.confirm(id);
      match(long);
      expect(out.cachedTokens[a]).toBe(64);
    });

    it.each([
      ['goes on below confirmed blocks that reach about as far, so that older spans can go', 113, 0],
      ['goes on along the spans where blocks are far behind', 40, 128],
    ])('%s', (_name, confirmedBlocks, leftEntries) => {
      const long = randomBytes(rng, 8192);
      const first = index.speculate(a, ...ROOT, long, 0, 1000);
      expect(index.stats().speculative).toBe(128);
      storeAll(index, a, HBM, chainOf(ROOT, long, [72]).slice(0, confirmedBlocks));
      match(long);
      index.speculate(a, ...ROOT, long, 0, 1000);
      expect(index.stats().speculative).toBe(128);
      index.confirm(first);
      expect(index.stats().speculative).toBe(leftEntries);
    });

    it('sees what changed since the match of the same prompt', () => {
      storeAll(index, a, HBM, chain.slice(0, 6));
      storeAll(index, b, HBM, chain.slice(0, 4));
      match();
      index.clear(a, ALL_TIERS); // holds less
      index.speculate(a, ...ROOT, prompt, 0, 1000);
      expect(index.stats().speculative).toBe(10);
      match();
      storeAll(index, b, HBM, chain.slice(4, 7)); // holds more
      index.speculate(b, ...ROOT, prompt, 0, 1000);
      expect(index.stats().speculative).toBe(13);
      match();
      const c = index.addWorker(workerId('c')); // was not there
      index.speculate(c, ...ROOT, prompt, 0, 1000);
      expect(index.stats().speculative).toBe(23);
      match();
      expect([out.cachedBytes[a], out.cachedBytes[b], out.cachedBytes[c]]).toEqual([640, 640, 640]);
    });

    it('goes on from what the match of the same prompt found, also below a fork', () => {
      const fork = chainOf(ROOT, prompt, [64, 64, 40, 64]);
      storeAll(index, a, HBM, chain.slice(0, 5));
      storeAll(index, b, HBM, fork.slice(0, 4));
      for (const [row, entered] of [
        [a, 5],
        [b, 5 + 6],
      ] as const) {
        match();
        index.speculate(row, ...ROOT, prompt, 0, 1000);
        expect(index.stats().speculative).toBe(entered);
      }
      match();
      expect([out.cachedBytes[a], out.cachedBytes[b]]).toEqual([640, 616]);
    });

    it('ends by time, by confirmation and by forgetting, and counts shared spans once', () => {
      const ids = [1000, 2000, 3000].map((expiresAtMs) => index.speculate(a, ...ROOT, prompt, 0, expiresAtMs));
      expect(index.stats()).toMatchObject({ nodes: 10, speculative: 10 });
      index.forget(ids[2]!);
      index.forget(ids[2]!);
      match(prompt, 1000);
      expect(out.cachedTokens[a]).toBe(160);
      match(prompt, 2000);
      expect([out.cachedTokens[a], index.stats().nodes, index.stats().placeholders]).toEqual([0, 0, 0]);
    });

    it('goes with the worker', () => {
      const id = index.speculate(a, ...ROOT, prompt, 0, 1000);
      index.speculate(b, ...ROOT, prompt, 0, 1000);
      index.clear(a, HBM);
      expect(index.stats().speculative).toBe(20);
      index.clear(a, ALL_TIERS);
      index.confirm(id);
      match();
      expect([out.cachedTokens[a], out.cachedTokens[b]]).toEqual([0, 160]);
    });

    it('is a least-recently-used cache of stated capacity for a worker without events', () => {
      index.setCapacity(a, 160, 4);
      const others = [1, 2].map(() => splice(prompt, 320, randomBytes(rng, 320)));
      index.confirm(index.speculate(a, ...ROOT, prompt, 0, 10));
      index.confirm(index.speculate(a, ...ROOT, others[0]!, 1, 10));
      match(prompt, 1e9);
      expect(out.cachedBytes[a]).toBe(320); // the shared half was used again, the rest made room
      match(others[0], 1e9);
      expect(out.cachedTokens[a]).toBe(160);
      index.forget(index.speculate(a, ...ROOT, others[1]!, 2, 10));
      match(others[1], 1e9);
      expect(out.cachedBytes[a]).toBe(320);
      index.setCapacity(a, 32, 4);
      match(others[0], 1e9);
      expect(out.cachedBytes[a]).toBe(128);
      index.setCapacity(a, null, 4);
      expect(index.stats()).toMatchObject({ speculative: 0, nodes: 0 });
    });

    it('never drops what is in flight for the sake of capacity', () => {
      index.setCapacity(a, 16, 4);
      const id = index.speculate(a, ...ROOT, prompt, 0, 1000);
      match();
      expect(out.cachedTokens[a]).toBe(160);
      index.confirm(id);
      match();
      expect(out.cachedTokens[a]).toBe(16);
    });
  });
}
