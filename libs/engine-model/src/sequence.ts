import { rootKey, spanKey } from '@sluice/model';
import type { EngineRequest, RequestProgress } from './engine-api.ts';

/** Where a sequence stands in its engine. */
export const State = { waiting: 0, running: 1, finished: 2 } as const;
export type State = (typeof State)[keyof typeof State];

const scratch = new Uint32Array(2);

/** One request inside the engine: its tokens, the chain of block hashes over them, and the blocks it references. */
export class Sequence<R extends EngineRequest> implements RequestProgress {
  readonly request: R;
  readonly submittedMs: number;
  scheduledMs: number | null = null;
  cachedTokens = 0;
  preemptions = 0;
  state: State = State.waiting;

  /** Prompt and then output; `length` of them are valid. */
  tokens: Uint32Array;
  length: number;
  /** Tokens whose KV is computed, or scheduled to be in the step under way. */
  computedTokens = 0;
  /** Physical blocks in order; `blockCount` of them are valid. */
  blocks: Int32Array;
  blockCount = 0;
  /** Leading blocks that are in the prefix cache (hit, or announced as stored). */
  announcedBlocks = 0;

  private readonly blockSize: number;
  private readonly rootHi: number;
  private readonly rootLo: number;
  /** Hash i as two words, low word first: on a little-endian machine a `BigUint64Array` over it reads whole hashes. */
  private hashWords: Uint32Array;
  private hashCount = 0;
  private tokenBytes: Uint8Array;

  constructor(request: R, blockSize: number, submittedMs: number) {
    const promptTokens = request.promptTokens.length;
    this.request = request;
    this.blockSize = blockSize;
    this.submittedMs = submittedMs;
    this.tokens = new Uint32Array(promptTokens + Math.min(request.maxTokens, 256));
    this.tokens.set(request.promptTokens);
    this.tokenBytes = new Uint8Array(this.tokens.buffer);
    this.length = promptTokens;
    const blocks = Math.ceil(this.tokens.length / blockSize);
    this.blocks = new Int32Array(blocks);
    this.hashWords = new Uint32Array(2 * blocks);
    rootKey({ pool: 'engine', lora: request.loraName, salt: request.cacheSalt }, scratch);
    this.rootHi = scratch[0]!;
    this.rootLo = scratch[1]!;
  }

  get promptTokens(): number {
    return this.request.promptTokens.length;
  }

  get outputTokens(): number {
    return this.length - this.request.promptTokens.length;
  }

  /** Appends a sampled token. */
  append(token: number): void {
    if (this.length === this.tokens.length) {
      const grown = new Uint32Array(Math.ceil(this.length * 1.5) + this.blockSize);
      grown.set(this.tokens);
      this.tokens = grown;
      this.tokenBytes = new Uint8Array(grown.buffer);
    }
    this.tokens[this.length++] = token;
  }

  /** Appends a physical block. */
  appendBlock(block: number): void {
    if (this.blockCount === this.blocks.length) {
      const grown = new Int32Array(Math.ceil(this.blockCount * 1.5) + 4);
      grown.set(this.blocks);
      this.blocks = grown;
    }
    this.blocks[this.blockCount++] = block;
  }

  /** High word of the hash of full block `index`; computes the chain up to it when it is not known yet. */
  hashHi(index: number): number {
    if (index >= this.hashCount) this.hashUpTo(index + 1);
    return this.hashWords[2 * index + 1]!;
  }

  /** Low word of the hash of full block `index`, see {@link hashHi}. */
  hashLo(index: number): number {
    if (index >= this.hashCount) this.hashUpTo(index + 1);
    return this.hashWords[2 * index]!;
  }

  /** Hashes of full blocks [start, end); a view that stays valid. */
  hashes(start: number, end: number): BigUint64Array {
    if (end > this.hashCount) this.hashUpTo(end);
    return new BigUint64Array(this.hashWords.buffer, 8 * start, end - start);
  }

  private hashUpTo(count: number): void {
    if (2 * count > this.hashWords.length) {
      const grown = new Uint32Array(2 * Math.ceil(count * 1.5 + 4));
      grown.set(this.hashWords);
      this.hashWords = grown;
    }
    const words = this.hashWords;
    const spanBytes = 4 * this.blockSize;
    let hi = this.rootHi;
    let lo = this.rootLo;
    if (this.hashCount > 0) {
      hi = words[2 * this.hashCount - 1]!;
      lo = words[2 * this.hashCount - 2]!;
    }
    for (let i = this.hashCount; i < count; i++) {
      spanKey(hi, lo, this.tokenBytes, i * spanBytes, (i + 1) * spanBytes, scratch);
      hi = scratch[0]!;
      lo = scratch[1]!;
      words[2 * i + 1] = hi;
      words[2 * i] = lo;
    }
    this.hashCount = count;
  }
}
