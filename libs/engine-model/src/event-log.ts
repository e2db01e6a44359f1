import type { KvSink } from './core-api.ts';
import type { EngineRequest } from './engine-api.ts';
import type { KvEvent } from './kv-event.ts';
import type { TokenText } from './token-text.ts';

/** Collects the changes of one step as events; runs of removals become one event. */
export class EventLog<R extends EngineRequest> implements KvSink<TokenText<R>> {
  private readonly blockSize: number;
  private events: KvEvent[] = [];
  /** Keys removed since the last stored event, low word first. */
  private removedWords = new Uint32Array(64);
  private removedCount = 0;

  constructor(blockSize: number) {
    this.blockSize = blockSize;
  }

  stored(text: TokenText<R>, _keys: Int32Array, first: number, end: number): void {
    this.flushRemoved();
    this.events.push({
      kind: 'stored',
      hashes: text.keys(first, end),
      parent: first === 0 ? null : text.keys(first - 1, first)[0]!,
      tokenIds: text.tokenIds(first, end),
      blockSize: this.blockSize,
      loraName: text.request.loraName,
      cacheSalt: text.request.cacheSalt,
    });
  }

  removed(keyHi: number, keyLo: number): void {
    const at = 2 * this.removedCount++;
    if (at === this.removedWords.length) {
      const grown = new Uint32Array(2 * at);
      grown.set(this.removedWords);
      this.removedWords = grown;
    }
    this.removedWords[at] = keyLo;
    this.removedWords[at + 1] = keyHi;
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
