import type { BlockSink, WorkerId } from '@sluice/model';
import type { PrefixMatches } from './matches.ts';

/** Names one {@link PrefixIndex.speculate} call; never reused. */
export type SpeculationId = number;

export interface PrefixIndexOptions {
  /** Most nodes (blocks, speculative spans, placeholders) kept; beyond it the least recently confirmed leaves go. */
  readonly maxNodes?: number;
}

/** One block of one worker, as {@link PrefixIndex.lookup} fills it. */
export interface BlockRecord {
  parentHi: number;
  parentLo: number;
  spanBytes: number;
  tokens: number;
  /** Bit t is set when the worker holds the block in tier t. */
  tiers: number;
}

export interface IndexStats {
  /** Blocks that at least one worker holds, and speculative spans. */
  readonly nodes: number;
  /** Nodes kept only because blocks below them are held (roots, parents not yet announced or already removed). */
  readonly placeholders: number;
  /** (worker, tier, block) holdings. */
  readonly memberships: number;
  /** (worker, span) holdings that no event has confirmed. */
  readonly speculative: number;
  /** Blocks dropped because of `maxNodes`, and stores refused because nothing could be dropped. */
  readonly evictedNodes: number;
  /** Lookups that gave up on branches because the prompt matched too many ways. */
  readonly truncatedMatches: number;
  /** Bytes allocated by the tables. */
  readonly bytes: number;
}

/**
 * Which worker holds which prefix. Blocks are named by 64-bit span keys (two u32 words, `spanKey` of the model library)
 * chained from a root; a worker's usable prefix is the longest chain from the root of which it holds every block, in
 * whatever tier. One writer; every call is synchronous.
 */
export interface PrefixIndex {
  /** By row; null where the row is free. */
  readonly workers: readonly (WorkerId | null)[];
  /** Row of the worker, taken if it has none. Rows of removed workers are reused, lowest first. */
  addWorker(id: WorkerId): number;
  row(id: WorkerId): number | undefined;
  /** Forgets the worker and all it holds. */
  removeWorker(id: WorkerId): void;

  /**
   * The worker holds a block. Again for a block it holds: no change. The parent may be unknown as yet. Span and parent
   * of a key never change; the token count of the latest announcement stands. A tier code out of range is ignored.
   */
  store(
    row: number,
    tier: number,
    keyHi: number,
    keyLo: number,
    parentHi: number,
    parentLo: number,
    spanBytes: number,
    tokens: number,
  ): void;
  /** The worker no longer holds the block in this tier. Unknown blocks are ignored. */
  remove(row: number, tier: number, keyHi: number, keyLo: number): void;
  /** Empties one tier of the worker, or with `ALL_TIERS` everything, speculation included. */
  clear(row: number, tier: number): void;
  /** Whether the worker holds the block; fills `out` when it does. */
  lookup(row: number, keyHi: number, keyLo: number, out: BlockRecord): boolean;
  /** Number of blocks the worker holds in the tier. */
  held(row: number, tier: number): number;
  /** Hands over every block of the worker, once a tier, parents before children. */
  dump(row: number, sink: BlockSink): void;

  /**
   * Longest prefix of `prompt` per worker, into the columns of `out` (see {@link PrefixMatches}).
   * `bytesPerToken` turns speculative bytes into tokens; speculation that has expired at `nowMs` is dropped first.
   */
  match(
    rootHi: number,
    rootLo: number,
    prompt: Uint8Array,
    bytesPerToken: number,
    nowMs: number,
    out: PrefixMatches,
  ): void;

  /**
   * A worker without events: its entries come from {@link PrefixIndex.speculate} alone, stay when confirmed, and the
   * least recently used go when they exceed `tokens` (of `bytesPerToken` bytes each). Null: the worker sends events,
   * and its speculation ends when confirmed, forgotten or expired.
   */
  setCapacity(row: number, tokens: number | null, bytesPerToken: number): void;
  /**
   * A prompt was routed to the worker: it is taken to hold all of it, in spans of {@link speculativeSpanBytes} below
   * the last block that the worker is known to hold (a shorter rest at the end is not entered). Cheapest right after
   * the {@link PrefixIndex.match} of the same array, whose bytes must not have changed since.
   */
  speculate(
    row: number,
    rootHi: number,
    rootLo: number,
    prompt: Uint8Array,
    nowMs: number,
    expiresAtMs: number,
  ): SpeculationId;
  /** The worker computed the prompt: entries stay (worker with a capacity) or give way to the worker's own events. */
  confirm(speculation: SpeculationId): void;
  /** The worker did not compute the prompt: what only this speculation entered is taken back. */
  forget(speculation: SpeculationId): void;
  /** Ends speculations with `expiresAtMs <= nowMs` (those of workers with a capacity count as confirmed). */
  expire(nowMs: number): void;

  stats(): IndexStats;
}
