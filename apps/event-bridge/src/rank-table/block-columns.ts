import type { KvBatchSink } from '@sluice/contracts';
import { TIER_COUNT, tierCode } from '@sluice/model';
import { RowMap, widened } from './row-map.ts';

const HBM = tierCode('hbm');

/** `UNPROVEN`: only the name is known. `INFERRED`: on the accelerator because a child was stored below it. */
const Standing = { COUNTED: 0, UNPROVEN: 1, INFERRED: 2 } as const;

/**
 * Two tables of columns: blocks by engine hash, and the keys that they stand for. Several hashes can stand for one key
 * (an adapter loaded from two paths), and one hash for several keys (salts in SGLang). Copies are counted for both.
 */
export class BlockColumns {
  readonly #blocks = new RowMap();
  readonly #keys = new RowMap();
  /** Distinct keys with a copy in any tier. */
  heldKeys = 0;

  // by block
  rootHi = new Uint32Array(this.#blocks.capacity);
  rootLo = new Uint32Array(this.#blocks.capacity);
  #keyRow = new Uint32Array(this.#blocks.capacity);
  #standing = new Uint32Array(this.#blocks.capacity);
  #copies = new Uint32Array(this.#blocks.capacity * TIER_COUNT);
  /** Engine hash of the parent; meaningless at depth 0. */
  #parentHashHi = new Uint32Array(this.#blocks.capacity);
  #parentHashLo = new Uint32Array(this.#blocks.capacity);

  // by key
  #parentHi = new Uint32Array(this.#keys.capacity);
  #parentLo = new Uint32Array(this.#keys.capacity);
  #spanBytes = new Uint32Array(this.#keys.capacity);
  #tokens = new Uint32Array(this.#keys.capacity);
  /** Blocks in front of it in its sequence. */
  #depth = new Uint32Array(this.#keys.capacity);
  #blocksOfKey = new Uint32Array(this.#keys.capacity);
  #keyCopies = new Uint32Array(this.#keys.capacity * TIER_COUNT);

  get size(): number {
    return this.#blocks.size;
  }

  first(hi: number, lo: number): number {
    return this.#blocks.first(hi, lo);
  }

  nextMatch(block: number): number {
    return this.#blocks.nextMatch(block);
  }

  keyHi(block: number): number {
    return this.#keys.hi[this.#keyRow[block]!]!;
  }

  keyLo(block: number): number {
    return this.#keys.lo[this.#keyRow[block]!]!;
  }

  /** The block with this hash and this key, or -1. */
  find(hi: number, lo: number, keyHi: number, keyLo: number): number {
    let block = this.#blocks.first(hi, lo);
    while (block >= 0 && (this.keyHi(block) !== keyHi || this.keyLo(block) !== keyLo)) {
      block = this.#blocks.nextMatch(block);
    }
    return block;
  }

  /**
   * The parent with this hash. Below the given root where several have the hash, or when `exact` says that the root is
   * known (vLLM names the salt of a sequence only in its first event); -1 when there is none.
   */
  findParent(hi: number, lo: number, rootHi: number, rootLo: number, exact: boolean): number {
    const first = this.#blocks.first(hi, lo);
    if (first < 0 || (!exact && this.#blocks.nextMatch(first) < 0)) return first;
    let block = first;
    while (block >= 0 && (this.rootHi[block] !== rootHi || this.rootLo[block] !== rootLo)) {
      block = this.#blocks.nextMatch(block);
    }
    return block;
  }

  /** A block without copies below `parent` (-1: at the start of a sequence). */
  insert(hi: number, lo: number, keyHi: number, keyLo: number, parent: number): number {
    const block = this.#blocks.insert(hi, lo);
    if (this.#standing.length < this.#blocks.capacity) this.#widenBlocks(this.#blocks.capacity);
    let key = this.#keys.first(keyHi, keyLo);
    if (key < 0) {
      key = this.#keys.insert(keyHi, keyLo);
      if (this.#depth.length < this.#keys.capacity) this.#widenKeys(this.#keys.capacity);
      this.#blocksOfKey[key] = 0;
      this.#keyCopies.fill(0, key * TIER_COUNT, (key + 1) * TIER_COUNT);
      this.#depth[key] = parent < 0 ? 0 : this.#depth[this.#keyRow[parent]!]! + 1;
    }
    this.#blocksOfKey[key]!++;
    this.#keyRow[block] = key;
    this.#standing[block] = Standing.COUNTED;
    this.#copies.fill(0, block * TIER_COUNT, (block + 1) * TIER_COUNT);
    this.#parentHashHi[block] = parent < 0 ? 0 : this.#blocks.hi[parent]!;
    this.#parentHashLo[block] = parent < 0 ? 0 : this.#blocks.lo[parent]!;
    return block;
  }

  /** What a store of the block's key says besides the key. */
  describeKey(block: number, parentHi: number, parentLo: number, spanBytes: number, tokens: number): void {
    const key = this.#keyRow[block]!;
    this.#parentHi[key] = parentHi;
    this.#parentLo[key] = parentLo;
    this.#spanBytes[key] = spanBytes;
    this.#tokens[key] = tokens;
  }

  addCopy(block: number, tier: number, sink: KvBatchSink): void {
    if (tier === HBM) {
      const inferred = this.#standing[block] === Standing.INFERRED;
      this.#standing[block] = Standing.COUNTED;
      // the inferred copy may be the very one that is announced now: never count more copies than there are
      if (inferred) return;
    }
    this.#copies[block * TIER_COUNT + tier]!++;
    this.#addKeyCopy(this.#keyRow[block]!, tier, sink);
  }

  /** False when the block has no copy in that tier. */
  removeCopy(block: number, tier: number, sink: KvBatchSink): boolean {
    const at = block * TIER_COUNT + tier;
    if (this.#copies[at] === 0) return false;
    this.#copies[at]!--;
    if (tier === HBM && this.#copies[at] === 0) this.#standing[block] = Standing.COUNTED;
    const key = this.#keyRow[block]!;
    if (--this.#keyCopies[key * TIER_COUNT + tier]! === 0) {
      sink.remove(tier, this.#keys.hi[key]!, this.#keys.lo[key]!);
      if (!this.#isHeld(key)) this.heldKeys--;
    }
    if (!this.#hasCopies(block) && this.#standing[block] !== Standing.UNPROVEN) this.#delete(block);
    return true;
  }

  /** A child was stored on the accelerator: `block` and its ancestors, as far as only their names are known, are there too. */
  proveAncestors(block: number, sink: KvBatchSink): void {
    const proven: number[] = [];
    while (block >= 0 && this.#standing[block] === Standing.UNPROVEN) {
      proven.push(block);
      const atRoot = this.#depth[this.#keyRow[block]!] === 0;
      block = atRoot
        ? -1
        : this.findParent(
            this.#parentHashHi[block]!,
            this.#parentHashLo[block]!,
            this.rootHi[block]!,
            this.rootLo[block]!,
            true,
          );
    }
    for (const ancestor of proven.reverse()) {
      this.#copies[ancestor * TIER_COUNT + HBM]!++;
      this.#addKeyCopy(this.#keyRow[ancestor]!, HBM, sink);
      this.#standing[ancestor] = Standing.INFERRED;
    }
  }

  /** Drops every copy in `tier`, and the blocks that have none left. The caller tells the receivers. */
  clearTier(tier: number): void {
    for (let key = 0; key < this.#keys.end; key++) {
      if (!this.#keys.isLive(key) || this.#keyCopies[key * TIER_COUNT + tier] === 0) continue;
      this.#keyCopies[key * TIER_COUNT + tier] = 0;
      if (!this.#isHeld(key)) this.heldKeys--;
    }
    for (let block = 0; block < this.#blocks.end; block++) {
      if (!this.#blocks.isLive(block)) continue;
      this.#copies[block * TIER_COUNT + tier] = 0;
      if (tier === HBM) this.#standing[block] = Standing.COUNTED;
      if (!this.#hasCopies(block)) this.#delete(block);
    }
  }

  /** See `RankTable.forgetCopies`. */
  forgetCopies(): void {
    this.#keyCopies.fill(0);
    this.heldKeys = 0;
    for (let block = 0; block < this.#blocks.end; block++) {
      if (!this.#blocks.isLive(block)) continue;
      if (!this.#hasCopies(block)) this.#delete(block);
      else {
        this.#copies.fill(0, block * TIER_COUNT, (block + 1) * TIER_COUNT);
        this.#standing[block] = Standing.UNPROVEN;
      }
    }
  }

  /** Every held key as stores, by depth, so that parents come before children. */
  dump(sink: KvBatchSink): void {
    for (const key of this.#keysByDepth()) {
      for (let tier = 0; tier < TIER_COUNT; tier++) {
        if (this.#keyCopies[key * TIER_COUNT + tier] !== 0) this.#sendStore(key, tier, sink);
      }
    }
  }

  /** Held keys in a counting sort by depth. */
  #keysByDepth(): Uint32Array {
    const keys = new Uint32Array(this.heldKeys);
    const starts: number[] = [];
    const held: number[] = [];
    for (let key = 0; key < this.#keys.end; key++) {
      if (!this.#keys.isLive(key) || !this.#isHeld(key)) continue;
      held.push(key);
      const depth = this.#depth[key]!;
      while (starts.length <= depth + 1) starts.push(0);
      starts[depth + 1]!++;
    }
    for (let depth = 1; depth < starts.length; depth++) starts[depth]! += starts[depth - 1]!;
    for (const key of held) keys[starts[this.#depth[key]!]!++] = key;
    return keys;
  }

  #addKeyCopy(key: number, tier: number, sink: KvBatchSink): void {
    const wasHeld = this.#isHeld(key);
    if (this.#keyCopies[key * TIER_COUNT + tier]!++ === 0) this.#sendStore(key, tier, sink);
    if (!wasHeld) this.heldKeys++;
  }

  #sendStore(key: number, tier: number, sink: KvBatchSink): void {
    const parentHi = this.#parentHi[key]!;
    const parentLo = this.#parentLo[key]!;
    const spanBytes = this.#spanBytes[key]!;
    sink.store(tier, this.#keys.hi[key]!, this.#keys.lo[key]!, parentHi, parentLo, spanBytes, this.#tokens[key]!);
  }

  #isHeld(key: number): boolean {
    const at = key * TIER_COUNT;
    for (let tier = 0; tier < TIER_COUNT; tier++) if (this.#keyCopies[at + tier] !== 0) return true;
    return false;
  }

  #hasCopies(block: number): boolean {
    const at = block * TIER_COUNT;
    for (let tier = 0; tier < TIER_COUNT; tier++) if (this.#copies[at + tier] !== 0) return true;
    return false;
  }

  #delete(block: number): void {
    const key = this.#keyRow[block]!;
    this.#blocks.delete(block);
    if (--this.#blocksOfKey[key]! === 0) this.#keys.delete(key);
  }

  #widenBlocks(capacity: number): void {
    this.rootHi = widened(this.rootHi, capacity);
    this.rootLo = widened(this.rootLo, capacity);
    this.#keyRow = widened(this.#keyRow, capacity);
    this.#standing = widened(this.#standing, capacity);
    this.#copies = widened(this.#copies, capacity * TIER_COUNT);
    this.#parentHashHi = widened(this.#parentHashHi, capacity);
    this.#parentHashLo = widened(this.#parentHashLo, capacity);
  }

  #widenKeys(capacity: number): void {
    this.#parentHi = widened(this.#parentHi, capacity);
    this.#parentLo = widened(this.#parentLo, capacity);
    this.#spanBytes = widened(this.#spanBytes, capacity);
    this.#tokens = widened(this.#tokens, capacity);
    this.#depth = widened(this.#depth, capacity);
    this.#blocksOfKey = widened(this.#blocksOfKey, capacity);
    this.#keyCopies = widened(this.#keyCopies, capacity * TIER_COUNT);
  }
}
