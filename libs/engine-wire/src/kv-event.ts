import type { Tier } from '@sluice/model';

/**
 * A block's name in the engine: opaque, unsigned 64 bit. Byte hashes are their last 8 bytes big-endian (what vLLM's
 * integer form is), signed integers (SGLang) their two's complement, so all forms of one hash are equal.
 */
export type EngineHash = bigint;

/** A value folded into a block's hash besides its tokens, as the engine sent it: LoRA name, salt, `[image id, offset]`. */
export type ExtraKey = string | number | bigint | boolean | null | Uint8Array | readonly ExtraKey[];

/** Consecutive blocks became cached. */
export interface BlocksStored {
  readonly kind: 'stored';
  /** Oldest first. */
  readonly hashes: BigUint64Array;
  /** The block before the first; null at the start of a sequence. */
  readonly parent: EngineHash | null;
  /** Of all blocks, concatenated; empty when only the hashes were announced. */
  readonly tokenIds: Uint32Array;
  /** Tokens per block; 0 when only the hashes were announced. */
  readonly blockSize: number;
  readonly tier: Tier;
  /** The engine's own name of the tier, or null when it named none. */
  readonly medium: string | null;
  readonly loraId: number | null;
  readonly loraName: string | null;
  /** Known at the start of a sequence only (vLLM); later blocks inherit it through their parent. */
  readonly cacheSalt: string | null;
  /** One entry per block, or null when the engine sent none. */
  readonly extraKeys: readonly (readonly ExtraKey[] | null)[] | null;
  /**
   * Per block what its key depends on besides tokens, LoRA and salt (multimodal identifiers, embedding digests), as
   * stable text; null when no block has any.
   */
  readonly foreignKeys: readonly (string | null)[] | null;
  readonly groupIndex: number | null;
  /** `full_attention`, `sliding_window`, ...; null when the engine named none. */
  readonly groupKind: string | null;
  readonly slidingWindow: number | null;
  readonly sessionId: string | null;
}

/** One physical copy of each block was given up. */
export interface BlocksRemoved {
  readonly kind: 'removed';
  readonly hashes: BigUint64Array;
  readonly tier: Tier;
  readonly medium: string | null;
  readonly groupIndex: number | null;
  /** SGLang's newer form only. */
  readonly cacheSalt: string | null;
}

/** The accelerator's prefix cache was reset; other tiers keep what they hold. */
export interface BlocksCleared {
  readonly kind: 'cleared';
}

export type EngineKvEvent = BlocksStored | BlocksRemoved | BlocksCleared;

/** What one scheduler step of an engine reported. */
export interface EngineKvBatch {
  /** The engine's clock, milliseconds since the Unix epoch. */
  readonly timeMs: number;
  readonly events: readonly EngineKvEvent[];
  readonly dpRank: number | null;
  /** Events left out: unknown tag or tier, or a shape that no known version sends. */
  readonly unknown: number;
  /** Fields of known events that were skipped. */
  readonly unknownFields: number;
  /** Token positions that came as EAGLE bigram pairs; the first token of each was taken. */
  readonly bigrams: number;
}

type Optional<T, K extends keyof T> = Omit<T, K> & Partial<Pick<T, K>>;

/** {@link BlocksStored} with what an engine of plain attention need not say; a decoded event is one too. */
export type BlocksStoredInput = Optional<
  BlocksStored,
  | 'tier'
  | 'medium'
  | 'loraId'
  | 'loraName'
  | 'cacheSalt'
  | 'extraKeys'
  | 'foreignKeys'
  | 'groupIndex'
  | 'groupKind'
  | 'slidingWindow'
  | 'sessionId'
>;
export type BlocksRemovedInput = Optional<BlocksRemoved, 'tier' | 'medium' | 'groupIndex' | 'cacheSalt'>;

/** A batch to be encoded; decoded batches are valid input. */
export interface EngineKvBatchInput {
  readonly timeMs: number;
  readonly events: readonly (BlocksStoredInput | BlocksRemovedInput | BlocksCleared)[];
  readonly dpRank: number | null;
}
