import type { FinishReason } from '@sluice/engine-model';
import { createSimulatedPolicy, drawByDecision, SIBLING_HEARTBEAT_MS } from '@sluice/routing';
import type { Policy } from '@sluice/routing';
import type { FleetChange, TwinOptions, TwinResult } from './api.ts';
import { checkOptions } from './check-options.ts';
import { Clients } from './clients/clients.ts';
import { EngineFleet } from './engines/engine-fleet.ts';
import { textFormOf, toldBlocksOf } from './prefix/create-prefix-view.ts';
import { Flight } from './clients/flight.ts';
import type { KvBatch } from './kv-events/kv-batch.ts';
import { LedgerSharing } from './routers/ledger-sharing.ts';
import { Records, recordsOf, resultOf } from './results/records.ts';
import { kvTokensOf } from './engines/replica.ts';
import type { ReplicaListener } from './engines/replica.ts';
import type { TextForm } from './text/request-text.ts';
import { RouterGroup } from './routers/router-group.ts';
import { createTimeline } from './clock/timeline.ts';
import { TimelineSampler } from './results/timeline-sampler.ts';
import type { FlightSender } from './routers/twin-gate.ts';

type Defaulted =
  | 'eventLagMs'
  | 'pollMs'
  | 'routerLagMs'
  | 'warmUpMs'
  | 'latency'
  | 'index'
  | 'failureDetectMs'
  | 'routers'
  | 'lostEventShare'
  | 'resyncMs';
const DEFAULTS: Required<Pick<TwinOptions, Defaulted>> = {
  eventLagMs: 10,
  pollMs: 50,
  routerLagMs: 0,
  warmUpMs: 0,
  latency: 'exact',
  index: 'exact',
  failureDetectMs: 100,
  routers: { count: 1, shared: 'none' },
  lostEventShare: 0,
  resyncMs: 1000,
};
/** The oracle is one router that sees everything as it happens, whatever else is asked. */
const ORACLE = {
  eventLagMs: 0,
  latency: 'exact' as const,
  failureDetectMs: 0,
  routers: DEFAULTS.routers,
  lostEventShare: 0,
};
const SHARE_LAG_MS = 5;
/** How often learned parameters reach the routers. */
const REFRESH_MS = 1000;
/** Further attempts at a request whose engine broke the connection before the first token; as in the router. */
const RETRIES = 2;

/**
 * Runs a workload through simulated engines behind the production decision code, in virtual time, until every request
 * has ended. Deterministic: equal options give equal results, to the last bit.
 * @throws RangeError when there are no engines, requests are not in order of arrival or are no requests, or an option
 *   makes no sense.
 */
export function runTwin(options: TwinOptions): TwinResult {
  checkOptions(options);
  const twin = new Twin(options);
  return twin.run();
}

class Twin implements ReplicaListener, FlightSender {
  private readonly options: TwinOptions & typeof DEFAULTS;
  private readonly timeline = createTimeline();
  private readonly routers: RouterGroup;
  private readonly fleet: EngineFleet;
  private readonly clients: Clients;
  private readonly records: Records;
  private readonly sampler: TimelineSampler | null;
  private readonly seesAll: boolean;
  private readonly textForm: TextForm;
  private readonly progressEvery: number;
  private done = 0;
  private lastEndMs = 0;

  constructor(options: TwinOptions) {
    const { timeline } = this;
    this.seesAll = options.policy === 'oracle';
    this.options = { ...DEFAULTS, ...options, ...(this.seesAll && ORACLE) };
    const { engines, requests, seed, stages = [], jitter = null, sampleMs } = this.options;
    const { latency, lostEventShare, resyncMs, routers } = this.options;
    // what stands in for lost events only the production index knows
    const index = lostEventShare > 0 ? 'production' : this.options.index;
    this.textForm = textFormOf(index);
    this.routers = new RouterGroup({
      engines,
      count: routers.count,
      createPolicy: (number) => policyOf(options, number),
      seed,
      latency,
      knowsOutputs: this.seesAll,
      index,
      lostEventShare,
      resyncMs,
      timeline,
      flowControl: options.flowControl ?? null,
      sender: this,
      onOutcome: options.onOutcome,
    });
    const told = this.routers.readsEvents ? toldBlocksOf(index) : null;
    this.fleet = new EngineFleet({ setups: engines, timeline, listener: this, seed, jitter, told });
    this.clients = new Clients(requests, stages, timeline, (index, nowMs) => this.arrived(index, nowMs));
    this.records = new Records(requests.length);
    this.sampler = sampleMs === undefined ? null : new TimelineSampler(this.fleet);
    this.progressEvery = Math.max(1, Math.floor(requests.length / 100));
  }

