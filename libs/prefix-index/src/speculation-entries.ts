// Words of an entry's record: 32 bytes, so that a visit touches one cache line.
export const NODE = 0;
export const ROW = 1;
export const ENTRY_BYTES = 2;
/** Speculations in flight that cover the entry. */
export const REFS = 3;
/** 1: the worker computed it, and keeps it until it must make room. */
export const SETTLED = 4;
/** Neighbours in the list by last use; of a free entry, NEWER is the next free one. */
export const OLDER = 5;
export const NEWER = 6;
/** Entry of the same row and the parent node, where it was last seen: a hint, held against the record it names. */
export const UP = 7;
export const ENTRY_WORDS = 8;

const FIRST_ENTRIES = 64;

/** Speculative entries by (row, node): open addressing with linear probing over entry numbers. Entry 0 is none. */
export class SpeculationEntries {
  words = new Uint32Array(FIRST_ENTRIES * ENTRY_WORDS);
  /** Entries of all rows. */
  size = 0;
  #end = 1;
  #firstFree = 0;
  #slots = new Uint32Array(2 * FIRST_ENTRIES);

  get bytes(): number {
    return this.words.byteLength + this.#slots.byteLength;
  }

  /** The entry of the row and the node, 0 when there is none. */
  find(row: number, node: number): number {
    const { words } = this;
    const slots = this.#slots;
    const mask = slots.length - 1;
    for (let slot = this.#home(row, node); ; slot = (slot + 1) & mask) {
      const entry = slots[slot]!;
      const at = entry * ENTRY_WORDS;
      if (entry === 0 || (words[at + NODE] === node && words[at + ROW] === row)) return entry;
    }
  }

  /** A new entry for a row and a node that have none. */
  insert(row: number, node: number, bytes: number): number {
    let entry = this.#firstFree;
    if (entry !== 0) this.#firstFree = this.words[entry * ENTRY_WORDS + NEWER]!;
    else {
      entry = this.#end++;
      if (this.#end * ENTRY_WORDS > this.words.length) this.#growRecords();
    }
    const at = entry * ENTRY_WORDS;
    this.words[at + NODE] = node;
    this.words[at + ROW] = row;
    this.words[at + ENTRY_BYTES] = bytes;
    this.words[at + REFS] = 0;
    this.words[at + SETTLED] = 0;
    this.words[at + UP] = 0;
    this.size++;
    if (this.size * 3 > this.#slots.length * 2) this.#growSlots();
    this.#place(entry);
    return entry;
  }

  /** Takes the entry out and moves later ones of its run back, so that no probe meets a hole. */
  erase(entry: number): void {
    const { words } = this;
    const slots = this.#slots;
    const mask = slots.length - 1;
    let hole = this.#homeOf(entry);
    while (slots[hole] !== entry) hole = (hole + 1) & mask;
    for (let slot = (hole + 1) & mask; slots[slot] !== 0; slot = (slot + 1) & mask) {
      const home = this.#homeOf(slots[slot]!);
      if (((slot - home) & mask) >= ((slot - hole) & mask)) {
        slots[hole] = slots[slot]!;
        hole = slot;
      }
    }
    slots[hole] = 0;
    words[entry * ENTRY_WORDS + NODE] = 0;
    words[entry * ENTRY_WORDS + NEWER] = this.#firstFree;
    this.#firstFree = entry;
    this.size--;
  }

  #home(row: number, node: number): number {
    const h = Math.imul(node, 0x9e3779b1) ^ Math.imul(row + 1, 0x85ebca6b);
    return (h ^ (h >>> 15)) & (this.#slots.length - 1);
  }

  #homeOf(entry: number): number {
    return this.#home(this.words[entry * ENTRY_WORDS + ROW]!, this.words[entry * ENTRY_WORDS + NODE]!);
  }

  #place(entry: number): void {
    const mask = this.#slots.length - 1;
    let slot = this.#homeOf(entry);
    while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
    this.#slots[slot] = entry;
  }

  #growRecords(): void {
    const larger = new Uint32Array(this.words.length * 2);
    larger.set(this.words);
    this.words = larger;
  }

  #growSlots(): void {
    const old = this.#slots;
    this.#slots = new Uint32Array(old.length * 2);
    for (const entry of old) if (entry !== 0) this.#place(entry);
  }
}
