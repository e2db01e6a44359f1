import { KeyCounts } from '@sluice/numerics';

/**
 * Blocks of the prompts that one worker has in flight, each counted once however many of the prompts share it. A prompt is
 * the chain of its blocks' keys, two signed words each, low word first: equal keys mean equal text from the start to there.
 */
export class ActiveBlocks {
  private readonly counts = new KeyCounts();

  /** The first `count` blocks of the chain are sent. */
  add(keys: Int32Array, count: number): void {
    for (let at = 0; at < 2 * count; at += 2) this.counts.add(keys[at + 1]!, keys[at]!);
  }

  /** The request of a chain that was added has ended. */
  remove(keys: Int32Array, count: number): void {
    for (let at = 0; at < 2 * count; at += 2) this.counts.remove(keys[at + 1]!, keys[at]!);
  }

  /** Blocks in flight with the first `count` of this chain among them. */
  sizeWith(keys: Int32Array, count: number): number {
    return this.counts.size + count - this.overlap(keys, count);
  }

  /** Leading blocks of the chain that are in flight. None is without those before it, so a search by halves finds them. */
  private overlap(keys: Int32Array, count: number): number {
    let least = 0;
    let most = count;
    while (least < most) {
      const block = (least + most) >>> 1;
      if (this.counts.has(keys[2 * block + 1]!, keys[2 * block]!)) least = block + 1;
      else most = block;
    }
    return least;
  }
}
