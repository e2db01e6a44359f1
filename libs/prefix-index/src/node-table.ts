import { MAP_WORDS, PairMaps } from './pair-maps.ts';

/** No node; node numbers start at 1. */
export const NONE = 0;

// Words of a node's record. One record is 48 bytes, so that a visit touches one or two cache lines.
export const KEY_HI = 0;
export const KEY_LO = 1;
/** Node number of the parent; while the record is free, of the next free one. */
export const PARENT = 2;
export const SPAN_BYTES = 3;
export const TOKENS = 4;
export const FLAGS = 5;
/** Map: span length of children + 1 -> number of children of that length. */
export const LENGTHS = 6;
/** Map: holder tag (see {@link holderTag}) -> bits of 32 worker rows. */
export const HOLDERS = LENGTHS + MAP_WORDS;
export const NODE_WORDS = HOLDERS + MAP_WORDS;

/** Parent and span are known (not merely mentioned as a parent). */
export const LINKED = 1;
/** Announced since the eviction hand last passed. */
export const RECENT = 2;

/** Plane of speculative holders; planes 0 to 3 are tier codes. */
export const SPECULATIVE = 4;
/** Tag of the bitset of rows `32 * (row >>> 5)` and up in a plane. */
export const holderTag = (row: number, plane: number): number => ((row >>> 5) << 3) | plane;

const FIRST_NODES = 256;

/**
 * Nodes by 64-bit key: open addressing with linear probing over node numbers, records in one Uint32Array. Keys are
 * hashes already, so their low word picks the slot. Slots are at most two thirds full; both arrays double when full
 * (a pause of about 0.1 us per node held).
 */
export class NodeTable {
  words = new Uint32Array(FIRST_NODES * NODE_WORDS);
  /** By node, the child that a walk went to last: a hint, held against the record it names. */
  lastChild = new Uint32Array(FIRST_NODES);
  readonly lengths = new PairMaps();
  readonly holders = new PairMaps();
  /** Node numbers below this one were in use at some time. */
  end = 1;
  size = 0;
  /** Nodes with at least one holder. */
  held = 0;
  /** Counts what changes an answer: links and holders. */
  changes = 0;
  readonly maxNodes: number;
  #slots = new Uint32Array(2 * FIRST_NODES);
  #firstFree = NONE;

  constructor(maxNodes: number) {
    this.maxNodes = maxNodes;
  }

  get full(): boolean {
    return this.size >= this.maxNodes;
  }

  get bytes(): number {
    return (
      this.words.byteLength +
      this.lastChild.byteLength +
      this.#slots.byteLength +
      this.lengths.bytes +
      this.holders.bytes
    );
  }

  /** Number of the node with this key, or {@link NONE}. */
  find(keyHi: number, keyLo: number): number {
    const hi = keyHi >>> 0;
    const lo = keyLo >>> 0;
    const slots = this.#slots;
    const words = this.words;
    const mask = slots.length - 1;
    for (let slot = lo & mask; ; slot = (slot + 1) & mask) {
      const node = slots[slot]!;
      if (node === NONE) return NONE;
      const at = node * NODE_WORDS;
      if (words[at + KEY_LO] === lo && words[at + KEY_HI] === hi) return node;
    }
  }

