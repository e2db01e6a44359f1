/** Blocks that became cached: consecutive blocks of one sequence, oldest first. */
export interface BlocksStored {
  readonly kind: 'stored';
  /** Chained 64-bit hash of each block. */
  readonly hashes: BigUint64Array;
  /** Hash of the block before the first; null at the start of a prompt. */
  readonly parent: bigint | null;
  /** Token ids of all blocks, `hashes.length x blockSize`. */
  readonly tokenIds: Uint32Array;
  /** Tokens of one block. */
  readonly blockSize: number;
  readonly loraName: string | null;
  /** Salt of the request; it is part of the first block's hash, and of later ones through the chain. */
  readonly cacheSalt: string | null;
}

/** Physical blocks that lost their content; a hash held by several copies is removed once a copy. */
export interface BlocksRemoved {
  readonly kind: 'removed';
  readonly hashes: BigUint64Array;
}

/** The whole prefix cache was dropped; announced with the events of the next step. */
export interface AllCleared {
  readonly kind: 'cleared';
}

/** A change of the prefix cache. In order, the events of an engine say exactly what it holds. */
export type KvEvent = BlocksStored | BlocksRemoved | AllCleared;
