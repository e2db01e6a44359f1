import { apiTimeMs, createEngine } from '@sluice/engine-model';
import type { Engine, EngineProfile, EngineStats, StepResult } from '@sluice/engine-model';
import type { RankMetrics } from '../metrics/rank-metrics.ts';
import type { Generation } from './generation.ts';
import type { KvEventFeed } from './kv-event-feed.ts';

/** Behind by more than this, the clock gives up catching up: the machine, not the engine, was too slow. */
const MAX_LAG_MS = 250;
/** Steps run in one go before waiting I/O gets a turn. */
const STEPS_PER_TURN = 32;

export interface RankOptions {
  readonly profile: EngineProfile;
  readonly speed: number;
  readonly blockSize: number;
  readonly kvBlocks: number;
  readonly maxBatchTokens: number;
  readonly maxSeqs: number;
  readonly metrics: RankMetrics;
  readonly events: KvEventFeed | null;
}

/**
 * One data-parallel rank: an engine model run in real time. Simulated milliseconds pass `speed` times as fast as the
 * wall clock's. A step's tokens and events appear when the step ends. Without work no timer is set.
 */
export class Rank {
  private readonly engine: Engine<Generation>;
  private readonly profile: EngineProfile;
  private readonly speed: number;
  private readonly metrics: RankMetrics;
  private readonly events: KvEventFeed | null;
  /** The step under way. */
  private current: StepResult<Generation> | null = null;
  /** Engine time at which it ends and the next one begins: the wall clock's milliseconds times `speed`. */
  private endMs = 0;
  private timer: NodeJS.Timeout | NodeJS.Immediate | null = null;
  /** Requests in front of the engine (API time), and those in it. */
  private readonly arriving = new Map<Generation, NodeJS.Timeout>();
  private readonly inEngine = new Set<Generation>();

  constructor(options: RankOptions) {
    this.profile = options.profile;
    this.speed = options.speed;
    this.metrics = options.metrics;
    this.events = options.events;
    this.engine = createEngine<Generation>(options);
  }

  /** Takes a request; after the API's own time it is queued in the engine. */
  submit(generation: Generation): void {
    const apiMs = apiTimeMs(this.profile.step, generation.promptTokens.length) / this.speed;
    const delayMs = Math.max(0, generation.arrivedMs + apiMs - performance.now());
    const timer = setTimeout(() => {
      this.arriving.delete(generation);
      const submission = this.engine.submit(generation, performance.now() * this.speed);
      if (submission.kind === 'rejected') throw new Error('a request longer than --max-model-len passed validation');
      generation.progress = submission.progress;
      this.inEngine.add(generation);
      generation.listener.accepted();
      this.wake();
    }, delayMs);
    this.arriving.set(generation, timer);
  }

  /** Drops a request, wherever it is. */
  abort(generation: Generation): void {
    clearTimeout(this.arriving.get(generation));
    this.arriving.delete(generation);
    if (this.inEngine.delete(generation)) this.engine.abort(generation);
  }

  /** Ends a request after its last token, for a reason that only the text knows (a stop string). */
  finish(generation: Generation): void {
    if (this.inEngine.delete(generation)) {
      this.engine.abort(generation);
      this.metrics.finished(generation, 'stop', performance.now());
    }
  }

  resetPrefixCache(): boolean {
    return this.engine.resetPrefixCache();
  }

  stats(): EngineStats {
    return this.engine.stats();
  }

  /** Requests here: arriving, waiting and running. */
  get load(): number {
    return this.arriving.size + this.inEngine.size;
  }

  /** Stops the clock and tells every open request. */
  stop(): void {
    clearTimeout(this.timer as NodeJS.Timeout);
    clearImmediate(this.timer as NodeJS.Immediate);
    const open = [...this.arriving.keys(), ...this.inEngine];
    for (const timer of this.arriving.values()) clearTimeout(timer);
    this.arriving.clear();
    this.inEngine.clear();
    for (const generation of open) generation.listener.engineStopped();
  }

  private wake(): void {
    if (this.current !== null) return;
    this.endMs = Math.max(this.endMs, performance.now() * this.speed);
    this.run();
  }

  /** Ends steps that are due and begins the next one, until one lies in the future or there is no work. */
  private run(): void {
    this.timer = null;
    for (let steps = 0; steps < STEPS_PER_TURN; steps++) {
      if (this.current !== null) {
        const nowMs = performance.now();
        const waitMs = this.endMs / this.speed - nowMs;
        if (waitMs > 0) {
          this.timer = setTimeout(() => this.run(), waitMs);
          return;
        }
        this.deliver(this.current);
        // The next step begins where this one should have ended, so that late timers do not add up.
        if (waitMs < -MAX_LAG_MS) {
          this.metrics.lagged(-waitMs);
          this.endMs = nowMs * this.speed;
        }
      }
      this.current = this.engine.step(this.endMs);
      if (this.current === null) return;
      this.endMs += this.current.durationMs;
    }
    this.timer = setImmediate(() => this.run());
  }

  private deliver(step: StepResult<Generation>): void {
    const nowMs = performance.now();
    this.metrics.stepped(step.batchTokens);
    if (step.events.length > 0) this.events?.publish(step.events);
    for (let i = 0; i < step.requests.length; i++) {
      const generation = step.requests[i]!;
      if (!this.inEngine.has(generation)) continue;
      const finished = step.finished[i]!;
      this.metrics.token(generation, nowMs);
      if (finished !== null) {
        this.inEngine.delete(generation);
        this.metrics.finished(generation, finished, nowMs);
      }
      generation.listener.token(step.tokens[i]!, finished);
    }
  }
}
