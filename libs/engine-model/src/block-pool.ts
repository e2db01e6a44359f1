/** Told the key, as signed words, of every cached block whose memory was taken for something else. */
export type EvictionSink = (keyHi: number, keyLo: number) => void;

const NONE = -1;

// Words of a block's record: 32 bytes, so that a visit touches one cache line.
const KEY_LO = 0;
const KEY_HI = 1;
const REFERENCES = 2;
/** 1: the block's content has a key and can be hit. */
const CACHED = 3;
/** Neighbours in the free queue. */
const FREE_NEXT = 4;
const FREE_PREVIOUS = 5;
const SHIFT = 3;

/**
 * The physical KV blocks of one engine, as vLLM's block pool manages them: blocks have reference counts; a block without
 * references waits in a free queue, keeps its content and can be hit until it is taken from the queue's head. One key
 * may be held by several blocks (copies); a lookup finds the oldest. Everything is O(1) and nothing allocates.
 */
export class BlockPool {
  /** Number of blocks. */
  readonly capacity: number;
  private readonly evicted: EvictionSink;
  /** One record a block, and that of the free queue's sentinel. */
  private readonly records: Int32Array;
  private readonly sentinel: number;
  /**
   * Cached blocks by key: open addressing with linear probing, the number of the block and the key's low word in each
   * slot. Removal shifts back, which keeps copies of a key in their order, the oldest first. At most a third is full:
   * keys of neighbouring blocks may be neighbours, so runs of full slots are long.
   */
  private readonly slots: Int32Array;
  private readonly slotMask: number;
  private free: number;
  private cached = 0;

  /** A pool of `capacity` empty blocks. */
  constructor(capacity: number, evicted: EvictionSink) {
    this.capacity = capacity;
    this.evicted = evicted;
    this.records = new Int32Array((capacity + 1) << SHIFT);
    this.sentinel = capacity << SHIFT;
    for (let block = 0; block <= capacity; block++) {
      this.records[(block << SHIFT) + FREE_NEXT] = block === capacity ? 0 : block + 1;
      this.records[(block << SHIFT) + FREE_PREVIOUS] = block === 0 ? capacity : block - 1;
    }
    let slots = 2;
    while (slots < 3 * capacity) slots *= 2;
    this.slotMask = slots - 1;
    this.slots = new Int32Array(2 * slots).fill(NONE);
    this.free = capacity;
  }

  /** Blocks without references, cached or not. */
  get freeBlocks(): number {
    return this.free;
  }

  /** Blocks whose content can be hit, referenced or not; copies count each. */
  get cachedBlocks(): number {
    return this.cached;
  }

  /** References of `block`. */
  referencesOf(block: number): number {
    return this.records[(block << SHIFT) + REFERENCES]!;
  }

  /** The oldest block that holds this key, or -1. Takes no reference. */
  find(keyHi: number, keyLo: number): number {
    const { records, slots, slotMask } = this;
    const hi = keyHi | 0;
    const lo = keyLo | 0;
    for (let slot = lo & slotMask; ; slot = (slot + 1) & slotMask) {
      const block = slots[2 * slot]!;
      if (block === NONE) return NONE;
      if (slots[2 * slot + 1] === lo && records[(block << SHIFT) + KEY_HI] === hi) return block;
    }
  }

  /** Whether `block`, which {@link find} returned, or a younger copy of it has references. */
  isReferenced(block: number): boolean {
    const { records, slots, slotMask } = this;
    const hi = records[(block << SHIFT) + KEY_HI]!;
    const lo = records[(block << SHIFT) + KEY_LO]!;
    for (let slot = lo & slotMask; slots[2 * slot] !== NONE; slot = (slot + 1) & slotMask) {
      const at = slots[2 * slot]! << SHIFT;
      if (slots[2 * slot + 1] === lo && records[at + KEY_HI] === hi && records[at + REFERENCES]! > 0) return true;
    }
    return false;
  }

  /** Takes a reference to a block that {@link find} returned. */
  reference(block: number): void {
    const at = block << SHIFT;
    if (this.records[at + REFERENCES]!++ === 0) this.unlinkFree(at);
  }

  /**
   * Takes the block at the front of the free queue, evicting what it held, with one reference.
   * @throws RangeError when no block is free: the caller must check {@link freeBlocks} first.
   */
  allocate(): number {
    const { records } = this;
    const block = records[this.sentinel + FREE_NEXT]!;
    if (block === this.capacity) throw new RangeError('no free block');
    const at = block << SHIFT;
    this.unlinkFree(at);
    if (records[at + CACHED] === 1) {
      this.unlinkKey(at);
      this.evicted(records[at + KEY_HI]!, records[at + KEY_LO]!);
    }
    records[at + REFERENCES] = 1;
    return block;
  }

  /** Gives the content of a referenced block its key, so that it can be hit from now on. */
  cache(block: number, keyHi: number, keyLo: number): void {
    const { records } = this;
    const at = block << SHIFT;
    records[at + KEY_HI] = keyHi;
    records[at + KEY_LO] = keyLo;
    records[at + CACHED] = 1;
    this.cached++;
    const { slots, slotMask } = this;
    let slot = keyLo & slotMask;
    while (slots[2 * slot] !== NONE) slot = (slot + 1) & slotMask;
    slots[2 * slot] = block;
    slots[2 * slot + 1] = keyLo;
  }

  /**
   * Gives one reference back. After the last one a block with a key goes to the end of the free queue, one without to
   * its front: nothing is lost by taking that one first.
   */
  release(block: number): void {
    const { records } = this;
    const at = block << SHIFT;
    if (--records[at + REFERENCES]! > 0) return;
    const next = records[at + CACHED] === 1 ? this.capacity : records[this.sentinel + FREE_NEXT]!;
    const previous = records[(next << SHIFT) + FREE_PREVIOUS]!;
    records[(previous << SHIFT) + FREE_NEXT] = block;
    records[at + FREE_PREVIOUS] = previous;
    records[at + FREE_NEXT] = next;
    records[(next << SHIFT) + FREE_PREVIOUS] = block;
    this.free++;
  }

  /** Forgets every key without eviction notices. False, and nothing done, while any block is referenced. */
  clear(): boolean {
    if (this.free !== this.capacity) return false;
    for (let at = CACHED; at < this.sentinel; at += 1 << SHIFT) this.records[at] = 0;
    this.slots.fill(NONE);
    this.cached = 0;
    return true;
  }

  private unlinkFree(at: number): void {
    const { records } = this;
    const previous = records[at + FREE_PREVIOUS]!;
    const next = records[at + FREE_NEXT]!;
    records[(previous << SHIFT) + FREE_NEXT] = next;
    records[(next << SHIFT) + FREE_PREVIOUS] = previous;
    this.free--;
  }

  /** Takes the block out of the table, moving later ones of the same run of slots forward. */
  private unlinkKey(at: number): void {
    const { records, slots, slotMask } = this;
    const block = at >> SHIFT;
    let gap = records[at + KEY_LO]! & slotMask;
    while (slots[2 * gap] !== block) gap = (gap + 1) & slotMask;
    for (let slot = (gap + 1) & slotMask; slots[2 * slot] !== NONE; slot = (slot + 1) & slotMask) {
      const home = slots[2 * slot + 1]! & slotMask;
      if (((slot - home) & slotMask) < ((slot - gap) & slotMask)) continue;
      slots[2 * gap] = slots[2 * slot]!;
      slots[2 * gap + 1] = slots[2 * slot + 1]!;
      gap = slot;
    }
    slots[2 * gap] = NONE;
    records[at + CACHED] = 0;
    this.cached--;
  }
}
