/**
 * Rows found by a 64-bit name, given as two unsigned 32-bit words. Row numbers are stable until deleted and then used
 * again, so columns can be kept beside the map, indexed by row. Several rows may have the same name.
 */
export class RowMap {
  hi: Uint32Array;
  lo: Uint32Array;
  /** Next row of the same bucket or of the free list; -1: none. */
  #next: Int32Array;
  #live: Uint8Array;
  #heads: Int32Array;
  #shift: number;
  #free = -1;
  #used = 0;
  #size = 0;

  constructor() {
    const capacity = 64;
    this.hi = new Uint32Array(capacity);
    this.lo = new Uint32Array(capacity);
    this.#next = new Int32Array(capacity);
    this.#live = new Uint8Array(capacity);
    this.#heads = new Int32Array(capacity).fill(-1);
    this.#shift = 32 - Math.log2(capacity);
  }

  get size(): number {
    return this.#size;
  }

  /** Columns beside the map need so many rows. */
  get capacity(): number {
    return this.hi.length;
  }

  /** Rows ever used: iterate below it and skip those that are not live. */
  get end(): number {
    return this.#used;
  }

  isLive(row: number): boolean {
    return this.#live[row] === 1;
  }

  /** A row named so, or -1; the rest of them by {@link RowMap.nextMatch}. */
  first(hi: number, lo: number): number {
    return this.#match(this.#heads[this.#bucket(hi, lo)]!, hi, lo);
  }

  /** The next row with the name of `row`, or -1. */
  nextMatch(row: number): number {
    return this.#match(this.#next[row]!, this.hi[row]!, this.lo[row]!);
  }

  /** A new row; its columns hold what the row's last user left there. {@link RowMap.capacity} may grow. */
  insert(hi: number, lo: number): number {
    if (this.#free < 0 && this.#used === this.capacity) this.#grow();
    let row = this.#free;
    if (row < 0) row = this.#used++;
    else this.#free = this.#next[row]!;
    this.hi[row] = hi;
    this.lo[row] = lo;
    this.#live[row] = 1;
    this.#size++;
    this.#link(row);
    return row;
  }

  delete(row: number): void {
    const bucket = this.#bucket(this.hi[row]!, this.lo[row]!);
    if (this.#heads[bucket] === row) this.#heads[bucket] = this.#next[row]!;
    else {
      let before = this.#heads[bucket]!;
      while (this.#next[before] !== row) before = this.#next[before]!;
      this.#next[before] = this.#next[row]!;
    }
    this.#live[row] = 0;
    this.#next[row] = this.#free;
    this.#free = row;
    this.#size--;
  }

  #match(row: number, hi: number, lo: number): number {
    while (row >= 0 && (this.lo[row] !== lo || this.hi[row] !== hi)) row = this.#next[row]!;
    return row;
  }

  #bucket(hi: number, lo: number): number {
    return Math.imul(lo ^ Math.imul(hi, 0x9e3779b1), 0x85ebca6b) >>> this.#shift;
  }

  #link(row: number): void {
    const bucket = this.#bucket(this.hi[row]!, this.lo[row]!);
    this.#next[row] = this.#heads[bucket]!;
    this.#heads[bucket] = row;
  }

  #grow(): void {
    const capacity = this.capacity * 2;
    this.hi = widened(this.hi, capacity);
    this.lo = widened(this.lo, capacity);
    this.#next = new Int32Array(capacity);
    this.#heads = new Int32Array(capacity).fill(-1);
    this.#shift--;
    const live = new Uint8Array(capacity);
    live.set(this.#live);
    this.#live = live;
    // only called with every row live
    for (let row = 0; row < this.#used; row++) this.#link(row);
  }
}

/** A copy of `column` with room for `length` values. */
export function widened(column: Uint32Array, length: number): Uint32Array<ArrayBuffer> {
  const wide = new Uint32Array(length);
  wide.set(column);
  return wide;
}
