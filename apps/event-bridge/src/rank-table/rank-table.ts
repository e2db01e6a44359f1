import type { KvBatchSink } from '@sluice/contracts';
import { hashWords } from '@sluice/engine-wire';
import type { BlocksRemoved, BlocksStored, EngineKvEvent } from '@sluice/engine-wire';
import { rootKey, spanKey, TIER_COUNT, tierCode } from '@sluice/model';
import { BlockColumns } from './block-columns.ts';
import { SpanBytes } from './span-bytes.ts';
import type { SpanSource } from './span-bytes.ts';

/** What a table left out, and why; running totals. */
export interface RankTableCounters {
  /** Blocks stored below a parent that the table does not know. */
  orphans: number;
  /** Removals of hashes, or of copies, that the table does not know. */
  unknownRemovals: number;
  /** Blocks of groups whose events are no dense prefix (sliding windows, state models, further groups). */
  ignoredGroups: number;
  /** Stores whose tokens do not fill their blocks. */
  malformed: number;
  /** Blocks announced by hash alone and not known by any other event. */
  hashOnly: number;
  /** Blocks beyond the table's bound. */
  refused: number;
  /** Token ids that the vocabulary does not have. */
  outsideVocabulary: number;
}

export const newTableCounters = (): RankTableCounters => ({
  orphans: 0,
  unknownRemovals: 0,
  ignoredGroups: 0,
  malformed: 0,
  hashOnly: 0,
  refused: 0,
  outsideVocabulary: 0,
});

export interface RankTableOptions {
  /** Pool id: part of every root. */
  readonly pool: string;
  readonly vocabulary: SpanSource;
  /** Engine blocks known at most; more are refused, so that storage tiers that never remove cannot fill the memory. */
  readonly maxBlocks?: number;
}

const HBM = tierCode('hbm');
/** Groups whose stored blocks are a gapless prefix of the sequence. */
const DENSE_KINDS = new Set([null, 'full_attention', 'mla_attention', 'sink_full_attention']);
const MAX_BLOCK_TOKENS = 0xffff;

/**
 * What one engine rank holds: engine hash -> our key, with the physical copies per tier counted. Events go in, the
 * changes of the set of held keys come out: a store for the first copy of a key in a tier, a removal for the last.
 *
 * Nothing is invented: a block below an unknown parent is left out and counted. See the app's README for the rules.
 */
export class RankTable {
  readonly counters = newTableCounters();
  /** Whether a tier other than the accelerator's has been announced since the last {@link RankTable.reset}. */
  seesOtherTiers = false;
  readonly #pool: string;
  readonly #spans: SpanBytes;
  readonly #maxBlocks: number;
  readonly #key = new Uint32Array(2);
  #blocks = new BlockColumns();
  /** Per tier the group whose blocks are followed, once one was named. */
  readonly #group: (number | null)[] = new Array<number | null>(TIER_COUNT).fill(null);
  readonly #sparseGroups = new Set<number>();

  constructor(options: RankTableOptions) {
    this.#pool = options.pool;
    this.#spans = new SpanBytes(options.vocabulary);
    this.#maxBlocks = options.maxBlocks ?? 2_000_000;
  }

  /** Distinct keys held in any tier. */
  get blocks(): number {
    return this.#blocks.heldKeys;
  }

  /** Applies one event; the changes of what is held go to `sink` in order. */
  apply(event: EngineKvEvent, sink: KvBatchSink): void {
    if (event.kind === 'stored') this.#stored(event, sink);
    else if (event.kind === 'removed') this.#removed(event, sink);
    else {
      this.#blocks.clearTier(HBM);
      sink.clear(HBM);
    }
  }

  /** Every held block as a store, parents before children. */
  dump(sink: KvBatchSink): void {
    this.#blocks.dump(sink);
  }

  /** The engine process is a new one: nothing is known. */
  reset(): void {
    this.#blocks = new BlockColumns();
    this.#group.fill(null);
    this.#sparseGroups.clear();
    this.seesOtherTiers = false;
  }

  /**
   * Events were lost for good: any block may be gone. What hashes mean stays true, so the names are kept, and a later
   * store below one of them proves that it and its ancestors are on the accelerator again. Names that an earlier loss
   * left unproven are dropped.
   */
  forgetCopies(): void {
    this.#blocks.forgetCopies();
  }

