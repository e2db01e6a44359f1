import { rootKey, spanKey } from '@sluice/model';
import type { SimulatedRequest } from './api.ts';
import { FIRST_TAIL, outputToken } from './prompt-tokens.ts';

/**
 * Keys of the full KV blocks of one request, prompt and output, in blocks of one size: equal keys mean equal text from
 * the start to there. Computed as far as they are asked for. Two words each, low word first; never both zero.
 */
export abstract class BlockChain {
  /** Tokens of one block. */
  readonly blockSize: number;
  private words: Uint32Array;
  private count = 0;

  constructor(promptTokens: number, blockSize: number) {
    this.blockSize = blockSize;
    this.words = new Uint32Array(2 * Math.floor(promptTokens / blockSize));
  }

  /** At least the first `count` keys. */
  keys(count: number): Uint32Array {
    if (count > this.count) {
      if (2 * count > this.words.length) {
        const grown = new Uint32Array(2 * Math.ceil(count * 1.25 + 4));
        grown.set(this.words);
        this.words = grown;
      }
      this.extend(this.words, this.count, count);
      this.count = count;
    }
    return this.words;
  }

  /** Writes the keys of blocks [from, to); those before are there. */
  protected abstract extend(words: Uint32Array, from: number, to: number): void;
}

/**
 * Keys straight from the ids of the runs that the text consists of: a block's key mixes its parent's key with the run
 * and the place in it where the block starts. No token is made, and a block costs a few nanoseconds.
 */
export class RunChain extends BlockChain {
  private readonly blocks: readonly number[];
  private readonly blockTokens: number;
  /** Where the runs end and text begins that no other request has. */
  private readonly sharedTokens: number;
  private readonly tail: number;
  private lo = 0;
  private hi = 0;

  constructor({ blocks, blockTokens, promptTokens }: SimulatedRequest, index: number, blockSize: number) {
    super(promptTokens, blockSize);
    this.blocks = blocks;
    this.blockTokens = blockTokens;
    this.sharedTokens = Math.min(blocks.length * blockTokens, promptTokens);
    this.tail = FIRST_TAIL + index;
  }

  protected override extend(words: Uint32Array, from: number, to: number): void {
    const { blockSize } = this;
    // blocks of another size are other blocks
    this.lo = from > 0 ? words[2 * from - 2]! : blockSize;
    this.hi = from > 0 ? words[2 * from - 1]! : 0x51f15eed;
    for (let block = from; block < to; block++) {
      this.mixBlock(block * blockSize, (block + 1) * blockSize);
      if ((this.lo | this.hi) === 0) this.lo = 1;
      words[2 * block] = this.lo;
      words[2 * block + 1] = this.hi;
    }
  }

  /** Tokens [start, end), run by run. */
  private mixBlock(start: number, end: number): void {
    const { blocks, blockTokens, sharedTokens } = this;
    for (let at = start; at < end;) {
      if (at >= sharedTokens) {
        this.mix(this.tail, at - sharedTokens);
        return;
      }
      const run = Math.floor(at / blockTokens);
      const runStart = run * blockTokens;
      const runEnd = Math.min(runStart + blockTokens, sharedTokens);
      this.mix(blocks[run]!, at - runStart);
      if (runEnd < end) this.mix(runEnd - at, 0x7ead);
      at = runEnd;
    }
  }

  /** One to one on (lo, hi) for every `a` and `b`, so that chains once apart stay apart but for chance of 2^-64. */
  private mix(a: number, b: number): void {
    let lo = Math.imul(this.lo ^ a, 0x85ebca6b);
    lo ^= lo >>> 15;
    let hi = Math.imul(this.hi ^ b ^ ((lo << 16) | (lo >>> 16)), 0xc2b2ae35);
    hi ^= hi >>> 13;
    lo = Math.imul(lo ^ ((hi << 11) | (hi >>> 21)), 0x9e3779b1);
    this.lo = lo ^ (lo >>> 16);
    this.hi = hi;
  }
}

const scratch = new Uint32Array(2);

/** Keys over the bytes of the tokens, as engines and the production index have them. */
export class ByteChain extends BlockChain {
  private readonly prompt: Uint32Array;
  private readonly index: number;
  private readonly block: Uint32Array;
  private readonly blockBytes: Uint8Array;

  /** @param prompt token ids. */
  constructor(prompt: Uint32Array, index: number, blockSize: number) {
    super(prompt.length, blockSize);
    this.prompt = prompt;
    this.index = index;
    this.block = new Uint32Array(blockSize);
    this.blockBytes = new Uint8Array(this.block.buffer);
  }

  protected override extend(words: Uint32Array, from: number, to: number): void {
    const { blockSize, prompt, block } = this;
    if (from > 0) {
      scratch[0] = words[2 * from - 1]!;
      scratch[1] = words[2 * from - 2]!;
    } else rootKey(ENGINE_ROOT, scratch);
    for (let i = from; i < to; i++) {
      for (let at = 0; at < blockSize; at++) {
        const position = i * blockSize + at;
        block[at] = position < prompt.length ? prompt[position]! : outputToken(this.index, position - prompt.length);
      }
      spanKey(scratch[0]!, scratch[1]!, this.blockBytes, 0, this.blockBytes.length, scratch);
      words[2 * i] = scratch[1]!;
      words[2 * i + 1] = scratch[0]!;
    }
  }
}

/** What the keys of a {@link ByteChain} hang from. */
export const ENGINE_ROOT = { pool: 'engine', lora: null, salt: null } as const;
