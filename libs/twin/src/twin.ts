import type { FinishReason, KvEvent } from '@sluice/engine-model';
import { seededRng } from '@sluice/numerics';
import { createPolicy } from '@sluice/routing';
import type { Policy } from '@sluice/routing';
import type { TwinOptions, TwinResult } from './api.ts';
import { Flight } from './flight.ts';
import { Records, resultOf } from './records.ts';
import { Replica, stepOf } from './replica.ts';
import type { ReplicaListener } from './replica.ts';
import { createTimeline } from './timeline.ts';
import { readsPrefix, TwinRouter } from './twin-router.ts';

const DEFAULTS = { eventLagMs: 10, pollMs: 50, routerLagMs: 0, warmUpMs: 0 };
/** How often learned parameters reach the router. */
const REFRESH_MS = 1000;

/**
 * Runs a workload through simulated engines behind the production decision code, in virtual time, until every request
 * has ended. Deterministic: equal options give equal results, to the last bit.
 * @throws RangeError when there are no engines, requests are not in order of arrival or are no requests, or a policy
 *   option is bad.
 */
export function runTwin(options: TwinOptions): TwinResult {
  const twin = new Twin(options);
  return twin.run();
}

class Twin implements ReplicaListener {
  private readonly options: TwinOptions & typeof DEFAULTS;
  private readonly timeline = createTimeline();
  private readonly router: TwinRouter;
  /** Keeping the index costs as much as the engines: left out where no decision reads it. */
  private readonly matches: boolean;
  private readonly replicas: readonly Replica[];
  private readonly records: Records;
  private readonly progressEvery: number;
  private done = 0;
  /** Pauses before stages, by their first request. */
  private readonly pausesMs: ReadonlyMap<number, number>;
  private stageStartMs = 0;
  /** First request of the stage that waits; -1: none does. */
  private held = -1;
  private lastEndMs = 0;
  private nextRefreshMs = REFRESH_MS;

  constructor(options: TwinOptions) {
    this.options = { ...DEFAULTS, ...options };
    const { engines, requests, seed, latency } = options;
    if (engines.length === 0) throw new RangeError('a twin needs at least one engine');
    if (!(this.options.pollMs > 0)) throw new RangeError(`pollMs must be above 0, got ${this.options.pollMs}`);
    const learns = latency === 'learned';
    const policy = policyOf(options);
    this.matches = learns || readsPrefix(policy);
    this.router = new TwinRouter({
      workers: engines.map((setup) => ({
        variant: setup.variant ?? setup.profile.id,
        step: learns ? setup.profile.step : stepOf(setup),
      })),
      policy,
      rng: seededRng(seed),
      learns,
      matches: this.matches,
    });
    this.replicas = engines.map((setup, row) => new Replica(row, setup, this.timeline, this));
    this.records = new Records(requests.length);
    this.pausesMs = new Map(options.stages?.map(({ firstRequest, pauseMs }) => [firstRequest, pauseMs]));
    this.progressEvery = Math.max(1, Math.floor(requests.length / 100));
  }

  run(): TwinResult {
    const { timeline } = this;
    const { requests, engines, policy, seed, warmUpMs, slo } = this.options;
    if (requests.length > 0) {
      timeline.push(Math.min(0, requests[0]!.arrivalMs), { fire: (nowMs) => this.poll(nowMs) });
      this.expect(0);
    }
    for (let due = timeline.pop(); due !== undefined; due = timeline.pop()) due.fire(timeline.nowMs);
    const stats = this.replicas.map((replica) => replica.stats());
    const run = {
      policy,
      seed,
      requests,
      engines: engines.length,
      kvTokens: this.replicas.reduce((sum, { kvCapacityTokens }) => sum + kvCapacityTokens, 0),
      blockSize: Math.min(...engines.map(({ blockSize, profile }) => blockSize ?? profile.blockSize)),
      warmUpMs,
      slo: slo ?? null,
      preemptions: stats.reduce((sum, { preemptions }) => sum + preemptions, 0),
      engineSteps: stats.reduce((sum, { steps }) => sum + steps, 0),
      virtualMs: this.lastEndMs,
    };
    return resultOf(run, this.records);
  }

  token(flight: Flight, finished: FinishReason | null, nowMs: number): void {
    const { booking } = flight.dispatch!;
    if (Number.isNaN(flight.firstTokenMs)) {
      flight.firstTokenMs = nowMs;
      booking.firstToken();
    } else {
      booking.tokens(1);
    }
    if (finished === null) return;
    this.router.completed(flight, nowMs);
    this.records.firstTokenMs[flight.index] = flight.firstTokenMs;
    this.records.endMs[flight.index] = nowMs;
    this.records.cachedTokens[flight.index] = flight.progress!.cachedTokens;
    this.ended(nowMs);
  }

  refused(flight: Flight, nowMs: number): void {
    this.router.refused(flight, nowMs);
    this.ended(nowMs);
  }

  events(row: number, events: readonly KvEvent[], nowMs: number): void {
    if (!this.matches) return;
    this.timeline.push(nowMs + this.options.eventLagMs, {
      fire: (atMs) => this.router.eventsArrived(row, events, atMs),
    });
  }

  /** Request number `index` arrives in its time, and the next one is expected. */
  private expect(index: number): void {
    const { requests, routerLagMs } = this.options;
    const pauseMs = this.pausesMs.get(index);
    if (pauseMs !== undefined) {
      this.held = this.done < index ? index : -1;
      if (this.held >= 0) return;
      this.stageStartMs = this.lastEndMs + pauseMs;
    }
    const request = requests[index]!;
    this.timeline.push(this.stageStartMs + request.arrivalMs, {
      fire: (nowMs) => {
        this.records.arrivalMs[index] = nowMs;
        if (index + 1 < requests.length) this.expect(index + 1);
        this.timeline.push(nowMs + routerLagMs, { fire: (atMs) => this.route(new Flight(index, request), atMs) });
      },
    });
  }

  private route(flight: Flight, nowMs: number): void {
    this.router.route(flight, nowMs);
    const { dispatch } = flight;
    if (dispatch === null) {
      this.ended(nowMs);
      return;
    }
    this.records.engine[flight.index] = dispatch.row;
    this.replicas[dispatch.row]!.accept(flight, nowMs);
  }

  /** Reads every engine's metrics, again and again while there are requests. */
  private poll(nowMs: number): void {
    for (const [row, replica] of this.replicas.entries()) this.router.scraped(row, replica.signals(), nowMs);
    if (nowMs >= this.nextRefreshMs) {
      this.router.refreshParameters();
      this.nextRefreshMs = nowMs + REFRESH_MS;
    }
    if (this.done === this.options.requests.length) return;
    this.timeline.push(nowMs + this.options.pollMs, { fire: (atMs) => this.poll(atMs) });
  }

  private ended(nowMs: number): void {
    this.done++;
    this.lastEndMs = nowMs;
    if (this.done === this.held) this.expect(this.held);
    const total = this.options.requests.length;
    if (this.done % this.progressEvery === 0 || this.done === total) this.options.onProgress?.(this.done, total);
  }
}

function policyOf({ policy, policyOptions }: TwinOptions): Policy {
  const made = createPolicy(policy, policyOptions);
  if (made.kind !== 'policy') throw new RangeError(made.message);
  return made.policy;
}