  #stored(event: BlocksStored, sink: KvBatchSink): void {
    const { hashes, tokenIds, blockSize } = event;
    const tier = tierCode(event.tier);
    if (!this.#follows(event, tier)) {
      this.counters.ignoredGroups += hashes.length;
      return;
    }
    if (tier !== HBM) this.seesOtherTiers = true;
    if (tokenIds.length === 0) return this.#storedByHash(event, tier, sink);
    if (blockSize < 1 || blockSize > MAX_BLOCK_TOKENS || tokenIds.length !== hashes.length * blockSize) {
      this.counters.malformed++;
      return;
    }
    const blocks = this.#blocks;
    const key = this.#key;
    const words = hashWords(hashes);
    rootKey({ pool: this.#pool, lora: event.loraName, salt: event.cacheSalt }, key);
    let rootHi = key[0]!;
    let rootLo = key[1]!;
    let parent = -1;
    if (event.parent !== null) {
      const hi = Number(event.parent >> 32n);
      const lo = Number(event.parent & 0xffff_ffffn);
      parent = blocks.findParent(hi, lo, rootHi, rootLo, event.cacheSalt !== null);
      if (parent < 0) {
        this.counters.orphans += hashes.length;
        return;
      }
      rootHi = blocks.rootHi[parent]!;
      rootLo = blocks.rootLo[parent]!;
      if (tier === HBM) blocks.proveAncestors(parent, sink);
    }
    this.counters.outsideVocabulary += this.#spans.countOutside(tokenIds);
    for (let i = 0; i < hashes.length; i++) {
      const parentHi = parent < 0 ? rootHi : blocks.keyHi(parent);
      const parentLo = parent < 0 ? rootLo : blocks.keyLo(parent);
      const from = i * blockSize;
      const foldedBytes = this.#spans.fill(tokenIds, from, from + blockSize, event.foreignKeys?.[i] ?? null);
      spanKey(parentHi, parentLo, this.#spans.bytes, 0, foldedBytes, key);
      const hi = words[2 * i + 1]!;
      const lo = words[2 * i]!;
      let block = blocks.find(hi, lo, key[0]!, key[1]!);
      if (block < 0) {
        if (blocks.size >= this.#maxBlocks) {
          this.counters.refused += hashes.length - i;
          return;
        }
        block = blocks.insert(hi, lo, key[0]!, key[1]!, parent);
        blocks.rootHi[block] = rootHi;
        blocks.rootLo[block] = rootLo;
        blocks.describeKey(block, parentHi, parentLo, this.#spans.textBytes, blockSize);
      }
      blocks.addCopy(block, tier, sink);
      parent = block;
    }
  }

  /** Offloading connectors announce hashes alone: they mean what an event with tokens said before. */
  #storedByHash(event: BlocksStored, tier: number, sink: KvBatchSink): void {
    const words = hashWords(event.hashes);
    for (let i = 0; i < words.length; i += 2) {
      const block = this.#blocks.first(words[i + 1]!, words[i]!);
      if (block < 0) this.counters.hashOnly++;
      else this.#blocks.addCopy(block, tier, sink);
    }
  }

  #removed(event: BlocksRemoved, sink: KvBatchSink): void {
    const tier = tierCode(event.tier);
    if (event.groupIndex !== null && !this.#isFollowed(event.groupIndex, tier)) {
      this.counters.ignoredGroups += event.hashes.length;
      return;
    }
    const words = hashWords(event.hashes);
    for (let i = 0; i < words.length; i += 2) {
      let known = false;
      // SGLang gives equal tokens under several salts one hash and does not say whose block went: each loses a copy
      for (let block = this.#blocks.first(words[i + 1]!, words[i]!); block >= 0;) {
        const next = this.#blocks.nextMatch(block);
        known = this.#blocks.removeCopy(block, tier, sink) || known;
        block = next;
      }
      if (!known) this.counters.unknownRemovals++;
    }
  }

  #follows(event: BlocksStored, tier: number): boolean {
    if (!DENSE_KINDS.has(event.groupKind)) {
      if (event.groupIndex !== null) this.#sparseGroups.add(event.groupIndex);
      return false;
    }
    if (event.groupIndex === null) return true;
    this.#group[tier] ??= event.groupIndex;
    return this.#group[tier] === event.groupIndex;
  }

  #isFollowed(group: number, tier: number): boolean {
    const followed = this.#group[tier];
    return !this.#sparseGroups.has(group) && (followed === null || followed === group);
  }
}
