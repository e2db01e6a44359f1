import { apiTimeMs, EngineCore } from '@sluice/engine-model';
import type { CoreStep, EngineOptions, EngineStats, FinishReason } from '@sluice/engine-model';
import type { StepParameters } from '@sluice/model';
import type { Booking, ScrapedSignals } from '@sluice/routing';
import type { EngineSetup } from '../api.ts';
import type { Flight } from '../clients/flight.ts';
import { KvBatchWriter } from '../kv-events/kv-batch.ts';
import type { KvBatch, ToldBlocks } from '../kv-events/kv-batch.ts';
import type { Timed, Timeline } from '../clock/timeline.ts';

/** Who is told what a replica does, when it does it. */
export interface ReplicaListener {
  /** The first token, or the last. Those between only count in the ledger. */
  token(flight: Flight, finished: FinishReason | null, nowMs: number): void;
  refused(flight: Flight, nowMs: number): void;
  events(row: number, batch: KvBatch, nowMs: number): void;
}

/** The step constants of a replica. A slow one computes and reads memory slower; its launches and its API are the same. */
export function stepOf({ profile: { step }, slowdown = 1 }: EngineSetup): StepParameters {
  return {
    ...step,
    twMs: step.twMs * slowdown,
    aMsPerToken: step.aMsPerToken * slowdown,
    kAttMs: step.kAttMs * slowdown,
    kKvMs: step.kKvMs * slowdown,
  };
}

/** Tokens of a replica's KV blocks. */
export const blockSizeOf = ({ profile, blockSize = profile.blockSize }: EngineSetup): number => blockSize;

/** KV tokens that a replica has room for, in whole blocks. */
export function kvTokensOf(setup: EngineSetup): number {
  const blockSize = blockSizeOf(setup);
  return Math.floor((setup.kvTokens ?? setup.profile.kvTokens) / blockSize) * blockSize;
}

/** Requests behind so many others in the queue of their engine are kept lean: there may be a million of them. */
const LONG_QUEUE = 100;

/** One engine on the timeline: steps follow each other as long as there is work, and are heard of at their end. */
export class Replica implements Timed {
  private readonly row: number;
  private readonly timeline: Timeline;
  private readonly listener: ReplicaListener;
  private readonly step: StepParameters;
  private readonly engine: EngineCore<Flight>;
  /** Null: nobody reads them. */
  private readonly changes: KvBatchWriter | null;
  private readonly kvCapacityTokens: number;
  private underWay: CoreStep<Flight> | null = null;
  /** Bookings of the requests that got a token; null for a first one. */
  private readonly decoding: (Booking | null)[] = [];
  private underWayChanges: KvBatch | null = null;
  private stopped = false;

  constructor(
    row: number,
    setup: EngineSetup,
    timeline: Timeline,
    listener: ReplicaListener,
    jitter: EngineOptions['jitter'] | null,
    told: ToldBlocks | null,
  ) {
    this.row = row;
    this.timeline = timeline;
    this.listener = listener;
    this.step = stepOf(setup);
    const blockSize = blockSizeOf(setup);
    this.kvCapacityTokens = kvTokensOf(setup);
    const kvBlocks = this.kvCapacityTokens / blockSize;
    const profile = { ...setup.profile, step: this.step };
    this.changes = told === null ? null : new KvBatchWriter(told);
    this.engine = new EngineCore<Flight>({ profile, blockSize, kvBlocks, ...(jitter && { jitter }) }, this.changes);
  }

  /** A request was sent here; it reaches the engine when its API is through with it. */
  accept(flight: Flight, nowMs: number): void {
    const readyMs = nowMs + apiTimeMs(this.step, flight.promptTokens);
    this.timeline.push(readyMs, { fire: (atMs) => this.submit(flight, atMs) });
  }

  /** It dies: nothing is heard of it any more. */
  stop(): void {
    this.stopped = true;
  }

  /** The step under way ends. */
  fire(nowMs: number): void {
    if (this.stopped) return;
    const { sampled, requests, finished } = this.underWay!;
    const { decoding } = this;
    // on their own, loads do not wait for one another
    for (let i = 0; i < sampled; i++) decoding[i] = requests[i]!.decoding;
    for (let i = 0; i < sampled; i++) {
      if (decoding[i] !== null && finished[i] === null) decoding[i]!.tokens(1);
      else this.listener.token(requests[i]!, finished[i]!, nowMs);
    }
    if (this.underWayChanges !== null) this.listener.events(this.row, this.underWayChanges, nowMs);
    this.startStep(nowMs);
  }

  /** What the metrics page says, in the columns that the router reads. */
  signals(): ScrapedSignals {
    const { waitingRequests, runningRequests, kvUsage } = this.engine.stats();
    return { waitingRequests, runningRequests, kvUsage, kvCapacityTokens: this.kvCapacityTokens };
  }

  stats(): EngineStats {
    return this.engine.stats();
  }

  private submit(flight: Flight, nowMs: number): void {
    if (this.stopped) return;
    flight.enter(this.engine.blockSize);
    if (this.engine.waitingRequests > LONG_QUEUE) flight.forgetText();
    const submission = this.engine.submit(flight, nowMs);
    if (submission.kind === 'rejected') {
      this.listener.refused(flight, nowMs);
      return;
    }
    flight.progress = submission.handle;
    if (this.underWay === null) this.startStep(nowMs);
  }

  private startStep(nowMs: number): void {
    this.underWay = this.engine.step(nowMs);
    if (this.changes !== null) this.underWayChanges = this.changes.take();
    if (this.underWay !== null) this.timeline.push(nowMs + this.underWay.durationMs, this);
  }
}
