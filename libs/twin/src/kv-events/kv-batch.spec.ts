import { describe, expect, it } from '@jest/globals';
import { blocksOf, CLEARED, kindOf, KvBatchWriter, NO_CHANGES, REMOVED, STORED } from './kv-batch.ts';
import type { KvBatch } from './kv-batch.ts';

/** A batch in words that people read: kind, parent, keys as `low/high`. */
function readable(batch: KvBatch): string[] {
  const records: string[] = [];
  for (let at = 0; at < batch.length;) {
    const head = batch[at++]!;
    const kind = { [STORED]: 'stored', [REMOVED]: 'removed', [CLEARED]: 'cleared' }[kindOf(head)];
    const words = kindOf(head) === STORED ? 2 + 2 * blocksOf(head) : 2 * blocksOf(head);
    const keys = Array.from({ length: words / 2 }, (_, i) => `${batch[at + 2 * i]}/${batch[at + 2 * i + 1]}`);
    records.push([kind, ...keys].join(' '));
    at += words;
  }
  return records;
}

// the third block has output in it
const KEYS = Int32Array.of(1, 10, 2, 20, 3, 31);

describe('KvBatchWriter', () => {
  it('tells changes in order, removals that follow each other as one record', () => {
    const changes = new KvBatchWriter('all');
    changes.removed(4, -5);
    changes.removed(6, 7);
    changes.stored(null, KEYS, 0, 2);
    changes.stored(null, KEYS, 2, 3);
    changes.removed(8, 9);
    changes.cleared();
    changes.removed(8, 10);
    expect(readable(changes.take()!)).toEqual([
      'removed -5/4 7/6',
      'stored 0/0 1/10 2/20',
      'stored 2/20 3/31',
      'removed 9/8',
      'cleared',
      'removed 10/8',
    ]);
    expect(changes.take()).toBeNull();
  });

  it('leaves out blocks with output where only prompts count, but says that something changed', () => {
    const changes = new KvBatchWriter('prompts');
    changes.stored(null, KEYS, 2, 3);
    changes.removed(31, 3);
    expect(changes.take()).toEqual(NO_CHANGES);
    changes.stored(null, KEYS, 1, 3);
    changes.removed(30, 3);
    expect(readable(changes.take()!)).toEqual(['stored 1/10 2/20', 'removed 3/30']);
    expect(changes.take()).toBeNull();
  });

  it('grows', () => {
    const changes = new KvBatchWriter('all');
    const keys = Int32Array.from({ length: 2000 }, (_, i) => i);
    for (let i = 0; i < 300; i++) changes.removed(i, i);
    changes.stored(null, keys, 0, 1000);
    const batch = changes.take()!;
    expect(batch.length).toBe(1 + 600 + 3 + 2000);
    expect(batch.subarray(-2000)).toEqual(keys);
  });
});
