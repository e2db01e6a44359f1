import type { CoreHandle, CoreRequest } from './core-api.ts';

/** Where a sequence stands in its engine. */
export const State = { waiting: 0, running: 1, finished: 2 } as const;
export type State = (typeof State)[keyof typeof State];

const NO_BLOCKS = new Int32Array(0);

/** One request inside the engine: how far it is computed, and the blocks it references. */
export class Sequence<R extends CoreRequest> implements CoreHandle<R> {
  // what every decode step touches comes first, to be in one cache line
  /** Tokens whose KV is computed, or scheduled to be in the step under way. */
  computedTokens = 0;
  /**
   * Up to here (not included) `computedTokens` grows by plain decodes: of a sequence that is computed but for its last
   * token, with room for it in its last block, which it does not fill. 0 while it is no such sequence.
   */
  plainUntil = 0;
  /** Tokens of prompt and output so far, and when the output is complete. */
  length: number;
  readonly fullLength: number;
  readonly request: R;
  /** Whether the request is asked for each token. */
  readonly samples: boolean;

  readonly promptTokens: number;
  readonly submittedMs: number;
  scheduledMs: number | null = null;
  cachedTokens = 0;
  preemptions = 0;
  state: State = State.waiting;
  /** Physical blocks in order; `blockCount` of them are valid. */
  blocks: Int32Array = NO_BLOCKS;
  blockCount = 0;
  /** Leading blocks that are in the prefix cache (hit, or announced as stored). */
  announcedBlocks = 0;

  constructor(request: R, submittedMs: number) {
    this.request = request;
    this.samples = request.sample !== undefined;
    this.promptTokens = request.promptTokens;
    this.length = request.promptTokens;
    this.fullLength = request.promptTokens + request.maxTokens;
    this.submittedMs = submittedMs;
  }

  get outputTokens(): number {
    return this.length - this.promptTokens;
  }

  /** Makes room for `count` blocks in all. */
  reserve(count: number): void {
    if (count <= this.blocks.length) return;
    const grown = new Int32Array(count);
    grown.set(this.blocks.subarray(0, this.blockCount));
    this.blocks = grown;
  }

  /** Appends a physical block. */
  appendBlock(block: number): void {
    if (this.blockCount === this.blocks.length) this.reserve(Math.ceil(this.blockCount * 1.5) + 4);
    this.blocks[this.blockCount++] = block;
  }
}
