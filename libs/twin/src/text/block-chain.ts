import { rootKey, spanKey } from '@sluice/model';
import type { SimulatedRequest } from '../api.ts';
import { FIRST_TAIL, outputToken } from './prompt-tokens.ts';

/**
 * Keys of the full KV blocks of one request, prompt and output, in blocks of one size: equal keys mean equal text from
 * the start to there. Computed as far as they are asked for. Two signed words each, low word first; never both zero.
 */
export abstract class BlockChain {
  /** Tokens of one block. */
  readonly blockSize: number;
  private words: Int32Array;
  private count = 0;

  /** @param tokens of the text, as far as that is known. */
  constructor(tokens: number, blockSize: number) {
    this.blockSize = blockSize;
    this.words = new Int32Array(2 * Math.floor(tokens / blockSize));
  }

  /** At least the first `count` keys. */
  keys(count: number): Int32Array {
    if (count > this.count) {
      if (2 * count > this.words.length) {
        const grown = new Int32Array(2 * Math.ceil(count * 1.25 + 4));
        grown.set(this.words);
        this.words = grown;
      }
      this.extend(this.words, this.count, count);
      this.count = count;
    }
    return this.words;
  }

  /** Writes the keys of blocks [from, to); called for every block once, in order. */
  protected abstract extend(words: Int32Array, from: number, to: number): void;
}

/** Consecutive blocks of one run whose keys are neighbours. */
const GROUP = 8;

/** Whether a block with this key of a {@link RunChain} has output in it, which no other request's prompt can have. */
export const isOutput = (keyHi: number): boolean => (keyHi & 1) === 1;

/**
 * Keys straight from the ids of the runs that the text consists of: a block's key mixes the one before with the run and
 * the place in it where the block starts. No token is made, and a block costs a few nanoseconds. Low words of the blocks
 * of one run count on in groups, so that tables find neighbours side by side; where texts fork, a new run starts, and
 * with it a group of its own. The last bit of the high word is {@link isOutput}.
 */
export class RunChain extends BlockChain {
  private readonly blocks: readonly number[];
  private readonly blockTokens: number;
  /** Where the runs end and text begins that no other request has. */
  private readonly sharedTokens: number;
  private readonly tail: number;
  /** Blocks without output. */
  private readonly promptBlocks: number;
  // state after the last block: two words that depend on the whole text so far, and where it stands in its group
  private lo: number;
  private hi = 0x51f15eed;
  private groupLo = 0;
  private inGroup = GROUP;

  constructor({ blocks, blockTokens, promptTokens, outputTokens }: SimulatedRequest, index: number, blockSize: number) {
    super(promptTokens + outputTokens, blockSize);
    this.blocks = blocks;
    this.blockTokens = blockTokens;
    this.sharedTokens = Math.min(blocks.length * blockTokens, promptTokens);
    this.tail = (FIRST_TAIL + index) | 0;
    this.promptBlocks = Math.floor(promptTokens / blockSize);
    // blocks of another size are other blocks
    this.lo = blockSize;
  }

  protected override extend(words: Int32Array, from: number, to: number): void {
    const { blocks, blockTokens, blockSize, sharedTokens } = this;
    for (let block = from; block < to;) {
      const start = block * blockSize;
      const run = Math.floor(start / blockTokens);
      const isShared = start < sharedTokens;
      const runStart = isShared ? run * blockTokens : sharedTokens;
      const runEnd = isShared ? Math.min(runStart + blockTokens, sharedTokens) : Infinity;
      // blocks that lie in this run as a whole
      const end = Math.min(to, Math.floor(runEnd / blockSize));
      if (start - runStart < blockSize) this.inGroup = GROUP;
      if (block < end) {
        this.mixRun(words, block, end, isShared ? blocks[run]! : this.tail, start - runStart);
        block = end;
      } else {
        this.mixAcross(words, block);
        block++;
      }
    }
  }

  /** Blocks [from, to) of one run, the first at `offset` tokens from its start. */
  private mixRun(words: Int32Array, from: number, to: number, run: number, offset: number): void {
    const { blockSize } = this;
    let { lo, hi, groupLo, inGroup } = this;
    for (let block = from, at = offset; block < to; block++, at += blockSize) {
      // as in `mix`
      lo = Math.imul(lo ^ run, 0x85ebca6b);
      lo ^= lo >>> 15;
      hi = Math.imul(hi ^ at ^ ((lo << 16) | (lo >>> 16)), 0xc2b2ae35);
      hi ^= hi >>> 13;
      lo = Math.imul(lo ^ ((hi << 11) | (hi >>> 21)), 0x9e3779b1);
      lo ^= lo >>> 16;
      if (inGroup === GROUP) {
        groupLo = lo & -GROUP;
        inGroup = 0;
      }
      this.write(words, block, groupLo + inGroup++, hi);
    }
    this.lo = lo;
    this.hi = hi;
    this.groupLo = groupLo;
    this.inGroup = inGroup;
  }

  /** A block with text of more than one run. */
  private mixAcross(words: Int32Array, block: number): void {
    const { blocks, blockTokens, blockSize, sharedTokens } = this;
    const end = (block + 1) * blockSize;
    for (let at = block * blockSize; at < end;) {
      const isShared = at < sharedTokens;
      const run = Math.floor(at / blockTokens);
      const runStart = isShared ? run * blockTokens : sharedTokens;
      const runEnd = isShared ? Math.min(runStart + blockTokens, sharedTokens, end) : end;
      this.mix(isShared ? blocks[run]! : this.tail, at - runStart);
      this.mix(runEnd - at, 0x7ead);
      at = runEnd;
    }
    this.inGroup = GROUP;
    this.write(words, block, this.lo, this.hi);
  }

  private write(words: Int32Array, block: number, lo: number, hi: number): void {
    const keyHi = block < this.promptBlocks ? hi & -2 : hi | 1;
    words[2 * block] = (lo | keyHi) === 0 ? GROUP : lo;
    words[2 * block + 1] = keyHi;
  }

  /** One to one on (lo, hi) for every `a` and `b`, so that chains once apart stay apart but for chance. */
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

/** What the keys of a {@link ByteChain} hang from. */
export const ENGINE_ROOT = { pool: 'engine', lora: null, salt: null } as const;

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

  protected override extend(words: Int32Array, from: number, to: number): void {
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