  run(): TwinResult {
    const { timeline } = this;
    if (this.options.requests.length > 0) this.begin();
    for (let due = timeline.pop(); due !== undefined; due = timeline.pop()) due.fire(timeline.nowMs);
    return this.result();
  }

  token(flight: Flight, finished: FinishReason | null, nowMs: number): void {
    const { decoding } = flight;
    if (decoding === null) {
      flight.firstTokenMs = nowMs;
      flight.decoding = flight.dispatch!.booking;
      flight.decoding.firstToken(nowMs);
    } else {
      decoding.tokens(1);
    }
    if (finished === null) return;
    this.fleet.answered(flight.dispatch!.row, flight);
    flight.router.completed(flight, nowMs);
    this.records.firstTokenMs[flight.index] = flight.firstTokenMs;
    this.records.endMs[flight.index] = nowMs;
    this.records.cachedTokens[flight.index] = flight.progress!.cachedTokens;
    this.ended(nowMs);
  }

  refused(flight: Flight, nowMs: number): void {
    this.fleet.answered(flight.dispatch!.row, flight);
    flight.router.failed(flight, nowMs);
    this.ended(nowMs);
  }

  events(row: number, batch: KvBatch, nowMs: number): void {
    this.after(this.options.eventLagMs, nowMs, (atMs) => this.routers.eventsArrived(row, batch, atMs));
  }

  /** What happens by itself: engines come and go, metrics are read, routers talk, and clients send. */
  private begin(): void {
    const { requests, engines, failures = [], routers, pollMs, sampleMs, latency } = this.options;
    const startMs = Math.min(0, requests[0]!.arrivalMs);
    for (const [row, { joinsMs }] of engines.entries()) {
      if (joinsMs === undefined) this.fleet.start(row);
      else this.after(joinsMs, 0, () => this.fleet.start(row));
    }
    for (const change of failures) this.after(change.atMs, 0, (atMs) => this.change(change, atMs));
    this.every(pollMs, startMs, (nowMs) => this.poll(nowMs));
    if (latency === 'learned') this.every(REFRESH_MS, startMs + REFRESH_MS, () => this.routers.refreshSteps());
    if (sampleMs !== undefined) this.every(sampleMs, startMs, (nowMs) => this.sampler?.sample(nowMs));
    if (routers.shared === 'ledgers') {
      const tables = this.routers.routers.map(({ table }) => table);
      const sharing = new LedgerSharing(tables, routers.shareLagMs ?? SHARE_LAG_MS, this.timeline, startMs);
      this.every(SIBLING_HEARTBEAT_MS, startMs + SIBLING_HEARTBEAT_MS, (nowMs) => sharing.heartbeat(nowMs));
    }
    this.clients.start();
  }

  private arrived(index: number, nowMs: number): void {
    this.records.arrivalMs[index] = nowMs;
    const flight = new Flight(index, this.options.requests[index]!, this.routers.pick(), this.textForm, nowMs);
    this.after(this.options.routerLagMs, nowMs, (atMs) => this.route(flight, atMs));
  }

  private route(flight: Flight, nowMs: number): void {
    if (this.seesAll) this.poll(nowMs);
    switch (flight.router.route(flight, nowMs)) {
      case 'sent':
        this.send(flight, nowMs);
        break;
      case 'held':
        break; // send or turnedAway follows
      case 'nowhere':
        this.ended(nowMs);
    }
  }

