import type { KvSink } from '@sluice/engine-model';
import { isOutput } from '../text/block-chain.ts';

/**
 * The changes of one engine's prefix cache in one step, in order, as words. A record is a head, `4 x blocks + kind`;
 * of `STORED` then the key of the block before the first (0, 0: none); then the keys. Keys are two words, low one first.
 */
export type KvBatch = Int32Array;

/** Blocks that became cached, each the parent of the next. */
export const STORED = 0;
/** Blocks that lost their content; a key held by several copies goes once a copy. */
export const REMOVED = 1;
/** The whole cache was dropped. */
export const CLEARED = 2;

export const NO_CHANGES: KvBatch = new Int32Array(0);

/** Kind of the record at the head. */
export const kindOf = (head: number): number => head & 3;
/** Number of blocks of the record at the head. */
export const blocksOf = (head: number): number => head >>> 2;

/** Which blocks are told: all, or of keys from runs only those that a prompt can have. */
export type ToldBlocks = 'all' | 'prompts';

/** Collects the changes that an engine makes. */
export class KvBatchWriter implements KvSink<unknown> {
  private readonly promptsOnly: boolean;
  private hasChanged = false;
  private words = new Int32Array(256);
  private length = 0;
  /** Place of the head of the record of removals that goes on; -1: the last record is another. */
  private removals = -1;

  constructor(told: ToldBlocks) {
    this.promptsOnly = told === 'prompts';
  }

  stored(_request: unknown, keys: Int32Array, first: number, end: number): void {
    this.hasChanged = true;
    if (this.promptsOnly) while (end > first && isOutput(keys[2 * end - 1]!)) end--;
    if (end === first) return;
    const words = this.reserve(3 + 2 * (end - first));
    let at = this.length;
    words[at++] = 4 * (end - first) + STORED;
    words[at++] = first === 0 ? 0 : keys[2 * first - 2]!;
    words[at++] = first === 0 ? 0 : keys[2 * first - 1]!;
    for (let word = 2 * first; word < 2 * end; word++) words[at++] = keys[word]!;
    this.length = at;
    this.removals = -1;
  }

  removed(keyHi: number, keyLo: number): void {
    this.hasChanged = true;
    if (this.promptsOnly && isOutput(keyHi)) return;
    const words = this.reserve(3);
    if (this.removals < 0) {
      this.removals = this.length++;
      words[this.removals] = REMOVED;
    }
    words[this.removals]! += 4;
    words[this.length++] = keyLo;
    words[this.length++] = keyHi;
  }

  cleared(): void {
    this.hasChanged = true;
    this.reserve(1)[this.length++] = CLEARED;
    this.removals = -1;
  }

  /** One block with the key of its parent. */
  block(keyHi: number, keyLo: number, parentHi: number, parentLo: number): void {
    this.hasChanged = true;
    const words = this.reserve(5);
    words[this.length++] = 4 + STORED;
    words[this.length++] = parentLo;
    words[this.length++] = parentHi;
    words[this.length++] = keyLo;
    words[this.length++] = keyHi;
    this.removals = -1;
  }

  /** The changes since the last call, none of which may be told; null when there were none. The caller owns them. */
  take(): KvBatch | null {
    if (!this.hasChanged) return null;
    this.hasChanged = false;
    if (this.length === 0) return NO_CHANGES;
    const batch = this.words.slice(0, this.length);
    this.length = 0;
    this.removals = -1;
    return batch;
  }

  private reserve(words: number): Int32Array {
    if (this.length + words > this.words.length) {
      const grown = new Int32Array(Math.max(2 * this.words.length, this.length + words));
      grown.set(this.words);
      this.words = grown;
    }
    return this.words;
  }
}
