import { spanKey, TIER_COUNT } from '@sluice/model';
import type { BlockSink, WorkerId } from '@sluice/model';
import type { PrefixMatches } from './matches.ts';
import {
  FLAGS,
  HOLDERS,
  KEY_HI,
  KEY_LO,
  LENGTHS,
  LINKED,
  NODE_WORDS,
  NodeTable,
  NONE,
  PARENT,
  RECENT,
  SPAN_BYTES,
  SPECULATIVE,
  TOKENS,
} from './node-table.ts';
import { goesOnFromConfirmed, speculativeSpanBytes } from './speculative-span.ts';
import { Speculations } from './speculations.ts';
import { ALL_TIERS } from '@sluice/model';
import type { BlockRecord, IndexStats, PrefixIndex, PrefixIndexOptions, SpeculationId } from './types.ts';
import { Walk } from './walk.ts';
import { CONFIRMED_PLANES, WorkerBlocks } from './worker-blocks.ts';

/** 4 Mi nodes: some 300 MB when full. */
const DEFAULT_MAX_NODES = 2 ** 22;
/** Records that one eviction looks at. */
const EVICTION_WINDOW = 4096;

/** An empty index. {@link PrefixIndexOptions.maxNodes} of less than 16 is taken as 16. */
export function createPrefixIndex(options: PrefixIndexOptions = {}): PrefixIndex {
  return new TablePrefixIndex(Math.max(16, options.maxNodes ?? DEFAULT_MAX_NODES));
}

/**
 * {@link PrefixIndex} over typed arrays. Costs: store and remove O(1) expected; clear O(what the worker holds); match
 * O(blocks matched x words of 32 workers); lookup O(1); dump O(what the worker holds x depth of unvisited parents).
 */
class TablePrefixIndex implements PrefixIndex {
  readonly workers: (WorkerId | null)[] = [];
  readonly #blocks: (WorkerBlocks | null)[] = [];
  readonly #rowOf = new Map<WorkerId, number>();
  readonly #table: NodeTable;
  readonly #speculations: Speculations;
  readonly #walk: Walk;
  readonly #key = new Uint32Array(2);
  /** Speculative entries beyond which prompts are entered no more. */
  readonly #maxSpeculative: number;
  #memberships = 0;
  #evicted = 0;
  #hand = 1;

  constructor(maxNodes: number) {
    this.#table = new NodeTable(maxNodes);
    this.#speculations = new Speculations(this.#table);
    this.#walk = new Walk(this.#table);
    this.#maxSpeculative = maxNodes >>> 2;
  }

  addWorker(id: WorkerId): number {
    const known = this.#rowOf.get(id);
    if (known !== undefined) return known;
    const free = this.workers.indexOf(null);
    const row = free < 0 ? this.workers.length : free;
    this.workers[row] = id;
    this.#blocks[row] = new WorkerBlocks(id, row, this.#table);
    this.#rowOf.set(id, row);
    this.#speculations.open(row);
    return row;
  }

  row(id: WorkerId): number | undefined {
    return this.#rowOf.get(id);
  }

  removeWorker(id: WorkerId): void {
    const row = this.#rowOf.get(id);
    if (row === undefined) return;
    this.clear(row, ALL_TIERS);
    this.#rowOf.delete(id);
    this.workers[row] = null;
    this.#blocks[row] = null;
  }

