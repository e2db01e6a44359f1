import { rootKey, spanKey } from '@sluice/model';
import type { CoreRequest } from './core-api.ts';
import type { EngineRequest } from './engine-api.ts';

const scratch = new Uint32Array(2);

/** The text of one request: its tokens, and the chain of block keys over them. */
export class TokenText<R extends EngineRequest> implements CoreRequest {
  readonly request: R;
  readonly promptTokens: number;
  readonly maxTokens: number;
  /** Prompt and then output; `length` of them are valid. */
  private tokens: Uint32Array;
  private length: number;
  private readonly blockSize: number;
  private readonly rootHi: number;
  private readonly rootLo: number;
  /** Key i as two words, low word first: on a little-endian machine a `BigUint64Array` over it reads whole keys. */
  private keyWords: Int32Array;
  private keyCount = 0;
  private tokenBytes: Uint8Array;

  constructor(request: R, blockSize: number) {
    this.request = request;
    this.promptTokens = request.promptTokens.length;
    this.maxTokens = request.maxTokens;
    this.blockSize = blockSize;
    this.tokens = new Uint32Array(this.promptTokens + Math.min(request.maxTokens, 256));
    this.tokens.set(request.promptTokens);
    this.tokenBytes = new Uint8Array(this.tokens.buffer);
    this.length = this.promptTokens;
    this.keyWords = new Int32Array(2 * Math.ceil(this.tokens.length / blockSize));
    rootKey({ pool: 'engine', lora: request.loraName, salt: request.cacheSalt }, scratch);
    this.rootHi = scratch[0]!;
    this.rootLo = scratch[1]!;
  }

  /** The token sampled last. */
  get lastToken(): number {
    return this.tokens[this.length - 1]!;
  }

  sample(index: number): boolean {
    const token = this.request.nextToken(index);
    if (this.length === this.tokens.length) {
      const grown = new Uint32Array(Math.ceil(this.length * 1.5) + this.blockSize);
      grown.set(this.tokens);
      this.tokens = grown;
      this.tokenBytes = new Uint8Array(grown.buffer);
    }
    this.tokens[this.length++] = token;
    return token === this.request.stopToken;
  }

  blockKeys(count: number): Int32Array {
    if (count > this.keyCount) this.hashUpTo(count);
    return this.keyWords;
  }

  /** Keys of blocks [start, end), which were asked for before; a view that stays valid. */
  keys(start: number, end: number): BigUint64Array {
    return new BigUint64Array(this.keyWords.buffer, 8 * start, end - start);
  }

  /** Token ids of blocks [start, end); a view that stays valid. */
  tokenIds(start: number, end: number): Uint32Array {
    return this.tokens.subarray(start * this.blockSize, end * this.blockSize);
  }

  private hashUpTo(count: number): void {
    if (2 * count > this.keyWords.length) {
      const grown = new Int32Array(2 * Math.ceil(count * 1.5 + 4));
      grown.set(this.keyWords);
      this.keyWords = grown;
    }
    const words = this.keyWords;
    const spanBytes = 4 * this.blockSize;
    let hi = this.rootHi;
    let lo = this.rootLo;
    if (this.keyCount > 0) {
      hi = words[2 * this.keyCount - 1]!;
      lo = words[2 * this.keyCount - 2]!;
    }
    for (let i = this.keyCount; i < count; i++) {
      spanKey(hi, lo, this.tokenBytes, i * spanBytes, (i + 1) * spanBytes, scratch);
      hi = scratch[0]!;
      lo = scratch[1]!;
      words[2 * i + 1] = hi;
      words[2 * i] = lo;
    }
    this.keyCount = count;
  }
}
