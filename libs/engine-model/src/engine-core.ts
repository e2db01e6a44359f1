import { normal } from '@sluice/numerics';
import { BlockPool } from './block-pool.ts';
import type { CoreHandle, CoreRequest, CoreStep, CoreSubmission, KvSink } from './core-api.ts';
import type { EngineOptions, EngineStats, FinishReason } from './engine-api.ts';
import type { EngineProfile } from './profiles.ts';
import { Sequence, State } from './sequence.ts';
import { stepTimeMs } from './step-time.ts';
import type { StepWork } from './step-time.ts';
import { WaitingQueue } from './waiting-queue.ts';

/** Tokens of output that room for block numbers is made for at first. */
const OUTPUT_AT_ONCE = 1024;

/** The part of a {@link CoreStep} that the engine writes. */
type MutableStep<R> = StepWork & {
  startMs: number;
  durationMs: number;
  sampled: number;
  requests: R[];
  finished: (FinishReason | null)[];
};

/**
 * Scheduling, block management and step times of an engine, over requests whose text is opaque; see `createEngine` for
 * the semantics and for callers that have token ids.
 */
export class EngineCore<R extends CoreRequest> {
  /** Tokens of KV that requests can use. */
  readonly capacityTokens: number;
  readonly blockSize: number;
  private readonly profile: EngineProfile;
  private readonly maxBatchTokens: number;
  private readonly maxSeqs: number;
  private readonly cachesOutput: boolean;
  private readonly jitter: EngineOptions['jitter'];
  private readonly sink: KvSink<R> | null;
  private readonly pool: BlockPool;
  private readonly waiting = new WaitingQueue<R>();
  /** In order of admission. Only the last one may have more than one token to compute. */
  private readonly running: Sequence<R>[] = [];
  /** Set when a running sequence ended, so that the next step sweeps it out. */
  private sweep = false;
  /** Cached blocks of the prefix that {@link findHits} looked at. */
  private hits = new Int32Array(64);
  private hitCount = 0;
  /** The head of the queue, when it did not fit; with fewer free blocks than this it still does not. */
  private blockedHead: Sequence<R> | null = null;
  private blockedBelow = 0;
  private readonly result: MutableStep<R>;
  private budget = 0;
  private prefixQueryTokens = 0;
  private prefixHitTokens = 0;
  private preemptions = 0;
  private steps = 0;
  private endMs = -Infinity;

  /**
   * @param sink told of changes of the prefix cache; null: nobody is.
   * @throws RangeError when a size is not a positive integer or there are fewer than two blocks.
   */
  constructor(options: EngineOptions, sink: KvSink<R> | null) {
    checkSizes(options);
    this.profile = options.profile;
    this.blockSize = options.blockSize ?? options.profile.blockSize;
    this.maxBatchTokens = options.maxBatchTokens ?? options.profile.maxBatchTokens;
    this.maxSeqs = options.maxSeqs ?? options.profile.maxSeqs;
    this.cachesOutput = options.profile.cachesOutput ?? true;
    this.jitter = options.jitter;
    this.sink = sink;
    const blocks = options.kvBlocks ?? Math.floor(options.profile.kvTokens / this.blockSize);
    // vLLM keeps one block as a placeholder that no request can use
    this.pool = new BlockPool(blocks - 1, (hi, lo) => this.sink?.removed(hi, lo));
    this.capacityTokens = (blocks - 1) * this.blockSize;
    this.result = {
      startMs: 0,
      durationMs: 0,
      batchTokens: 0,
      prefillPairs: 0,
      decodeContextTokens: 0,
      sequences: 0,
      sampled: 0,
      requests: [],
      finished: [],
    };
  }

  /** Queues a request. `nowMs` may lie inside a step; the request is seen by the next one. */
  submit(request: R, nowMs: number): CoreSubmission<R> {
    if (request.promptTokens < 1 || request.maxTokens < 1) {
      throw new RangeError('a request needs a prompt and at least one output token');
    }
    if (request.promptTokens + request.maxTokens > this.capacityTokens) return { kind: 'rejected' };
    const handle = new Sequence(request, nowMs);
    this.waiting.append(handle);
    return { kind: 'accepted', handle };
  }

  /** Drops a request and frees its blocks. False when it ended or was dropped before. */
  abort(handle: CoreHandle<R>): boolean {
    const sequence = handle as Sequence<R>;
    const { state } = sequence;
    sequence.state = State.finished;
    if (state === State.waiting) {
      this.waiting.remove(sequence);
      return true;
    }
    const at = this.running.indexOf(sequence);
    if (at < 0) return false;
    this.running.splice(at, 1);
    this.releaseBlocks(sequence);
    return state === State.running;
  }

  /** Whether {@link step} would have something to do. */
  hasWork(): boolean {
    if (this.sweep) this.sweepFinished();
    return this.running.length > 0 || this.waiting.size > 0;
  }

  /** Requests in the queue. */
  get waitingRequests(): number {
    return this.waiting.size;
  }

