import { apiTimeMs, createEngine } from '@sluice/engine-model';
import type { Engine, EngineOptions, EngineStats, FinishReason, KvEvent, StepResult } from '@sluice/engine-model';
import type { StepParameters } from '@sluice/model';
import type { ScrapedSignals } from '@sluice/routing';
import type { EngineSetup } from './api.ts';
import type { Flight } from './flight.ts';
import type { Timed, Timeline } from './timeline.ts';

/** Who is told what a replica does, when it does it. */
export interface ReplicaListener {
  token(flight: Flight, finished: FinishReason | null, nowMs: number): void;
  refused(flight: Flight, nowMs: number): void;
  events(row: number, events: readonly KvEvent[], nowMs: number): void;
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

/** KV tokens that a replica has room for, in whole blocks. */
export function kvTokensOf({
  profile,
  kvTokens = profile.kvTokens,
  blockSize = profile.blockSize,
}: EngineSetup): number {
  return Math.floor(kvTokens / blockSize) * blockSize;
}

/** One engine on the timeline: steps follow each other as long as there is work, and are heard of at their end. */
export class Replica implements Timed {
  private readonly row: number;
  private readonly timeline: Timeline;
  private readonly listener: ReplicaListener;
  private readonly step: StepParameters;
  private readonly engine: Engine<Flight>;
  private readonly kvCapacityTokens: number;
  private underWay: StepResult<Flight> | null = null;
  private stopped = false;

  constructor(
    row: number,
    setup: EngineSetup,
    timeline: Timeline,
    listener: ReplicaListener,
    jitter: EngineOptions['jitter'] | null,
  ) {
    this.row = row;
    this.timeline = timeline;
    this.listener = listener;
    this.step = stepOf(setup);
    const blockSize = setup.blockSize ?? setup.profile.blockSize;
    this.kvCapacityTokens = kvTokensOf(setup);
    const kvBlocks = this.kvCapacityTokens / blockSize;
    const profile = { ...setup.profile, step: this.step };
    this.engine = createEngine({ profile, blockSize, kvBlocks, ...(jitter && { jitter }) });
  }

  /** A request was sent here; it reaches the engine when its API is through with it. */
  accept(flight: Flight, nowMs: number): void {
    const readyMs = nowMs + apiTimeMs(this.step, flight.promptTokens.length);
    this.timeline.push(readyMs, { fire: (atMs) => this.submit(flight, atMs) });
  }

  /** It dies: nothing is heard of it any more. */
  stop(): void {
    this.stopped = true;
  }

  /** The step under way ends. */
  fire(nowMs: number): void {
    if (this.stopped) return;
    const { requests, finished, events } = this.underWay!;
    for (let i = 0; i < requests.length; i++) this.listener.token(requests[i]!, finished[i]!, nowMs);
    if (events.length > 0) this.listener.events(this.row, events, nowMs);
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
    const submission = this.engine.submit(flight, nowMs);
    if (submission.kind === 'rejected') {
      this.listener.refused(flight, nowMs);
      return;
    }
    flight.progress = submission.progress;
    if (this.underWay === null) this.startStep(nowMs);
  }

  private startStep(nowMs: number): void {
    this.underWay = this.engine.step(nowMs);
    if (this.underWay !== null) this.timeline.push(nowMs + this.underWay.durationMs, this);
  }
}
