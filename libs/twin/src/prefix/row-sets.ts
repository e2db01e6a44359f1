/**
 * Sets of rows, each named by one number: 0 is empty, n > 0 is row n - 1 alone, and n < 0 a set of several. Most sets
 * have one row at most, so the words of the others are all that takes space.
 */
export class RowSets {
  /** Words of one set of several, as bits. */
  private readonly setWords: number;
  private words = new Int32Array(0);
  private count = 0;
  /** Numbers of sets that are in use no more. */
  private readonly free: number[] = [];

  constructor(rows: number) {
    this.setWords = (rows + 31) >>> 5;
  }

  has(set: number, row: number): boolean {
    return (this.wordOf(set, row >>> 5) & (1 << (row & 31))) !== 0;
  }

  /** The rows from `32 x word` on, as bits. */
  wordOf(set: number, word: number): number {
    if (set < 0) return this.words[~set * this.setWords + word]!;
    return set !== 0 && (set - 1) >>> 5 === word ? 1 << ((set - 1) & 31) : 0;
  }

  /** What `set` is named with `row` in it. */
  with(set: number, row: number): number {
    if (set === 0 || set === row + 1) return row + 1;
    if (set > 0) {
      const several = this.create();
      this.setBit(several, set - 1);
      this.setBit(several, row);
      return several;
    }
    this.setBit(set, row);
    return set;
  }

  /** What `set` is named without `row`. */
  without(set: number, row: number): number {
    if (set >= 0) return set === row + 1 ? 0 : set;
    const { words, setWords } = this;
    const start = ~set * setWords;
    words[start + (row >>> 5)]! &= ~(1 << (row & 31));
    const left = this.onlyRowOf(start);
    if (left < 0) return set;
    words.fill(0, start, start + setWords);
    this.free.push(set);
    return left + 1;
  }

  private setBit(set: number, row: number): void {
    this.words[~set * this.setWords + (row >>> 5)]! |= 1 << (row & 31);
  }

  /** An empty set to put several in. */
  private create(): number {
    const freed = this.free.pop();
    if (freed !== undefined) return freed;
    const needed = ++this.count * this.setWords;
    if (needed > this.words.length) {
      const grown = new Int32Array(Math.max(64, 2 * needed));
      grown.set(this.words);
      this.words = grown;
    }
    return ~(this.count - 1);
  }

  /** The row of a set that has but one; -1 where there are more. */
  private onlyRowOf(start: number): number {
    let only = -1;
    for (let word = 0; word < this.setWords; word++) {
      const bits = this.words[start + word]!;
      if (bits === 0) continue;
      if (only >= 0 || (bits & (bits - 1)) !== 0) return -1;
      only = 32 * word + 31 - Math.clz32(bits);
    }
    return only;
  }
}
