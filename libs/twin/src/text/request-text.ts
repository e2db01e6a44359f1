import type { SimulatedRequest } from '../api.ts';
import type { BlockChain } from './block-chain.ts';
import { ByteChain, RunChain } from './block-chain.ts';
import { promptTokensOf } from './prompt-tokens.ts';

/** What block keys are made from: the ids of runs, or the bytes of tokens. */
export type TextForm = 'runs' | 'bytes';

/** The text of one request as engines and routers see it. */
export class RequestText {
  readonly promptTokens: number;
  private readonly request: SimulatedRequest;
  private readonly index: number;
  private readonly form: TextForm;
  private tokens: Uint32Array | null = null;
  /** One for each size of blocks; fleets have one or two. */
  private readonly chains: BlockChain[] = [];

  constructor(request: SimulatedRequest, index: number, form: TextForm) {
    this.promptTokens = request.promptTokens;
    this.request = request;
    this.index = index;
    this.form = form;
  }

  /** The prompt with four bytes for each token. */
  get promptBytes(): Uint8Array {
    return new Uint8Array(this.promptTokenIds().buffer);
  }

  /** Keys in blocks of `blockSize` tokens. */
  chainOf(blockSize: number): BlockChain {
    for (const chain of this.chains) if (chain.blockSize === blockSize) return chain;
    const chain =
      this.form === 'runs'
        ? new RunChain(this.request, this.index, blockSize)
        : new ByteChain(this.promptTokenIds(), this.index, blockSize);
    this.chains.push(chain);
    return chain;
  }

  private promptTokenIds(): Uint32Array {
    this.tokens ??= promptTokensOf(this.request, this.index);
    return this.tokens;
  }
}