  /** The request goes to the engine that was chosen, to another one when that is gone, and fails when there is none. */
  send(flight: Flight, nowMs: number): void {
    const { router, index } = flight;
    const { row } = flight.dispatch!;
    this.records.engine[index] = row;
    this.options.onDecision?.(index, row, nowMs);
    if (this.fleet.accept(row, flight, nowMs)) return;
    router.failed(flight, nowMs);
    router.markDown(row);
    flight.tried = [...flight.tried, row];
    if (flight.tried.length <= RETRIES) this.route(flight, nowMs);
    else this.ended(nowMs);
  }

  /** Flow control will not serve the request: it shed it, or nothing is left that could. */
  turnedAway(flight: Flight, shed: boolean, nowMs: number): void {
    if (shed) this.records.shed[flight.index] = 1;
    this.ended(nowMs);
  }

  private change({ engine: row, kind }: FleetChange, nowMs: number): void {
    const { eventLagMs, failureDetectMs } = this.options;
    if (kind === 'return') {
      this.fleet.start(row);
      this.after(eventLagMs, nowMs, (atMs) => this.routers.eventsReopened(row, atMs));
      return;
    }
    const lost = this.fleet.kill(row);
    this.after(failureDetectMs, nowMs, () => {
      if (!this.fleet.isUp(row)) this.routers.markDown(row);
    });
    for (const flight of lost) {
      flight.router.failed(flight, nowMs);
      flight.tried = [...flight.tried, row];
      // what the client has seen cannot be taken back
      if (Number.isNaN(flight.firstTokenMs) && flight.tried.length <= RETRIES) this.route(flight, nowMs);
      else this.ended(nowMs);
    }
  }

  /** Reads the metrics of every engine that answers. */
  private poll(nowMs: number): void {
    for (let row = 0; row < this.fleet.size; row++) {
      if (this.fleet.isUp(row)) this.routers.scraped(row, this.fleet.signals(row), nowMs);
    }
  }

  private ended(nowMs: number): void {
    this.done++;
    this.lastEndMs = nowMs;
    this.clients.requestEnded(nowMs);
    const total = this.options.requests.length;
    if (this.done % this.progressEvery === 0 || this.done === total) this.options.onProgress?.(this.done, total);
  }

  private after(delayMs: number, nowMs: number, fire: (atMs: number) => void): void {
    this.timeline.push(nowMs + delayMs, { fire });
  }

  /** Again and again while there are requests. */
  private every(periodMs: number, firstMs: number, happen: (nowMs: number) => void): void {
    this.timeline.push(firstMs, {
      fire: (nowMs) => {
        happen(nowMs);
        if (this.done < this.options.requests.length) this.every(periodMs, nowMs + periodMs, happen);
      },
    });
  }

  private result(): TwinResult {
    const { requests, engines, policy, seed, warmUpMs, slo, keepRecords } = this.options;
    const { preemptions, steps } = this.fleet.totals();
    const run = {
      policy,
      seed,
      requests,
      engines: engines.length,
      kvTokens: engines.reduce((sum, setup) => sum + kvTokensOf(setup), 0),
      blockSize: Math.min(...engines.map(({ blockSize, profile }) => blockSize ?? profile.blockSize)),
      warmUpMs,
      slo: slo ?? null,
      sheds: this.options.flowControl !== undefined,
      preemptions,
      engineSteps: steps,
      virtualMs: this.lastEndMs,
    };
    return {
      ...resultOf(run, this.records),
      ...(keepRecords && { records: recordsOf(requests, this.records) }),
      ...(this.sampler && { timelines: this.sampler.timelines() }),
    };
  }
}

/** The policy of router `number`. Routers that drew alike would choose alike. */
function policyOf({ policy, policyOptions, draws, seed }: TwinOptions, number: number): Policy {
  const made = createSimulatedPolicy(policy, policyOptions);
  if (made.kind !== 'policy') throw new RangeError(made.message);
  return draws === 'by-decision' ? drawByDecision(made.policy, seed + number) : made.policy;
}
