interface Kept<Item> {
  readonly item: Item;
  readonly ms: number;
  readonly atMs: number;
}

/** The slowest of what was offered within a time, at most so many. An offer that is not among them costs two comparisons. */
export class SlowestOf<Item> {
  readonly #capacity: number;
  readonly #forMs: number;
  #kept: Kept<Item>[] = [];
  /** What an offer must exceed while nothing is too old. */
  #leastMs = -Infinity;
  #staleAtMs = Infinity;

  /** @param forMs how long an item is kept, milliseconds */
  constructor(capacity: number, forMs: number) {
    this.#capacity = capacity;
    this.#forMs = forMs;
  }

  /**
   * Keeps an item if it is among the slowest; whoever is no longer is forgotten.
   * @param ms how slow it was
   * @param atMs when it is offered: never earlier than the offer before
   * @returns whether it is kept
   */
  offer(item: Item, ms: number, atMs: number): boolean {
    if (ms <= this.#leastMs && atMs < this.#staleAtMs) return false;
    const kept = this.#kept.filter((each) => each.atMs + this.#forMs > atMs);
    kept.push({ item, ms, atMs });
    // Of equally slow ones the earlier offer stays: the sort is stable.
    this.#kept = kept.sort((a, b) => b.ms - a.ms).slice(0, this.#capacity);
    this.#leastMs = this.#kept.length < this.#capacity ? -Infinity : (this.#kept.at(-1)?.ms ?? Infinity);
    this.#staleAtMs = this.#kept.reduce((least, each) => Math.min(least, each.atMs + this.#forMs), Infinity);
    return this.#kept.some((each) => each.item === item);
  }

  /** Slowest first. */
  get items(): Item[] {
    return this.#kept.map(({ item }) => item);
  }
}