  /** A new node for a key that is not in the table and while it is not {@link NodeTable.full}: empty and not linked. */
  insert(keyHi: number, keyLo: number): number {
    let node = this.#firstFree;
    if (node !== NONE) this.#firstFree = this.words[node * NODE_WORDS + PARENT]!;
    else {
      node = this.end++;
      if (this.end * NODE_WORDS > this.words.length) this.#growRecords();
    }
    this.size++;
    if (this.size * 3 > this.#slots.length * 2) this.#growSlots();
    const at = node * NODE_WORDS;
    this.words.fill(0, at, at + NODE_WORDS);
    this.words[at + KEY_HI] = keyHi;
    this.words[at + KEY_LO] = keyLo;
    this.#place(node);
    return node;
  }

  /** Says where the node hangs. */
  link(node: number, parent: number, spanBytes: number): void {
    this.changes++;
    const at = node * NODE_WORDS;
    this.words[at + PARENT] = parent;
    this.words[at + SPAN_BYTES] = spanBytes;
    this.words[at + FLAGS]! |= LINKED;
    const lengths = parent * NODE_WORDS + LENGTHS;
    this.lengths.set(this.words, lengths, spanBytes + 1, this.lengths.get(this.words, lengths, spanBytes + 1) + 1);
  }

  /** Enters a holder; false when it was entered already. */
  hold(node: number, row: number, plane: number): boolean {
    const holders = node * NODE_WORDS + HOLDERS;
    const tag = holderTag(row, plane);
    const bits = this.holders.get(this.words, holders, tag);
    const bit = (1 << (row & 31)) >>> 0;
    if ((bits & bit) !== 0) return false;
    this.changes++;
    if (this.words[holders] === 0) this.held++;
    this.holders.set(this.words, holders, tag, (bits | bit) >>> 0);
    return true;
  }

  /** Takes a holder out, and the node with it when it was the last; false when it was no holder. */
  release(node: number, row: number, plane: number): boolean {
    const holders = node * NODE_WORDS + HOLDERS;
    const tag = holderTag(row, plane);
    const bits = this.holders.get(this.words, holders, tag);
    const bit = (1 << (row & 31)) >>> 0;
    if ((bits & bit) === 0) return false;
    this.changes++;
    this.holders.set(this.words, holders, tag, (bits & ~bit) >>> 0);
    if (this.words[holders] === 0) {
      this.held--;
      this.prune(node);
    }
    return true;
  }

  /** Bit p is set when the row holds the node in plane p. */
  planes(node: number, row: number): number {
    const words = this.words;
    const at = node * NODE_WORDS + HOLDERS;
    const count = words[at]!;
    const pairs = count <= 1 ? words : this.holders.words;
    const block = row >>> 5;
    const bit = 1 << (row & 31);
    let planes = 0;
    for (let i = 0, pair = this.holders.start(words, at); i < count; i++, pair += 2) {
      const tag = pairs[pair]!;
      if (tag >>> 3 === block && (pairs[pair + 1]! & bit) !== 0) planes |= 1 << (tag & 7);
    }
    return planes;
  }

  /** Whether any row holds the node in the plane. */
  heldInPlane(node: number, plane: number): boolean {
    const at = node * NODE_WORDS + HOLDERS;
    const count = this.words[at]!;
    const pairs = count <= 1 ? this.words : this.holders.words;
    for (let i = 0, pair = this.holders.start(this.words, at); i < count; i++, pair += 2)
      if ((pairs[pair]! & 7) === plane) return true;
    return false;
  }

  /** One holder of the node, as `8 * row + plane`; -1 when nobody holds it. */
  anyHolder(node: number): number {
    const at = node * NODE_WORDS + HOLDERS;
    if (this.words[at] === 0) return -1;
    const pairs = this.words[at]! <= 1 ? this.words : this.holders.words;
    const pair = this.holders.start(this.words, at);
    const row = ((pairs[pair]! >>> 3) << 5) + 31 - Math.clz32(pairs[pair + 1]!);
    return (row << 3) | (pairs[pair]! & 7);
  }

  /** Frees the node if nobody holds it and nothing hangs below it, and then its ancestors likewise. */
  prune(node: number): void {
    const words = this.words;
    for (let at = node * NODE_WORDS; node !== NONE; at = node * NODE_WORDS) {
      if (words[at + HOLDERS] !== 0 || words[at + LENGTHS] !== 0) return;
      const linked = (words[at + FLAGS]! & LINKED) !== 0;
      const parent = linked ? words[at + PARENT]! : NONE;
      if (linked) {
        const lengths = parent * NODE_WORDS + LENGTHS;
        const tag = words[at + SPAN_BYTES]! + 1;
        this.lengths.set(words, lengths, tag, this.lengths.get(words, lengths, tag) - 1);
      }
      this.#erase(node);
      node = parent;
    }
  }

  #slotOf(node: number): number {
    const mask = this.#slots.length - 1;
    let slot = this.words[node * NODE_WORDS + KEY_LO]! & mask;
    while (this.#slots[slot] !== node) slot = (slot + 1) & mask;
    return slot;
  }

  #place(node: number): void {
    const mask = this.#slots.length - 1;
    let slot = this.words[node * NODE_WORDS + KEY_LO]! & mask;
    while (this.#slots[slot] !== NONE) slot = (slot + 1) & mask;
    this.#slots[slot] = node;
  }

  /** Takes the node out and moves later ones of its run back, so that no probe meets a hole. */
  #erase(node: number): void {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let hole = this.#slotOf(node);
    for (let slot = (hole + 1) & mask; slots[slot] !== NONE; slot = (slot + 1) & mask) {
      const home = this.words[slots[slot]! * NODE_WORDS + KEY_LO]! & mask;
      if (((slot - home) & mask) >= ((slot - hole) & mask)) {
        slots[hole] = slots[slot]!;
        hole = slot;
      }
    }
    slots[hole] = NONE;
    this.words[node * NODE_WORDS + FLAGS] = 0;
    this.words[node * NODE_WORDS + PARENT] = this.#firstFree;
    this.#firstFree = node;
    this.size--;
  }

  #growRecords(): void {
    const larger = new Uint32Array(this.words.length * 2);
    larger.set(this.words);
    this.words = larger;
    const children = new Uint32Array(this.lastChild.length * 2);
    children.set(this.lastChild);
    this.lastChild = children;
  }

  #growSlots(): void {
    const old = this.#slots;
    this.#slots = new Uint32Array(old.length * 2);
    for (let slot = 0; slot < old.length; slot++) if (old[slot] !== NONE) this.#place(old[slot]!);
  }
}
