import type { KvBatchSink } from '@sluice/contracts';
import type { BlocksStored, EngineKvEvent } from '@sluice/engine-wire';
import { rootKey, spanKey, TIER_COUNT, tierCode } from '@sluice/model';
import type { SpanSource } from '../rank-table/span-bytes.ts';

interface NaiveBlock {
  readonly key: string;
  readonly root: string;
  readonly parentHash: bigint | null;
  standing: 'counted' | 'unproven' | 'inferred';
  readonly copies: number[];
}

/** The rules of `RankTable` spelled out with Maps and BigInts, for specs: slow, short, obviously right. */
export class NaiveRankTable {
  #blocks = new Map<bigint, NaiveBlock[]>();
  readonly #pool: string;
  readonly #vocabulary: SpanSource;

  constructor(pool: string, vocabulary: SpanSource) {
    this.#pool = pool;
    this.#vocabulary = vocabulary;
  }

  apply(event: EngineKvEvent): void {
    if (event.kind === 'stored') this.#stored(event);
    else if (event.kind === 'removed') {
      for (const hash of event.hashes) {
        for (const block of this.#blocks.get(hash) ?? []) {
          const tier = tierCode(event.tier);
          if (block.copies[tier] === 0) continue;
          block.copies[tier]!--;
          if (tier === 0 && block.copies[tier] === 0) block.standing = 'counted';
        }
      }
    } else {
      for (const block of this.#all()) {
        block.copies[0] = 0;
        block.standing = 'counted';
      }
    }
    this.#sweep();
  }

  /** `tier key` of everything held, sorted. */
  held(): string[] {
    const held = new Set<string>();
    for (const block of this.#all()) {
      block.copies.forEach((copies, tier) => {
        if (copies > 0) held.add(`${tier} ${block.key}`);
      });
    }
    return [...held].sort();
  }

  reset(): void {
    this.#blocks.clear();
  }

  forgetCopies(): void {
    for (const block of this.#all()) {
      block.standing = block.copies.some((copies) => copies > 0) ? 'unproven' : 'counted';
      block.copies.fill(0);
    }
    this.#sweep();
  }

  #stored(event: BlocksStored): void {
    const tier = tierCode(event.tier);
    const root = this.#key(null, { pool: this.#pool, lora: event.loraName, salt: event.cacheSalt });
    let parent = event.parent === null ? null : this.#parent(event.parent, root, event.cacheSalt !== null);
    if (parent === undefined) return;
    let parentHash = event.parent;
    if (tier === 0) this.#prove(parent);
    const sequenceRoot = parent?.root ?? root;
    event.hashes.forEach((hash, i) => {
      const ids = event.tokenIds.subarray(i * event.blockSize, (i + 1) * event.blockSize);
      const key = this.#key(parent?.key ?? sequenceRoot, ids);
      const blocks = this.#blocks.get(hash) ?? [];
      let block = blocks.find((candidate) => candidate.key === key);
      if (block === undefined) {
        block = {
          key,
          root: sequenceRoot,
          parentHash,
          standing: 'counted',
          copies: new Array<number>(TIER_COUNT).fill(0),
        };
        this.#blocks.set(hash, [...blocks, block]);
      }
      const inferred = block.standing === 'inferred';
      if (tier === 0) block.standing = 'counted';
      if (!(tier === 0 && inferred)) block.copies[tier]!++;
      parent = block;
      parentHash = hash;
    });
  }

  #prove(block: NaiveBlock | null): void {
    const chain: NaiveBlock[] = [];
    while (block?.standing === 'unproven') {
      chain.push(block);
      block = block.parentHash === null ? null : (this.#parent(block.parentHash, block.root, true) ?? null);
    }
    for (const proven of chain) {
      proven.copies[0]!++;
      proven.standing = 'inferred';
    }
  }

  #parent(hash: bigint, root: string, exact: boolean): NaiveBlock | undefined {
    const blocks = this.#blocks.get(hash) ?? [];
    return blocks.length === 1 && !exact ? blocks[0] : blocks.find((block) => block.root === root);
  }

  #key(parent: string | null, of: Uint32Array | Parameters<typeof rootKey>[0]): string {
    const out = new Uint32Array(2);
    if (!(of instanceof Uint32Array)) rootKey(of, out);
    else {
      const bytes = new Uint8Array(this.#vocabulary.spanLength(of, 0, of.length));
      this.#vocabulary.copySpan(of, 0, of.length, bytes, 0);
      const [hi, lo] = parent!.split(':').map(Number);
      spanKey(hi!, lo!, bytes, 0, bytes.length, out);
    }
    return `${out[0]}:${out[1]}`;
  }

  #all(): NaiveBlock[] {
    return [...this.#blocks.values()].flat();
  }

  #sweep(): void {
    for (const [hash, blocks] of this.#blocks) {
      const kept = blocks.filter((block) => block.standing === 'unproven' || block.copies.some((copies) => copies > 0));
      if (kept.length === 0) this.#blocks.delete(hash);
      else this.#blocks.set(hash, kept);
    }
  }
}

/** A receiver of KV operations as a plain set of `tier key`. */
export class HeldSet implements KvBatchSink {
  readonly keys = new Set<string>();
  /** Operations that changed nothing: a store of a held key, a removal of one that is not held. */
  idle = 0;

  store(tier: number, keyHi: number, keyLo: number): void {
    const key = `${tier} ${keyHi}:${keyLo}`;
    if (this.keys.has(key)) this.idle++;
    this.keys.add(key);
  }

  remove(tier: number, keyHi: number, keyLo: number): void {
    if (!this.keys.delete(`${tier} ${keyHi}:${keyLo}`)) this.idle++;
  }

  clear(tier: number): void {
    for (const key of this.keys) if (tier === 255 || key.startsWith(`${tier} `)) this.keys.delete(key);
  }

  sorted(): string[] {
    return [...this.keys].sort();
  }
}

/** A vocabulary for specs: id `n` is the text `<n>`. */
export const numberVocabulary: SpanSource = {
  size: 1_000_000,
  spanLength: (ids, start, end) => Buffer.byteLength(textOf(ids, start, end)),
  copySpan: (ids, start, end, out, at) =>
    at + new TextEncoder().encodeInto(textOf(ids, start, end), out.subarray(at)).written,
};

const textOf = (ids: Uint32Array, start: number, end: number): string =>
  Array.from(ids.subarray(start, end), (id) => `<${id}>`).join('');
