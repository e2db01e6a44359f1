import { SequencedQueue } from './sequenced-queue.ts';

/** One stored message. */
export interface StreamEntry {
  readonly tokens: readonly string[];
  readonly bytes: Uint8Array;
}

/** Fixed cost of an entry beside its bytes, so that many small messages are bounded too. */
const ENTRY_BYTES = 64;

/** The last messages of a stream, bounded by bytes; the oldest are discarded. */
export class MemoryStream {
  readonly #maxBytes: number;
  readonly #entries = new SequencedQueue<StreamEntry>();
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get firstSeq(): number {
    return this.#entries.firstSeq;
  }

  get lastSeq(): number {
    return this.#entries.lastSeq;
  }

  push(entry: StreamEntry): void {
    this.#entries.push(entry);
    this.#bytes += entry.bytes.length + ENTRY_BYTES;
    while (this.#bytes > this.#maxBytes && this.#entries.length > 0) {
      this.#bytes -= this.#entries.shift()!.bytes.length + ENTRY_BYTES;
    }
  }

  /** The entry with `seq`, which must lie in `firstSeq..lastSeq`. */
  at(seq: number): StreamEntry {
    return this.#entries.at(seq);
  }
}
