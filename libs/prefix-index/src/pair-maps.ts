/** Words of one map inside its owner's record. */
export const MAP_WORDS = 3;

/**
 * Many tiny maps u32 -> non-zero u32, each three words inside a record of its owner: `count, a, b`. One pair lives in
 * (a, b) itself; more live in a run of this pool (a = offset, b = class: the run has room for 2^class pairs). Most nodes
 * have one pair in each of their maps, so that a visit touches no memory but the record.
 *
 * To iterate without a closure: {@link PairMaps.start} and the words it says, `count` pairs of (tag, value).
 */
export class PairMaps {
  words = new Uint32Array(64);
  #used = 0;
  /** By class: offset + 1 of the first free run; a free run's first word links to the next. */
  readonly #free = new Uint32Array(32);

  get bytes(): number {
    return this.words.byteLength;
  }

  /** Where the pairs start: in `owner` for up to one pair, else in {@link PairMaps.words}. */
  start(owner: Uint32Array, at: number): number {
    return owner[at]! <= 1 ? at + 1 : owner[at + 1]!;
  }

  /** The value of `tag`, 0 when it has none. */
  get(owner: Uint32Array, at: number, tag: number): number {
    const found = this.#find(owner, at, tag);
    return found < 0 ? 0 : (owner[at]! <= 1 ? owner : this.words)[found + 1]!;
  }

  /** Sets the value of `tag`; 0 takes the pair out. */
  set(owner: Uint32Array, at: number, tag: number, value: number): void {
    const found = this.#find(owner, at, tag);
    if (found >= 0) {
      if (value === 0) this.#takeOut(owner, at, found);
      else (owner[at]! <= 1 ? owner : this.words)[found + 1] = value;
    } else if (value !== 0) this.#append(owner, at, tag, value);
  }

  #find(owner: Uint32Array, at: number, tag: number): number {
    const count = owner[at]!;
    const words = count <= 1 ? owner : this.words;
    for (let i = 0, pair = this.start(owner, at); i < count; i++, pair += 2) if (words[pair] === tag) return pair;
    return -1;
  }

  #append(owner: Uint32Array, at: number, tag: number, value: number): void {
    const count = owner[at]!;
    if (count === 0) {
      owner[at + 1] = tag;
      owner[at + 2] = value;
    } else if (count === 1) {
      const run = this.#allocate(1);
      this.words[run] = owner[at + 1]!;
      this.words[run + 1] = owner[at + 2]!;
      this.words[run + 2] = tag;
      this.words[run + 3] = value;
      owner[at + 1] = run;
      owner[at + 2] = 1;
    } else {
      const size = owner[at + 2]!;
      if (count === 2 ** size) {
        const run = this.#allocate(size + 1);
        const old = owner[at + 1]!;
        this.words.copyWithin(run, old, old + 2 * count);
        this.#release(old, size);
        owner[at + 1] = run;
        owner[at + 2] = size + 1;
      }
      const pair = owner[at + 1]! + 2 * count;
      this.words[pair] = tag;
      this.words[pair + 1] = value;
    }
    owner[at] = count + 1;
  }

  #takeOut(owner: Uint32Array, at: number, pair: number): void {
    const count = owner[at]!;
    owner[at] = count - 1;
    if (count === 1) return;
    const run = owner[at + 1]!;
    const last = run + 2 * (count - 1);
    this.words[pair] = this.words[last]!;
    this.words[pair + 1] = this.words[last + 1]!;
    if (count === 2) {
      const size = owner[at + 2]!;
      owner[at + 1] = this.words[run]!;
      owner[at + 2] = this.words[run + 1]!;
      this.#release(run, size);
    }
  }

  #allocate(size: number): number {
    const free = this.#free[size]!;
    if (free !== 0) {
      this.#free[size] = this.words[free - 1]!;
      return free - 1;
    }
    const run = this.#used;
    this.#used += 2 << size;
    if (this.#used > this.words.length) {
      const larger = new Uint32Array(2 ** Math.ceil(Math.log2(this.#used)));
      larger.set(this.words);
      this.words = larger;
    }
    return run;
  }

  #release(run: number, size: number): void {
    this.words[run] = this.#free[size]!;
    this.#free[size] = run + 1;
  }
}
