/** Bytes of token ids; what `Vocabulary` of @sluice/prompt offers. */
export interface SpanSource {
  /** Ids from here on are not in the vocabulary. */
  readonly size: number;
  spanLength(ids: Uint32Array, start: number, end: number): number;
  copySpan(ids: Uint32Array, start: number, end: number, out: Uint8Array, at: number): number;
}

const UTF8 = new TextEncoder();
const SEPARATOR = new Uint8Array([0]);

/** The bytes that a block's key is made of, in a buffer that is used again for every block. */
export class SpanBytes {
  bytes = new Uint8Array(1024);
  /** Length of the span itself, without what was folded into the key behind it. */
  textBytes = 0;
  readonly #vocabulary: SpanSource;

  constructor(vocabulary: SpanSource) {
    this.#vocabulary = vocabulary;
  }

  countOutside(ids: Uint32Array): number {
    const { size } = this.#vocabulary;
    let outside = 0;
    for (let i = 0; i < ids.length; i++) if (ids[i]! >= size) outside++;
    return outside;
  }

  /**
   * Writes the span of `ids[start, end)`, and behind it what else the block depends on (images), so that no plain text
   * has its key. A span without bytes is told apart by its ids: an empty span would match every prompt.
   * Returns the number of bytes that make the key.
   */
  fill(ids: Uint32Array, start: number, end: number, foreign: string | null): number {
    const length = this.#vocabulary.spanLength(ids, start, end);
    this.textBytes = length;
    const folded = length === 0 ? `${foreign ?? ''} ${ids.subarray(start, end).join(' ')}` : foreign;
    const suffix = folded === null ? null : UTF8.encode(folded);
    const total = length + (suffix === null ? 0 : 1 + suffix.length);
    if (total > this.bytes.length) this.bytes = new Uint8Array(total * 2);
    this.#vocabulary.copySpan(ids, start, end, this.bytes, 0);
    if (suffix !== null) {
      this.bytes.set(SEPARATOR, length);
      this.bytes.set(suffix, length + 1);
    }
    return total;
  }
}
