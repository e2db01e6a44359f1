/** A set of 64-bit keys (two u32 words) that is filled and then emptied whole: open addressing over a Uint32Array. */
export class KeySet {
  /** Pairs (hi, lo); (0, 0) is no key and marks a free slot. */
  #slots = new Uint32Array(64);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Keys are hashes: the low word picks the slot. */
  add(hi: number, lo: number): void {
    const slots = this.#slots;
    const mask = slots.length / 2 - 1;
    const [high, low] = [hi >>> 0, lo >>> 0];
    for (let slot = low & mask; ; slot = (slot + 1) & mask) {
      const at = 2 * slot;
      if (slots[at] === high && slots[at + 1] === low) return;
      if (slots[at] !== 0 || slots[at + 1] !== 0) continue;
      slots[at] = high;
      slots[at + 1] = low;
      if (++this.#size * 3 > mask * 2) this.#grow();
      return;
    }
  }

  *[Symbol.iterator](): IterableIterator<readonly [hi: number, lo: number]> {
    const slots = this.#slots;
    for (let at = 0; at < slots.length; at += 2)
      if (slots[at] !== 0 || slots[at + 1] !== 0) yield [slots[at]!, slots[at + 1]!];
  }

  #grow(): void {
    const keys = [...this];
    this.#slots = new Uint32Array(this.#slots.length * 2);
    this.#size = 0;
    for (const [hi, lo] of keys) this.add(hi, lo);
  }
}
