/** One stored message. */
export interface StreamEntry {
  readonly seq: number;
  readonly tokens: readonly string[];
  readonly bytes: Uint8Array;
}

/** Fixed cost of an entry beside its bytes, so that many empty messages are bounded too. */
const ENTRY_BYTES = 64;

/** The last messages of a stream, bounded by bytes, addressed by sequence (from 1). The oldest are discarded. */
export class MemoryStream {
  readonly #maxBytes: number;
  #entries: (StreamEntry | undefined)[] = [];
  /** Index in `#entries` of the oldest entry held. */
  #head = 0;
  #bytes = 0;
  #lastSeq = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get lastSeq(): number {
    return this.#lastSeq;
  }

  /** Sequence of the oldest entry held; `lastSeq + 1` when there is none. */
  get firstSeq(): number {
    return this.#lastSeq - (this.#entries.length - this.#head) + 1;
  }

  push(tokens: readonly string[], bytes: Uint8Array): void {
    this.#entries.push({ seq: ++this.#lastSeq, tokens, bytes });
    this.#bytes += bytes.length + ENTRY_BYTES;
    while (this.#bytes > this.#maxBytes && this.#head < this.#entries.length) {
      this.#bytes -= this.#entries[this.#head]!.bytes.length + ENTRY_BYTES;
      this.#entries[this.#head++] = undefined;
    }
    if (this.#head > 1024 && this.#head * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#head);
      this.#head = 0;
    }
  }

  /** The entry with `seq`; it must lie in `firstSeq..lastSeq`. */
  at(seq: number): StreamEntry {
    return this.#entries[this.#head + (seq - this.firstSeq)]!;
  }
}