  store(
    row: number,
    tier: number,
    keyHi: number,
    keyLo: number,
    parentHi: number,
    parentLo: number,
    spanBytes: number,
    tokens: number,
  ): void {
    if (tier >= TIER_COUNT) return;
    const node = this.#linked(keyHi, keyLo, parentHi, parentLo, spanBytes);
    if (node === NONE) {
      this.#evicted++;
      return;
    }
    const { words } = this.#table;
    const record = node * NODE_WORDS;
    const blocks = this.#worker(row);
    words[record + TOKENS] = tokens;
    words[record + FLAGS]! |= RECENT;
    blocks.blockTokens = tokens;
    const held = this.#table.planes(node, row) & CONFIRMED_PLANES;
    if (!this.#table.hold(node, row, tier)) return;
    blocks.held[tier]!++;
    this.#memberships++;
    if (held === 0) blocks.append(node);
  }

  remove(row: number, tier: number, keyHi: number, keyLo: number): void {
    const node = this.#table.find(keyHi, keyLo);
    if (node !== NONE && tier < TIER_COUNT) this.#release(node, row, tier);
  }

  clear(row: number, tier: number): void {
    const blocks = this.#worker(row);
    for (let i = 0; i < blocks.length; i++) {
      const node = blocks.nodes[i]!;
      if (tier < TIER_COUNT) this.#release(node, row, tier);
      else if (tier === ALL_TIERS) for (let each = 0; each < TIER_COUNT; each++) this.#release(node, row, each);
    }
    if (tier !== ALL_TIERS) return;
    blocks.length = 0;
    this.#speculations.clear(row);
  }

  lookup(row: number, keyHi: number, keyLo: number, out: BlockRecord): boolean {
    const node = this.#table.find(keyHi, keyLo);
    const tiers = node === NONE ? 0 : this.#table.planes(node, row) & CONFIRMED_PLANES;
    if (tiers === 0) return false;
    const { words } = this.#table;
    const record = node * NODE_WORDS;
    const parent = words[record + PARENT]! * NODE_WORDS;
    out.parentHi = words[parent + KEY_HI]!;
    out.parentLo = words[parent + KEY_LO]!;
    out.spanBytes = words[record + SPAN_BYTES]!;
    out.tokens = words[record + TOKENS]!;
    out.tiers = tiers;
    return true;
  }

  held(row: number, tier: number): number {
    return this.#worker(row).held[tier] ?? 0;
  }

  dump(row: number, sink: BlockSink): void {
    const blocks = this.#worker(row);
    blocks.clean();
    const { words } = this.#table;
    const todo = new Uint8Array(this.#table.end);
    for (let i = 0; i < blocks.length; i++) todo[blocks.nodes[i]!] = 1;
    const chain: number[] = [];
    for (let i = 0; i < blocks.length; i++) {
      for (let node = blocks.nodes[i]!; todo[node] === 1; node = words[node * NODE_WORDS + PARENT]!) {
        todo[node] = 0;
        chain.push(node);
      }
      for (let node = chain.pop(); node !== undefined; node = chain.pop()) this.#handOver(row, node, sink);
    }
  }

  match(
    rootHi: number,
    rootLo: number,
    prompt: Uint8Array,
    bytesPerToken: number,
    nowMs: number,
    out: PrefixMatches,
  ): void {
    this.#speculations.expire(nowMs);
    const rows = this.workers.length;
    out.reset(rows);
    const root = this.#table.find(rootHi, rootLo);
    if (root === NONE || rows === 0) return;
    const speculation = this.#speculations.size > 0;
    this.#walk.match(root, prompt, rows, speculation, out);
    for (let row = 0; row < rows; row++) {
      const bytes = out.confirmedBytes[row]!;
      const reach = speculation ? out.cachedBytes[row]! : bytes;
      // Engines reuse whole blocks only: where the worker's block is known, speculation counts in blocks.
      const tail = (reach - bytes) / bytesPerToken;
      const block = this.#blocks[row]?.blockTokens ?? 0;
      out.cachedBytes[row] = reach;
      out.cachedTokens[row] = out.confirmedTokens[row]! + (block > 0 ? Math.floor(tail / block) * block : tail);
      out.whole[row] = bytes > 0 && bytes === prompt.length ? 1 : 0;
    }
  }

  setCapacity(row: number, tokens: number | null, bytesPerToken: number): void {
    this.#speculations.setCapacity(row, tokens === null ? null : tokens * bytesPerToken);
  }

  speculate(
    row: number,
    rootHi: number,
    rootLo: number,
    prompt: Uint8Array,
    nowMs: number,
    expiresAtMs: number,
  ): SpeculationId {
    this.#speculations.expire(nowMs);
    const { words } = this.#table;
    const root = this.#table.find(rootHi, rootLo);
    const sendsEvents = !this.#speculations.hasCapacity(row);
    const key = this.#key;
    key[0] = rootHi;
    key[1] = rootLo;
    let at = 0;
    let last = root;
    let top = root;
    if (root !== NONE) {
      last = this.#walk.longest(root, prompt, row);
      top = this.#walk.top;
      at = this.#walk.reached;
      if (sendsEvents && (this.#table.planes(last, row) & CONFIRMED_PLANES) === 0) {
        const confirmed = this.#walk.longestConfirmed(root, prompt, row);
        if (goesOnFromConfirmed(this.#walk.reached, at)) {
          last = top = confirmed;
          at = this.#walk.reached;
        }
      }
      key[0] = words[last * NODE_WORDS + KEY_HI]!;
      key[1] = words[last * NODE_WORDS + KEY_LO]!;
    }
    // Entered one by one: the entry holds the node, so that making room for the next cannot take it away.
    this.#speculations.cover(row, last, top);
    for (
      let span = speculativeSpanBytes(at, sendsEvents);
      at + span <= prompt.length;
      at += span, span = speculativeSpanBytes(at, sendsEvents)
    ) {
      if (this.#speculations.size >= this.#maxSpeculative) break;
      const parentHi = key[0]!;
      const parentLo = key[1]!;
      spanKey(parentHi, parentLo, prompt, at, at + span, key);
      const node = this.#linked(key[0]!, key[1]!, parentHi, parentLo, span);
      if (node === NONE) break;
      this.#speculations.extend(row, node);
    }
    const id = this.#speculations.begin(row, expiresAtMs);
    this.#speculations.shrink(row);
    return id;
  }

  confirm(id: SpeculationId): void {
    this.#speculations.finish(id, true);
  }

  forget(id: SpeculationId): void {
    this.#speculations.finish(id, false);
  }

  expire(nowMs: number): void {
    this.#speculations.expire(nowMs);
  }

  stats(): IndexStats {
    let lists = 0;
    for (const blocks of this.#blocks) lists += blocks?.nodes.byteLength ?? 0;
    return {
      nodes: this.#table.held,
      placeholders: this.#table.size - this.#table.held,
      memberships: this.#memberships,
      speculative: this.#speculations.size,
      evictedNodes: this.#evicted,
      truncatedMatches: this.#walk.truncated,
      bytes: this.#table.bytes + this.#speculations.bytes + lists,
    };
  }

  #worker(row: number): WorkerBlocks {
    const blocks = this.#blocks[row];
    if (!blocks) throw new RangeError(`no worker has row ${row}`);
    return blocks;
  }

  #release(node: number, row: number, tier: number): void {
    if (!this.#table.release(node, row, tier)) return;
    this.#worker(row).held[tier]!--;
    this.#memberships--;
  }

  /** The node of a block, made and linked below its parent where needed; NONE when there is no room. */
  #linked(keyHi: number, keyLo: number, parentHi: number, parentLo: number, spanBytes: number): number {
    const table = this.#table;
    let node = table.find(keyHi, keyLo);
    if (node !== NONE && (table.words[node * NODE_WORDS + FLAGS]! & LINKED) !== 0) return node;
    // Before anything is taken in hand, because making room may take out the parent.
    while (table.size + 2 > table.maxNodes) if (!this.#evict()) return NONE;
    node = table.find(keyHi, keyLo) || table.insert(keyHi, keyLo);
    table.link(node, table.find(parentHi, parentLo) || table.insert(parentHi, parentLo), spanBytes);
    return node;
  }

  /**
   * Drops one leaf that was not announced since the hand last passed, else the first leaf in the window (second-chance
   * clock). Speculative spans stay: they are bounded by themselves and end soon.
   */
  #evict(): boolean {
    const { words } = this.#table;
    let reserve = NONE;
    for (let looked = 0; looked < EVICTION_WINDOW; looked++) {
      this.#hand = this.#hand + 1 < this.#table.end ? this.#hand + 1 : 1;
      const record = this.#hand * NODE_WORDS;
      if (words[record + HOLDERS] === 0 || words[record + LENGTHS] !== 0) continue;
      if (this.#table.heldInPlane(this.#hand, SPECULATIVE)) continue;
      if ((words[record + FLAGS]! & RECENT) === 0) {
        this.#dropBlock(this.#hand);
        return true;
      }
      words[record + FLAGS]! &= ~RECENT;
      reserve ||= this.#hand;
    }
    if (reserve !== NONE) this.#dropBlock(reserve);
    return reserve !== NONE;
  }

  /** Every holder loses the block. */
  #dropBlock(node: number): void {
    this.#evicted++;
    for (let holder = this.#table.anyHolder(node); holder >= 0; holder = this.#table.anyHolder(node))
      this.#release(node, holder >>> 3, holder & 7);
  }

  #handOver(row: number, node: number, sink: BlockSink): void {
    const { words } = this.#table;
    const record = node * NODE_WORDS;
    const parent = words[record + PARENT]! * NODE_WORDS;
    const tiers = this.#table.planes(node, row) & CONFIRMED_PLANES;
    for (let tier = 0; tier < TIER_COUNT; tier++) {
      if ((tiers & (1 << tier)) === 0) continue;
      sink.store(
        tier,
        words[record + KEY_HI]!,
        words[record + KEY_LO]!,
        words[parent + KEY_HI]!,
        words[parent + KEY_LO]!,
        words[record + SPAN_BYTES]!,
        words[record + TOKENS]!,
      );
    }
  }
}
