import type { Candidates } from '@sluice/model';
import { ActiveBlocks } from '@sluice/routing';
import type { RequestText } from '../text/request-text.ts';

/** What a router has in flight on every worker, block by block, for the policies that count it. */
export class ActivePrompts {
  private readonly blockSizes: readonly number[];
  private readonly workers: readonly ActiveBlocks[];

  /** @param blockSizes tokens of a KV block, by row */
  constructor(blockSizes: readonly number[]) {
    this.blockSizes = blockSizes;
    this.workers = blockSizes.map(() => new ActiveBlocks());
  }

  /** Fills `activePromptTokens` of every row. */
  fill({ activePromptTokens, size }: Candidates, prompt: RequestText): void {
    for (let row = 0; row < size; row++) {
      const blockSize = this.blockSizes[row]!;
      const count = this.blocksOf(row, prompt);
      activePromptTokens[row] = blockSize * this.workers[row]!.sizeWith(prompt.chainOf(blockSize).keys(count), count);
    }
  }

  sent(row: number, prompt: RequestText): void {
    const count = this.blocksOf(row, prompt);
    this.workers[row]!.add(prompt.chainOf(this.blockSizes[row]!).keys(count), count);
  }

  ended(row: number, prompt: RequestText): void {
    const count = this.blocksOf(row, prompt);
    this.workers[row]!.remove(prompt.chainOf(this.blockSizes[row]!).keys(count), count);
  }

  private blocksOf(row: number, prompt: RequestText): number {
    return Math.floor(prompt.promptTokens / this.blockSizes[row]!);
  }
}
