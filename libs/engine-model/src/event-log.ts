import type { BlocksStored, KvEvent } from './kv-event.ts';

/** Collects the events of one step; runs of removals become one event. */
export class EventLog {
  private events: KvEvent[] = [];
  /** Hashes removed since the last stored event, low word first. */
  private removedWords = new Uint32Array(64);
  private removedCount = 0;

  stored(event: BlocksStored): void {
    this.flushRemoved();
    this.events.push(event);
  }

  removed(hashHi: number, hashLo: number): void {
    const at = 2 * this.removedCount++;
    if (at === this.removedWords.length) {
      const grown = new Uint32Array(2 * at);
      grown.set(this.removedWords);
      this.removedWords = grown;
    }
    this.removedWords[at] = hashLo;
    this.removedWords[at + 1] = hashHi;
  }

  cleared(): void {
    this.flushRemoved();
    this.events.push({ kind: 'cleared' });
  }

  /** The events since the last call; the caller owns them. */
  take(): KvEvent[] {
    this.flushRemoved();
    if (this.events.length === 0) return NO_EVENTS;
    const { events } = this;
    this.events = [];
    return events;
  }

  private flushRemoved(): void {
    if (this.removedCount === 0) return;
    const words = this.removedWords.slice(0, 2 * this.removedCount);
    this.events.push({ kind: 'removed', hashes: new BigUint64Array(words.buffer) });
    this.removedCount = 0;
  }
}

const NO_EVENTS: KvEvent[] = [];
