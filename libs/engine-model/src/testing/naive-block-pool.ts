/**
 * The block pool in the plainest form: arrays searched from end to end. The specification that the fast one is held
 * against.
 */
export class NaiveBlockPool {
  /** Hashes of blocks evicted, in order. */
  readonly evictions: string[] = [];
  private readonly references: number[];
  private readonly hashes: (string | null)[];
  /** Blocks without references, the next to be taken first. */
  private free: number[];
  /** Cached blocks, the oldest copy first. */
  private cached: number[] = [];

  constructor(capacity: number) {
    this.references = Array.from({ length: capacity }, () => 0);
    this.hashes = Array.from({ length: capacity }, () => null);
    this.free = Array.from({ length: capacity }, (_, block) => block);
  }

  get freeBlocks(): number {
    return this.free.length;
  }

  get cachedBlocks(): number {
    return this.cached.length;
  }

  referencesOf(block: number): number {
    return this.references[block]!;
  }

  find(hash: string): number {
    return this.cached.find((block) => this.hashes[block] === hash) ?? -1;
  }

  reference(block: number): void {
    this.references[block]!++;
    this.free = this.free.filter((other) => other !== block);
  }

  allocate(): number {
    const block = this.free.shift()!;
    const hash = this.hashes[block];
    if (hash !== null && hash !== undefined) {
      this.evictions.push(hash);
      this.hashes[block] = null;
      this.cached = this.cached.filter((other) => other !== block);
    }
    this.references[block] = 1;
    return block;
  }

  cache(block: number, hash: string): void {
    this.hashes[block] = hash;
    this.cached.push(block);
  }

  release(block: number): void {
    if (--this.references[block]! > 0) return;
    if (this.hashes[block] === null) this.free.unshift(block);
    else this.free.push(block);
  }

  clear(): boolean {
    if (this.free.length < this.references.length) return false;
    this.hashes.fill(null);
    this.cached = [];
    return true;
  }
}