  /** The next step, see `Engine.step`. */
  step(nowMs: number): CoreStep<R> | null {
    if (nowMs < this.endMs) throw new RangeError(`step at ${nowMs} ms, before the last one ended at ${this.endMs} ms`);
    if (!this.hasWork()) return null;
    const { result } = this;
    result.startMs = nowMs;
    result.batchTokens = result.prefillPairs = result.decodeContextTokens = result.sequences = result.sampled = 0;
    this.budget = this.maxBatchTokens;
    const preempted = this.preemptions;
    this.scheduleRunning();
    if (this.preemptions === preempted) this.scheduleWaiting(nowMs);
    result.durationMs = stepTimeMs(this.profile.step, result) * this.jitterFactor();
    this.endMs = nowMs + result.durationMs;
    this.steps++;
    return result;
  }

  /** Empties the prefix cache; false (and nothing done) while a request holds blocks. */
  resetPrefixCache(): boolean {
    if (this.sweep) this.sweepFinished();
    if (!this.pool.clear()) return false;
    this.sink?.cleared();
    return true;
  }

  stats(): EngineStats {
    const { pool } = this;
    const usedBlocks = pool.capacity - pool.freeBlocks;
    return {
      runningRequests: this.running.length,
      waitingRequests: this.waiting.size,
      totalBlocks: pool.capacity,
      usedBlocks,
      cachedBlocks: pool.cachedBlocks,
      kvUsage: usedBlocks / pool.capacity,
      prefixQueryTokens: this.prefixQueryTokens,
      prefixHitTokens: this.prefixHitTokens,
      preemptions: this.preemptions,
      steps: this.steps,
    };
  }

  /** Running requests first, in order: one token for a decode, a chunk for a prompt that is not computed yet. */
  private scheduleRunning(): void {
    const { running, result } = this;
    for (let i = 0; i < running.length && this.budget > 0; i++) {
      const sequence = running[i]!;
      const context = sequence.computedTokens;
      if (context < sequence.plainUntil) {
        // what `compute` would do, without its questions
        this.budget--;
        result.batchTokens++;
        result.sequences++;
        result.decodeContextTokens += context;
        sequence.computedTokens = context + 1;
        this.sample(sequence);
        continue;
      }
      const tokens = Math.min(sequence.length - context, this.budget);
      const missing = this.blocksFor(context + tokens) - sequence.blockCount;
      while (missing > this.pool.freeBlocks) {
        const last = running.pop()!;
        this.preempt(last);
        if (last === sequence) return;
      }
      this.compute(sequence, tokens);
    }
  }

  /** Then waiting requests, first come first served, as long as the whole prompt of the first one fits. */
  private scheduleWaiting(nowMs: number): void {
    const { pool } = this;
    while (this.budget > 0 && this.running.length < this.maxSeqs) {
      const sequence = this.waiting.first();
      if (sequence === undefined) return;
      if (sequence === this.blockedHead && pool.freeBlocks < this.blockedBelow) return;
      this.findHits(sequence);
      if (this.isBlocked(sequence)) return;
      this.waiting.takeFirst();
      this.admit(sequence, nowMs);
      this.compute(sequence, Math.min(sequence.length - sequence.computedTokens, this.budget));
    }
  }

  /** Whether the blocks that {@link findHits} did not find, and those found that nobody holds, are more than are free. */
  private isBlocked(sequence: Sequence<R>): boolean {
    const { pool, hits } = this;
    const blocks = this.blocksFor(sequence.length);
    let needed = blocks - this.hitCount;
    let atLeast = needed;
    for (let i = 0; i < this.hitCount; i++) {
      if (pool.referencesOf(hits[i]!) > 0) continue;
      needed++;
      // a younger copy that somebody holds takes over when this one is evicted
      if (!pool.isReferenced(hits[i]!)) atLeast++;
    }
    if (needed <= pool.freeBlocks) return false;
    this.blockedHead = sequence;
    this.blockedBelow = atLeast;
    return true;
  }

  private admit(sequence: Sequence<R>, nowMs: number): void {
    const { pool, hits, hitCount } = this;
    this.blockedHead = null;
    sequence.state = State.running;
    this.running.push(sequence);
    sequence.reserve(this.blocksFor(Math.min(sequence.fullLength, sequence.length + OUTPUT_AT_ONCE)));
    for (let i = 0; i < hitCount; i++) {
      pool.reference(hits[i]!);
      sequence.appendBlock(hits[i]!);
    }
    sequence.announcedBlocks = hitCount;
    sequence.computedTokens = hitCount * this.blockSize;
    if (sequence.scheduledMs !== null) return;
    sequence.scheduledMs = nowMs;
    sequence.cachedTokens = sequence.computedTokens;
    this.prefixQueryTokens += sequence.length;
    this.prefixHitTokens += sequence.computedTokens;
  }

