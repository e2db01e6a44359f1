import type { BlocksStored, KvEvent } from '@sluice/engine-model';

interface Held {
  /** The announcement of the block and its place there. */
  readonly event: BlocksStored;
  readonly at: number;
  copies: number;
}

/** What one engine holds by the events that it has published: the copy at the event source that a resync sends. */
export class KvHoldings {
  private readonly held = new Map<bigint, Held>();

  apply(events: readonly KvEvent[]): void {
    for (const event of events) {
      if (event.kind === 'cleared') this.held.clear();
      else if (event.kind === 'stored') event.hashes.forEach((hash, at) => this.add(hash, event, at));
      else for (const hash of event.hashes) this.remove(hash);
    }
  }

  /** The least that tells all of it: every block once a copy, those announced earlier first. */
  announce(): KvEvent[] {
    const events: KvEvent[] = [];
    for (const { event, at, copies } of this.held.values()) {
      const { hashes, parent, tokenIds, blockSize } = event;
      const block: KvEvent = {
        ...event,
        hashes: hashes.subarray(at, at + 1),
        parent: at === 0 ? parent : hashes[at - 1]!,
        tokenIds: tokenIds.subarray(at * blockSize, (at + 1) * blockSize),
      };
      for (let copy = 0; copy < copies; copy++) events.push(block);
    }
    return events;
  }

  private add(hash: bigint, event: BlocksStored, at: number): void {
    const held = this.held.get(hash);
    if (held === undefined) this.held.set(hash, { event, at, copies: 1 });
    else held.copies++;
  }

  private remove(hash: bigint): void {
    const held = this.held.get(hash);
    if (held !== undefined && --held.copies === 0) this.held.delete(hash);
  }
}
