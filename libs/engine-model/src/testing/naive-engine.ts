import type { EngineRequest } from '../engine-api.ts';
import type { EngineProfile } from '../profiles.ts';
import { stepTimeMs } from '../step-time.ts';
import { NaiveBlockPool } from './naive-block-pool.ts';

/** A request of the naive engine: all of its text, and how much of it is computed. */
interface NaiveSequence<R> {
  readonly request: R;
  readonly tokens: number[];
  readonly blocks: number[];
  computed: number;
  cachedTokens: number | null;
  ended: boolean;
}

/** One step in plain values; a change of the cache is `+` or `-` and the text of the block's whole prefix. */
export interface NaiveStep {
  readonly durationMs: number;
  readonly batchTokens: number;
  /** Names of the requests that got a token, and the tokens. */
  readonly sampled: readonly (readonly [request: EngineRequest, token: number])[];
  readonly changes: readonly string[];
}

export interface NaiveSizes {
  readonly blockSize: number;
  readonly kvBlocks: number;
  readonly maxBatchTokens: number;
  readonly maxSeqs: number;
}

/**
 * The engine in the plainest form: every question is asked anew in every step, blocks are known by their text. The
 * specification that the fast one is held against.
 */
export class NaiveEngine<R extends EngineRequest> {
  readonly waiting: NaiveSequence<R>[] = [];
  private running: NaiveSequence<R>[] = [];
  private readonly pool: NaiveBlockPool;
  private readonly profile: EngineProfile;
  private readonly sizes: NaiveSizes;
  private changes: string[] = [];
  private evictionsTold = 0;

  constructor(profile: EngineProfile, sizes: NaiveSizes) {
    this.profile = profile;
    this.sizes = sizes;
    this.pool = new NaiveBlockPool(sizes.kvBlocks - 1);
  }

  submit(request: R): void {
    this.waiting.push({
      request,
      tokens: [...request.promptTokens],
      blocks: [],
      computed: 0,
      cachedTokens: null,
      ended: false,
    });
  }

  abort(request: R): void {
    for (const queue of [this.waiting, this.running]) {
      const at = queue.findIndex((each) => each.request === request);
      if (at >= 0) this.release(queue.splice(at, 1)[0]!);
    }
  }

  step(): NaiveStep | null {
    for (const ended of this.running.filter((each) => each.ended)) this.release(ended);
    this.running = this.running.filter((each) => !each.ended);
    if (this.running.length + this.waiting.length === 0) return null;
    this.changes = [];
    const work = { batchTokens: 0, prefillPairs: 0, decodeContextTokens: 0, sequences: 0 };
    const sampled: [EngineRequest, number][] = [];
    const compute = (sequence: NaiveSequence<R>): void => {
      const { request, tokens } = sequence;
      const count = Math.min(tokens.length - sequence.computed, this.sizes.maxBatchTokens - work.batchTokens);
      const context = sequence.computed;
      work.batchTokens += count;
      work.sequences++;
      if (count === 1 && context >= request.promptTokens.length) work.decodeContextTokens += context;
      else work.prefillPairs += count * (context + count / 2);
      this.grow(sequence, count);
      if (sequence.computed < tokens.length) return;
      const outputs = tokens.length - request.promptTokens.length;
      tokens.push(request.nextToken(outputs));
      sampled.push([request, tokens.at(-1)!]);
      sequence.ended = tokens.at(-1) === request.stopToken || outputs + 1 === request.maxTokens;
    };
    const preempted = this.scheduleRunning(compute, () => this.sizes.maxBatchTokens - work.batchTokens);
    while (!preempted && work.batchTokens < this.sizes.maxBatchTokens && this.running.length < this.sizes.maxSeqs) {
      if (!this.admitFirst()) break;
      compute(this.running.at(-1)!);
    }
    const durationMs = stepTimeMs(this.profile.step, work);
    return { durationMs, batchTokens: work.batchTokens, sampled, changes: this.changes };
  }

  private scheduleRunning(compute: (sequence: NaiveSequence<R>) => void, budget: () => number): boolean {
    let preempted = false;
    for (const sequence of [...this.running]) {
      if (budget() === 0 || !this.running.includes(sequence)) continue;
      const end = sequence.computed + Math.min(sequence.tokens.length - sequence.computed, budget());
      const missing = Math.ceil(end / this.sizes.blockSize) - sequence.blocks.length;
      while (missing > this.pool.freeBlocks && this.running.includes(sequence)) {
        const last = this.running.pop()!;
        this.release(last);
        last.computed = 0;
        this.waiting.unshift(last);
        preempted = true;
      }
      if (this.running.includes(sequence)) compute(sequence);
    }
    return preempted;
  }

  /** Takes the head of the queue in, if its whole text fits. */
  private admitFirst(): boolean {
    const sequence = this.waiting[0];
    if (sequence === undefined) return false;
    const hits: number[] = [];
    const limit = Math.floor((sequence.tokens.length - 1) / this.sizes.blockSize);
    while (hits.length < limit && this.pool.find(this.nameOf(sequence, hits.length)) >= 0) {
      hits.push(this.pool.find(this.nameOf(sequence, hits.length)));
    }
    const fresh = Math.ceil(sequence.tokens.length / this.sizes.blockSize) - hits.length;
    const idle = hits.filter((block) => this.pool.referencesOf(block) === 0).length;
    if (fresh + idle > this.pool.freeBlocks) return false;
    for (const block of hits) this.pool.reference(block);
    sequence.blocks.push(...hits);
    sequence.computed = hits.length * this.sizes.blockSize;
    sequence.cachedTokens ??= sequence.computed;
    this.running.push(this.waiting.shift()!);
    return true;
  }

  private grow(sequence: NaiveSequence<R>, count: number): void {
    const first = Math.floor(sequence.computed / this.sizes.blockSize);
    sequence.computed += count;
    const blocks = Math.ceil(sequence.computed / this.sizes.blockSize);
    while (sequence.blocks.length < blocks) sequence.blocks.push(this.pool.allocate());
    for (; this.evictionsTold < this.pool.evictions.length; this.evictionsTold++) {
      this.changes.push(`-${this.pool.evictions[this.evictionsTold]}`);
    }
    for (let block = first; block < Math.floor(sequence.computed / this.sizes.blockSize); block++) {
      this.pool.cache(sequence.blocks[block]!, this.nameOf(sequence, block));
      this.changes.push(`+${this.nameOf(sequence, block)}`);
    }
  }

  private release(sequence: NaiveSequence<R>): void {
    for (const block of sequence.blocks.splice(0).reverse()) this.pool.release(block);
  }

  private nameOf({ request, tokens }: NaiveSequence<R>, block: number): string {
    return `${request.cacheSalt}|${tokens.slice(0, (block + 1) * this.sizes.blockSize).join()}`;
  }
}
