import { TIER_COUNT } from '@sluice/model';

/**
 * Answer of a match, one row per worker row of the index; reused from request to request and grown by the index.
 * "Confirmed" is what the worker's own events say; "cached" adds what was routed to it and is not confirmed yet.
 */
export class PrefixMatches {
  /** Rows filled by the last match. */
  size = 0;
  /** Exact tokens of the confirmed prefix plus estimated tokens of the speculative bytes beyond it. */
  cachedTokens!: Float64Array;
  /** Bytes of the prompt covered by the confirmed prefix or by speculation, whichever reaches further. */
  cachedBytes!: Uint32Array;
  confirmedTokens!: Float64Array;
  confirmedBytes!: Uint32Array;
  /** By tier code: confirmed tokens whose fastest copy is in that tier. They sum up to `confirmedTokens`. */
  tierTokens!: readonly Float64Array[];
  /** Tokens of the last confirmed block (an engine computes it again when the whole prompt is cached); 0 without one. */
  lastBlockTokens!: Uint32Array;
  /** 1 when the confirmed prefix is the whole prompt. */
  whole!: Uint8Array;
  #capacity = -1;

  constructor(capacity: number) {
    this.reset(capacity);
    this.size = 0;
  }

  /** Zeroes the first `size` rows, growing the columns when they are too short. */
  reset(size: number): void {
    this.size = size;
    if (size <= this.#capacity) {
      this.cachedTokens.fill(0, 0, size);
      this.cachedBytes.fill(0, 0, size);
      this.confirmedTokens.fill(0, 0, size);
      this.confirmedBytes.fill(0, 0, size);
      for (const column of this.tierTokens) column.fill(0, 0, size);
      this.lastBlockTokens.fill(0, 0, size);
      this.whole.fill(0, 0, size);
      return;
    }
    this.#capacity = Math.max(8, 2 ** Math.ceil(Math.log2(size)));
    this.cachedTokens = new Float64Array(this.#capacity);
    this.cachedBytes = new Uint32Array(this.#capacity);
    this.confirmedTokens = new Float64Array(this.#capacity);
    this.confirmedBytes = new Uint32Array(this.#capacity);
    this.tierTokens = Array.from({ length: TIER_COUNT }, () => new Float64Array(this.#capacity));
    this.lastBlockTokens = new Uint32Array(this.#capacity);
    this.whole = new Uint8Array(this.#capacity);
  }
}

/** Columns for `capacity` workers; they grow when the index has more. */
export const createMatches = (capacity: number): PrefixMatches => new PrefixMatches(capacity);
