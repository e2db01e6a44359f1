/** A first-in first-out queue whose items are addressed by their sequence, which counts up from 1 and is never reused. */
export class SequencedQueue<T> {
  #items: (T | undefined)[] = [];
  /** Position in `#items` of the oldest item held. */
  #head = 0;
  #lastSeq = 0;

  get length(): number {
    return this.#items.length - this.#head;
  }

  /** Sequence of the newest item ever pushed; 0 before the first. */
  get lastSeq(): number {
    return this.#lastSeq;
  }

  /** Sequence of the oldest item held; `lastSeq + 1` when there is none. */
  get firstSeq(): number {
    return this.#lastSeq - this.length + 1;
  }

  push(item: T): number {
    this.#items.push(item);
    return ++this.#lastSeq;
  }

  /** Removes the oldest item. */
  shift(): T | undefined {
    if (this.length === 0) return undefined;
    const item = this.#items[this.#head];
    this.#items[this.#head++] = undefined;
    if (this.#head > 1024 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }

  /** The item with `seq`, which must lie in `firstSeq..lastSeq`. */
  at(seq: number): T {
    return this.#items[this.#head + (seq - this.firstSeq)]!;
  }
}
