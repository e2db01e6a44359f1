/**
 * The bytes of every token of a model: what turns the token ids of KV events and the text of requests into the same keys.
 *
 * - A token of the model is the bytes it stands for (a part of a character where the tokenizer works on bytes).
 * - An added or special token (`<|im_start|>`) is its text in UTF-8.
 * - The token that the tokenizer puts in front of every prompt (BOS) is no bytes, wherever it stands.
 * - An id that the vocabulary lacks is 0xFF and the id in four bytes, big-endian: 0xFF never occurs in UTF-8, so that
 *   such ids stay apart from text and from each other.
 */
export interface Vocabulary {
  /** One more than the largest id. */
  readonly size: number;
  /** Bytes of one token; a view that must not be written to. */
  tokenBytes(id: number): Uint8Array;
  /** Number of bytes of the tokens `ids[start, end)`. */
  spanLength(ids: Uint32Array, start: number, end: number): number;
  /** Writes the bytes of the tokens `ids[start, end)` to `out` from `at` on; returns the position behind them. */
  copySpan(ids: Uint32Array, start: number, end: number, out: Uint8Array, at: number): number;
}

const UNKNOWN_ID_LENGTH = 5;

/** Collects tokens in any order of their ids and packs them. A token that is set again is replaced. */
export class VocabularyBuilder {
  private bytes = new Uint8Array(1 << 20);
  private used = 0;
  private starts = new Uint32Array(1 << 17);
  /** Length of the token plus one; 0: no such token. */
  private lengths = new Uint32Array(1 << 17);
  private size = 0;

  /** Sets the bytes of token `id`, given as `length` bytes of `source`. */
  set(id: number, source: Uint8Array, length: number): void {
    while (this.used + length > this.bytes.length) this.bytes = grown(this.bytes, Uint8Array);
    while (id >= this.starts.length) {
      this.starts = grown(this.starts, Uint32Array);
      this.lengths = grown(this.lengths, Uint32Array);
    }
    for (let i = 0; i < length; i++) this.bytes[this.used + i] = source[i]!;
    this.starts[id] = this.used;
    this.lengths[id] = length + 1;
    this.used += length;
    this.size = Math.max(this.size, id + 1);
  }

  build(): Vocabulary {
    const { size, starts, lengths } = this;
    let total = 0;
    for (let id = 0; id < size; id++) total += lengths[id] === 0 ? UNKNOWN_ID_LENGTH : lengths[id]! - 1;
    const bytes = new Uint8Array(total);
    const offsets = new Uint32Array(size + 1);
    let at = 0;
    for (let id = 0; id < size; id++) {
      offsets[id] = at;
      if (lengths[id] === 0) at = writeUnknownId(id, bytes, at);
      else {
        const start = starts[id]!;
        const end = start + lengths[id]! - 1;
        for (let i = start; i < end; i++) bytes[at++] = this.bytes[i]!;
      }
    }
    offsets[size] = at;
    return new PackedVocabulary(size, bytes, offsets);
  }
}

class PackedVocabulary implements Vocabulary {
  readonly size: number;
  private readonly bytes: Uint8Array;
  private readonly offsets: Uint32Array;

  constructor(size: number, bytes: Uint8Array, offsets: Uint32Array) {
    this.size = size;
    this.bytes = bytes;
    this.offsets = offsets;
  }

  tokenBytes(id: number): Uint8Array {
    if (id < this.size) return this.bytes.subarray(this.offsets[id], this.offsets[id + 1]);
    const bytes = new Uint8Array(UNKNOWN_ID_LENGTH);
    writeUnknownId(id, bytes, 0);
    return bytes;
  }

  spanLength(ids: Uint32Array, start: number, end: number): number {
    const { offsets, size } = this;
    let length = 0;
    for (let i = start; i < end; i++) {
      const id = ids[i]!;
      length += id < size ? offsets[id + 1]! - offsets[id]! : UNKNOWN_ID_LENGTH;
    }
    return length;
  }

  copySpan(ids: Uint32Array, start: number, end: number, out: Uint8Array, at: number): number {
    const { bytes, offsets, size } = this;
    for (let i = start; i < end; i++) {
      const id = ids[i]!;
      if (id >= size) {
        at = writeUnknownId(id, out, at);
        continue;
      }
      const stop = offsets[id + 1]!;
      for (let j = offsets[id]!; j < stop; j++) out[at++] = bytes[j]!;
    }
    return at;
  }
}

function writeUnknownId(id: number, out: Uint8Array, at: number): number {
  out[at] = 0xff;
  out[at + 1] = id >>> 24;
  out[at + 2] = id >>> 16;
  out[at + 3] = id >>> 8;
  out[at + 4] = id;
  return at + UNKNOWN_ID_LENGTH;
}

function grown<T extends Uint8Array | Uint32Array>(array: T, type: new (length: number) => T): T {
  const larger = new type(array.length * 2);
  larger.set(array);
  return larger;
}
