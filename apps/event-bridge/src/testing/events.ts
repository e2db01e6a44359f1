import type { BlocksRemoved, BlocksStored } from '@sluice/engine-wire';
import type { Tier } from '@sluice/model';

const BLOCK_TOKENS = 4;

/** Hash of the first `length` blocks of a sequence as an engine would chain it, beyond 2^53. */
export function hashOf(sequence: readonly number[], length: number, seed = 0n): bigint {
  let hash = 0xcbf2_9ce4_8422_2325n + seed;
  for (const block of sequence.slice(0, length))
    hash = BigInt.asUintN(64, (hash ^ BigInt(block + 1)) * 0x0000_0100_0000_01b3n);
  return hash;
}

export interface StoredOptions {
  /** One number per block; its tokens are made of it. */
  readonly sequence: readonly number[];
  /** First block of the event; the ones before are its ancestors. */
  readonly from?: number;
  readonly tier?: Tier;
  readonly lora?: string | null;
  readonly salt?: string | null;
  readonly hashSeed?: bigint;
}

/** A store of blocks `from` and later of a sequence. */
export function stored(options: StoredOptions): BlocksStored {
  const { sequence, from = 0, tier = 'hbm', lora = null, salt = null, hashSeed = 0n } = options;
  const blocks = sequence.slice(from);
  return {
    kind: 'stored',
    hashes: BigUint64Array.from(blocks, (_block, i) => hashOf(sequence, from + i + 1, hashSeed)),
    parent: from === 0 ? null : hashOf(sequence, from, hashSeed),
    tokenIds: Uint32Array.from(
      blocks.flatMap((block) => Array.from({ length: BLOCK_TOKENS }, (_, i) => block * 10 + i)),
    ),
    blockSize: BLOCK_TOKENS,
    tier,
    medium: null,
    loraId: null,
    loraName: lora,
    cacheSalt: salt,
    extraKeys: null,
    foreignKeys: null,
    groupIndex: null,
    groupKind: null,
    slidingWindow: null,
    sessionId: null,
  };
}

/** A removal of the blocks that end the given numbers of blocks of a sequence. */
export function removed(
  lengths: readonly number[],
  sequence: readonly number[],
  options: { readonly tier?: Tier; readonly hashSeed?: bigint } = {},
): BlocksRemoved {
  return {
    kind: 'removed',
    hashes: BigUint64Array.from(lengths, (length) => hashOf(sequence, length, options.hashSeed)),
    tier: options.tier ?? 'hbm',
    medium: null,
    groupIndex: null,
    cacheSalt: null,
  };
}
