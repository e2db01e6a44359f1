import { blocksOf, CLEARED, kindOf, KvBatchWriter, NO_CHANGES, REMOVED } from './kv-batch.ts';
import type { KvBatch } from './kv-batch.ts';

interface Held {
  readonly keyHi: number;
  readonly keyLo: number;
  readonly parentHi: number;
  readonly parentLo: number;
  copies: number;
}

const nameOf = (keyHi: number, keyLo: number): bigint => (BigInt(keyHi) << 32n) | BigInt(keyLo >>> 0);

/** What one engine holds by the events that it has published: the copy at the event source that a resync sends. */
export class KvHoldings {
  private readonly held = new Map<bigint, Held>();

  apply(batch: KvBatch): void {
    for (let at = 0; at < batch.length;) {
      const head = batch[at++]!;
      const kind = kindOf(head);
      if (kind === CLEARED) this.clear();
      else if (kind === REMOVED) {
        for (const end = at + 2 * blocksOf(head); at < end; at += 2) this.remove(batch[at + 1]!, batch[at]!);
      } else {
        // each block is the parent of the next
        for (const end = at + 2 * blocksOf(head); at < end; at += 2) {
          this.add(batch[at + 3]!, batch[at + 2]!, batch[at + 1]!, batch[at]!);
        }
        at += 2;
      }
    }
  }

  clear(): void {
    this.held.clear();
  }

  /** The least that tells all of it: every block once a copy, those announced earlier first. */
  announce(): KvBatch {
    const writer = new KvBatchWriter('all');
    for (const { keyHi, keyLo, parentHi, parentLo, copies } of this.held.values()) {
      for (let copy = 0; copy < copies; copy++) writer.block(keyHi, keyLo, parentHi, parentLo);
    }
    return writer.take() ?? NO_CHANGES;
  }

  private add(keyHi: number, keyLo: number, parentHi: number, parentLo: number): void {
    const name = nameOf(keyHi, keyLo);
    const held = this.held.get(name);
    if (held === undefined) this.held.set(name, { keyHi, keyLo, parentHi, parentLo, copies: 1 });
    else held.copies++;
  }

  private remove(keyHi: number, keyLo: number): void {
    const name = nameOf(keyHi, keyLo);
    const held = this.held.get(name);
    if (held !== undefined && --held.copies === 0) this.held.delete(name);
  }
}
