/** Told the hash of every cached block whose memory was taken for something else. */
export type EvictionSink = (hashHi: number, hashLo: number) => void;

const NONE = -1;

/**
 * The physical KV blocks of one engine, as vLLM's block pool manages them: blocks have reference counts; a block without
 * references waits in a free queue, keeps its content and can be hit until it is taken from the queue's head. One hash
 * may be held by several blocks (copies); a lookup finds the oldest. Everything is O(1) and nothing allocates.
 */
export class BlockPool {
  /** Number of blocks. */
  readonly capacity: number;
  private readonly evicted: EvictionSink;
  private readonly references: Int32Array;
  /** 1: the block's content has a hash and can be hit. */
  private readonly hashed: Uint8Array;
  private readonly hashHi: Uint32Array;
  private readonly hashLo: Uint32Array;
  // the free queue: a doubly linked list through a sentinel at index `capacity`
  private readonly freeNext: Int32Array;
  private readonly freePrevious: Int32Array;
  // hash table: buckets of doubly linked blocks, appended at the tail so that the oldest copy comes first
  private readonly bucketMask: number;
  private readonly bucketHead: Int32Array;
  private readonly bucketTail: Int32Array;
  private readonly bucketNext: Int32Array;
  private readonly bucketPrevious: Int32Array;
  private free: number;
  private cached = 0;

  /** A pool of `capacity` empty blocks. */
  constructor(capacity: number, evicted: EvictionSink) {
    this.capacity = capacity;
    this.evicted = evicted;
    this.references = new Int32Array(capacity);
    this.hashed = new Uint8Array(capacity);
    this.hashHi = new Uint32Array(capacity);
    this.hashLo = new Uint32Array(capacity);
    this.freeNext = new Int32Array(capacity + 1);
    this.freePrevious = new Int32Array(capacity + 1);
    for (let i = 0; i <= capacity; i++) {
      this.freeNext[i] = i === capacity ? 0 : i + 1;
      this.freePrevious[i] = i === 0 ? capacity : i - 1;
    }
    if (capacity === 0) this.freeNext[0] = 0;
    let buckets = 1;
    while (buckets < capacity) buckets *= 2;
    this.bucketMask = buckets - 1;
    this.bucketHead = new Int32Array(buckets).fill(NONE);
    this.bucketTail = new Int32Array(buckets).fill(NONE);
    this.bucketNext = new Int32Array(capacity).fill(NONE);
    this.bucketPrevious = new Int32Array(capacity).fill(NONE);
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
    return this.references[block]!;
  }

  /** The oldest block that holds this hash, or -1. Takes no reference. */
  find(hashHi: number, hashLo: number): number {
    let block = this.bucketHead[hashLo & this.bucketMask]!;
    while (block !== NONE && (this.hashLo[block] !== hashLo || this.hashHi[block] !== hashHi)) {
      block = this.bucketNext[block]!;
    }
    return block;
  }

  /** Takes a reference to a block that {@link find} returned. */
  reference(block: number): void {
    if (this.references[block]!++ === 0) this.unlinkFree(block);
  }

  /**
   * Takes the block at the front of the free queue, evicting what it held, with one reference.
   * @throws RangeError when no block is free: the caller must check {@link freeBlocks} first.
   */
  allocate(): number {
    const block = this.freeNext[this.capacity]!;
    if (block === this.capacity) throw new RangeError('no free block');
    this.unlinkFree(block);
    if (this.hashed[block] === 1) {
      this.unlinkHash(block);
      this.evicted(this.hashHi[block]!, this.hashLo[block]!);
    }
    this.references[block] = 1;
    return block;
  }

  /** Gives the content of a referenced block its hash, so that it can be hit from now on. */
  cache(block: number, hashHi: number, hashLo: number): void {
    this.hashHi[block] = hashHi;
    this.hashLo[block] = hashLo;
    this.hashed[block] = 1;
    this.cached++;
    const bucket = hashLo & this.bucketMask;
    const tail = this.bucketTail[bucket]!;
    this.bucketPrevious[block] = tail;
    this.bucketNext[block] = NONE;
    if (tail === NONE) this.bucketHead[bucket] = block;
    else this.bucketNext[tail] = block;
    this.bucketTail[bucket] = block;
  }

  /**
   * Gives one reference back. After the last one a block with a hash goes to the end of the free queue, one without to
   * its front: nothing is lost by taking that one first.
   */
  release(block: number): void {
    if (--this.references[block]! > 0) return;
    const sentinel = this.capacity;
    const next = this.hashed[block] === 1 ? sentinel : this.freeNext[sentinel]!;
    const previous = this.freePrevious[next]!;
    this.freeNext[previous] = block;
    this.freePrevious[block] = previous;
    this.freeNext[block] = next;
    this.freePrevious[next] = block;
    this.free++;
  }

  /** Forgets every hash without eviction notices. False, and nothing done, while any block is referenced. */
  clear(): boolean {
    if (this.free !== this.capacity) return false;
    this.hashed.fill(0);
    this.bucketHead.fill(NONE);
    this.bucketTail.fill(NONE);
    this.cached = 0;
    return true;
  }

  private unlinkFree(block: number): void {
    const previous = this.freePrevious[block]!;
    const next = this.freeNext[block]!;
    this.freeNext[previous] = next;
    this.freePrevious[next] = previous;
    this.free--;
  }

  private unlinkHash(block: number): void {
    const bucket = this.hashLo[block]! & this.bucketMask;
    const previous = this.bucketPrevious[block]!;
    const next = this.bucketNext[block]!;
    if (previous === NONE) this.bucketHead[bucket] = next;
    else this.bucketNext[previous] = next;
    if (next === NONE) this.bucketTail[bucket] = previous;
    else this.bucketPrevious[next] = previous;
    this.hashed[block] = 0;
    this.cached--;
  }
}