  /** Cached blocks of the sequence's prefix, into `hits`. The last token is always computed, for its logits. */
  private findHits(sequence: Sequence<R>): void {
    const { pool } = this;
    const limit = Math.floor((sequence.length - 1) / this.blockSize);
    if (limit > this.hits.length) this.hits = new Int32Array(2 * limit);
    const { hits } = this;
    const keys = sequence.request.blockKeys(limit);
    let count = 0;
    while (count < limit) {
      const block = pool.find(keys[2 * count + 1]!, keys[2 * count]!);
      if (block < 0) break;
      hits[count++] = block;
    }
    this.hitCount = count;
  }

  /** Puts `tokens` of the sequence into the step; its blocks must fit. Samples a token when that completes it. */
  private compute(sequence: Sequence<R>, tokens: number): void {
    const { pool, result, blockSize } = this;
    const context = sequence.computedTokens;
    this.budget -= tokens;
    result.batchTokens += tokens;
    result.sequences++;
    if (tokens === 1 && context >= sequence.promptTokens) result.decodeContextTokens += context;
    else result.prefillPairs += tokens * (context + tokens / 2);

    const end = context + tokens;
    for (let blocks = this.blocksFor(end); sequence.blockCount < blocks;) sequence.appendBlock(pool.allocate());
    sequence.computedTokens = end;
    if (end >= (sequence.announcedBlocks + 1) * blockSize) this.announceFullBlocks(sequence);
    if (end !== sequence.length) return;
    sequence.plainUntil = sequence.blockCount * blockSize - 1;
    this.sample(sequence);
  }

  /** Blocks that this step fills can be hit by the next request, in this very step. */
  private announceFullBlocks(sequence: Sequence<R>): void {
    const { pool } = this;
    const first = sequence.announcedBlocks;
    const { computedTokens, promptTokens } = sequence;
    const announced = this.cachesOutput ? computedTokens : Math.min(computedTokens, promptTokens);
    const end = Math.floor(announced / this.blockSize);
    if (end <= first) return;
    const keys = sequence.request.blockKeys(end);
    for (let i = first; i < end; i++) pool.cache(sequence.blocks[i]!, keys[2 * i + 1]!, keys[2 * i]!);
    sequence.announcedBlocks = end;
    this.reconsiderHead(keys, first);
    this.sink?.stored(sequence.request, keys, first, end);
  }

  /** Block `index` of the chain `keys` is cached from now on: the head of the queue may need fewer blocks than it did. */
  private reconsiderHead(keys: Int32Array, index: number): void {
    const head = this.blockedHead;
    if (head === null || (index + 1) * this.blockSize >= head.length) return;
    const own = head.request.blockKeys(index + 1);
    if (own[2 * index] === keys[2 * index] && own[2 * index + 1] === keys[2 * index + 1]) this.blockedHead = null;
  }

  private sample(sequence: Sequence<R>): void {
    const { result } = this;
    const { request } = sequence;
    const stopped = sequence.samples && request.sample!(sequence.length - sequence.promptTokens);
    sequence.length++;
    const finished = stopped ? 'stop' : sequence.length >= sequence.fullLength ? 'length' : null;
    const at = result.sampled++;
    result.requests[at] = request;
    result.finished[at] = finished;
    if (finished !== null) {
      sequence.state = State.finished;
      this.sweep = true;
    }
  }

  /** Gives the blocks of a running sequence up; it is computed again, from the front of the queue. */
  private preempt(sequence: Sequence<R>): void {
    this.releaseBlocks(sequence);
    sequence.state = State.waiting;
    sequence.computedTokens = 0;
    sequence.plainUntil = 0;
    sequence.announcedBlocks = 0;
    sequence.preemptions++;
    this.preemptions++;
    this.waiting.prepend(sequence);
  }

  /** Takes out what ended in the last step: it counts as running, and holds its blocks, until that step is over. */
  private sweepFinished(): void {
    const { running } = this;
    let kept = 0;
    for (const sequence of running) {
      if (sequence.state === State.running) running[kept++] = sequence;
      else this.releaseBlocks(sequence);
    }
    running.length = kept;
    this.sweep = false;
  }

  /** Tail first, so that the start of a prefix, which more requests share, is evicted last. */
  private releaseBlocks(sequence: Sequence<R>): void {
    const { pool } = this;
    const { blocks } = sequence;
    for (let i = sequence.blockCount - 1; i >= 0; i--) pool.release(blocks[i]!);
    sequence.blockCount = 0;
  }

  private blocksFor(tokens: number): number {
    return Math.ceil(tokens / this.blockSize);
  }

  private jitterFactor(): number {
    if (this.jitter === undefined) return 1;
    const { sigma, rng } = this.jitter;
    return Math.exp(sigma * normal(rng) - (sigma * sigma) / 2);
  }
}

function checkSizes({ blockSize, kvBlocks, maxBatchTokens, maxSeqs }: EngineOptions): void {
  for (const [name, value] of Object.entries({ blockSize, kvBlocks, maxBatchTokens, maxSeqs })) {
    if (value !== undefined && !(Number.isInteger(value) && value > 0)) {
      throw new RangeError(`${name} must be a positive integer, got ${value}`);
    }
  }
  if (kvBlocks === 1) throw new RangeError('kvBlocks must be at least 2: one block is a placeholder');
}
