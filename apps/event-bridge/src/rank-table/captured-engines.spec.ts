import { describe, expect, it } from '@jest/globals';
import { decodeKvBatch } from '@sluice/engine-wire';
import { capturedMessages } from '@sluice/engine-wire/testing';
import { HeldSet, NaiveRankTable, numberVocabulary } from '../testing/naive-rank-table.ts';
import { RankTable } from './rank-table.ts';

/** The batches of one rank of a captured run, in order. */
const batchesOf = (capture: string, dpRank: number) =>
  capturedMessages(capture)
    .map(({ frames }) => decodeKvBatch(frames[2]!))
    .filter((batch) => batch.dpRank === dpRank);

describe('the table on the events of real engines', () => {
  it.each([
    ['plain', 0, 6],
    ['dp2-lora-apikey', 0, 3],
    ['dp2-lora-apikey', 1, 3],
    ['lmcache-mp-0.5.6', 0, 18],
  ])('knows every block and every copy: %s, rank %i', (capture, dpRank, blocksAtTheEnd) => {
    const table = new RankTable({ pool: 'p', vocabulary: numberVocabulary });
    const naive = new NaiveRankTable('p', numberVocabulary);
    const held = new HeldSet();
    for (const batch of batchesOf(capture, dpRank)) {
      for (const event of batch.events) {
        table.apply(event, held);
        naive.apply(event);
      }
      expect(held.sorted()).toEqual(naive.held());
    }
    expect(table.blocks).toBe(blocksAtTheEnd);
    expect(held.idle).toBe(0);
    expect(Object.values(table.counters).every((count) => count === 0)).toBe(true);
  });

  it('keeps a block that was stored three times until it was removed three times', () => {
    const hash = 10929555899835023744n;
    const table = new RankTable({ pool: 'p', vocabulary: numberVocabulary });
    const held = new HeldSet();
    const sizes: number[] = [];
    for (const batch of batchesOf('plain', 0)) {
      for (const event of batch.events) {
        const before = held.keys.size;
        table.apply(event, held);
        if (event.kind === 'cleared' || !event.hashes.includes(hash)) continue;
        sizes.push(held.keys.size - before);
      }
    }
    // stored at 1, 3 and 4; removed three times before it is stored again at 27, removed at 28, and stored after the reset
    expect(sizes.slice(0, 6)).toEqual([1, 0, 0, 0, 0, -1]);
  });
});
