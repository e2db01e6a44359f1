import type { FlowControlOptions, Room } from '@sluice/flow-control';
import { DEFAULT_ENGINE_SHAPE, OutputLengths, predictCandidates } from '@sluice/latency-model';
import type { Outcome, RequestClass } from '@sluice/latency-model';
import type { WorkerLoad } from '@sluice/latency-model';
import type { Rng, RouteQuery, Signal, StepParameters, WorkerId } from '@sluice/model';
import { createDecisionTerms, createFleetTable, createLedger, kvForecast } from '@sluice/routing';
import type { BookedRequest, Booking, Choice, Policy, ScrapedSignals } from '@sluice/routing';
import { ActivePrompts } from './active-prompts.ts';
import type { SimulatedRequest } from '../api.ts';
import { createPrefixView } from '../prefix/create-prefix-view.ts';
import type { IndexKind } from '../prefix/create-prefix-view.ts';
import type { EventReader } from '../kv-events/event-stream.ts';
import type { Flight } from '../clients/flight.ts';
import type { KvBatch } from '../kv-events/kv-batch.ts';
import type { LearnedLatency } from './learned-latency.ts';
import type { PrefixView } from '../prefix/prefix-view.ts';
import { BYTES_PER_TOKEN } from '../prefix/production-view.ts';
import type { Timeline } from '../clock/timeline.ts';
import { TwinGate } from './twin-gate.ts';
import type { FlightSender, Routed } from './twin-gate.ts';

export interface TwinRouterOptions {
  readonly ids: readonly WorkerId[];
  /** Step constants believed at the start, KV tokens and tokens of a KV block, by row. */
  readonly steps: readonly StepParameters[];
  readonly kvTokens: readonly number[];
  readonly blockSizes: readonly number[];
  readonly policy: Policy;
  readonly rng: Rng;
  /** Is told every outcome; null where nothing is learned. */
  readonly learned: LearnedLatency | null;
  /** How the prefix index is kept; null: it is not, and every prompt counts as new. */
  readonly index: IndexKind | null;
  /** Whether it knows how long an output will be; else it takes the mean of those before. */
  readonly knowsOutputs: boolean;
  /** Null: requests are sent at once. */
  readonly flowControl: Partial<FlowControlOptions> | null;
  readonly sender: FlightSender;
  readonly timeline: Timeline;
}

/** Where a request is to go, from one look at the fleet. */
export interface TwinPlan extends BookedRequest {
  readonly row: number;
  readonly cachedTokens: number;
  /** State of the worker; null where nothing is learned from it. */
  readonly load: WorkerLoad | null;
  /** What the worker has of room; null without flow control. */
  readonly room: Room | null;
}

/** Signals that nothing in the prefix index has a part in. */
const WITHOUT_PREFIX: readonly Signal[] = [
  'waitingRequests',
  'runningRequests',
  'kvUsage',
  'kvCapacityTokens',
  'signalAgeMs',
  'inflightRequests',
  'decodesRunning',
  'decodeContextTokens',
  'expectedGrowthTokens',
  'step',
];

/** Whether decisions of `policy` depend on what the prefix index says. */
export const readsPrefix = (policy: Policy): boolean => policy.needs.some((signal) => !WITHOUT_PREFIX.includes(signal));

/** The router takes this for the mean output until answers say better. */
const PRIOR_OUTPUT_TOKENS = 200;

/** What the router knows of the output before there is any. */
const classOf = ({ promptTokens, session, outputLimit }: SimulatedRequest): RequestClass => ({
  maxTokens: outputLimit ?? null,
  promptTokens,
  streamed: true,
  sessionHash: session,
});

/**
 * The router in virtual time: the production table, ledger, index, predictions and policy, called in the order of
 * `planRequest` and `routeRequest` in apps/router. It knows its own requests, polled metrics and delayed events.
 */
export class TwinRouter implements EventReader {
  readonly table = createFleetTable();
  private readonly ids: readonly WorkerId[];
  private readonly kvTokens: readonly number[];
  private readonly policy: Policy;
  private readonly rng: Rng;
  private readonly ledger = createLedger(this.table);
  private readonly terms = createDecisionTerms();
  private readonly prefix: PrefixView | null;
  /** Null where the policy does not read it. */
  private readonly active: ActivePrompts | null;
  private readonly learned: LearnedLatency | null;
  private readonly knowsOutputs: boolean;
  private readonly outputs = new OutputLengths(PRIOR_OUTPUT_TOKENS);
  private readonly gate: TwinGate | null;
  private readonly query: { -readonly [Key in keyof RouteQuery]: RouteQuery[Key] } = {
    promptTokens: 0,
    expectedOutputTokens: 0,
    sessionHash: null,
  };

  /** Nothing is up until it was scraped. */
  constructor(options: TwinRouterOptions) {
    const { ids, steps, kvTokens, blockSizes, policy, rng, learned, index, knowsOutputs } = options;
    this.ids = ids;
    this.kvTokens = kvTokens;
    this.policy = policy;
    this.rng = rng;
    const workers = ids.map((id, row) => ({ id, blockSize: blockSizes[row]! }));
    this.prefix = index === null ? null : createPrefixView(index, workers);
    this.active = policy.needs.includes('activePromptTokens') ? new ActivePrompts(blockSizes) : null;
    this.learned = learned;
    this.knowsOutputs = knowsOutputs;
    const { flowControl, sender, timeline } = options;
    this.gate = flowControl === null ? null : new TwinGate(flowControl, this, sender, timeline);
    for (const [row, id] of ids.entries()) this.table.addWorker(id, steps[row]!);
  }

  /** Match, predict, choose, book, and wait for its turn where there is flow control. */
  route(flight: Flight, nowMs: number): Routed {
    if (this.gate !== null) return this.gate.enter(flight, nowMs);
    const plan = this.plan(flight, nowMs);
    if (plan === null) return 'nowhere';
    this.send(flight, plan, nowMs);
    return 'sent';
  }

  /** Match, predict, choose, with the fleet as the request will meet it; null when no worker can be chosen. */
  plan(flight: Flight, nowMs: number): TwinPlan | null {
    const { query, table } = this;
    const { columns } = table;
    table.ageSignals(nowMs);
    this.ask(flight, nowMs);
    this.prefix?.fillCachedTokens(columns, flight.text, nowMs);
    this.active?.fill(columns, flight.text);
    this.gate?.takeOutOvertaken(flight);
    predictCandidates(columns, query, DEFAULT_ENGINE_SHAPE);
    const choice = this.chooseUntried(flight.tried);
    const plan = choice.kind === 'no-worker' ? null : this.planOf(flight, choice.row);
    this.gate?.putBackOvertaken();
    return plan;
  }

  /** The query of this request. */
  private ask({ request, promptTokens, arrivalMs }: Flight, nowMs: number): void {
    const { query } = this;
    const { ttftSloMs, tpotSloMs, deadlineMs } = request;
    const waitedMs = nowMs - arrivalMs;
    query.promptTokens = promptTokens;
    const expected = this.knowsOutputs ? request.outputTokens : this.outputs.estimate(classOf(request)).mean;
    query.expectedOutputTokens = Math.min(request.outputLimit ?? Infinity, expected);
    query.sessionHash = request.session;
    query.ttftSloMs = ttftSloMs === undefined ? null : ttftSloMs - waitedMs;
    query.tpotSloMs = tpotSloMs ?? null;
    query.deadlineMs = deadlineMs === undefined ? null : deadlineMs - waitedMs;
    query.priority = request.priority ?? 0;
  }

  private planOf(flight: Flight, chosen: number): TwinPlan {
    const { columns } = this.table;
    const { promptTokens, expectedOutputTokens } = this.query;
    const row = this.gate?.stayedFor(flight, chosen, columns, this.terms) ?? chosen;
    const cachedTokens = columns.cachedTokens[row]!;
    return {
      row,
      cachedTokens,
      promptTokens,
      uncachedTokens: Math.max(0, promptTokens - cachedTokens),
      expectedOutputTokens,
      load:
        this.learned === null
          ? null
          : {
              queuedPrefillTokens: columns.queuedPrefillTokens[row]!,
              decodesRunning: columns.decodesRunning[row]!,
              decodeContextTokens: columns.decodeContextTokens[row]!,
              inflightRequests: columns.inflightRequests[row]!,
              prefilledTokens: columns.prefilledTokens[row]!,
              kvForecast: kvForecast(columns, row, promptTokens),
            },
      room: this.gate?.roomOf(row, columns, this.terms) ?? null,
    };
  }

  /** Counts the request, which is not sent yet, on the worker of its plan. */
  hold(plan: TwinPlan): Booking {
    return this.ledger.hold(plan.row, plan);
  }

  /** Books the request and sets `flight.dispatch`. */
  send(flight: Flight, plan: TwinPlan, nowMs: number): void {
    const { row, cachedTokens, load } = plan;
    const booked = this.ledger.book(row, plan);
    const booking = this.gate?.metered(flight, row, booked) ?? booked;
    const speculation = this.prefix?.speculate(row, flight.text, nowMs) ?? null;
    this.active?.sent(row, flight.text);
    flight.dispatch = { row, atMs: nowMs, cachedTokens, booking, speculation, load };
  }

  /** The engine answered the whole request. */
  completed(flight: Flight, nowMs: number): void {
    const { row, atMs, cachedTokens, booking, speculation, load } = flight.dispatch!;
    const { outputTokens } = flight.request;
    booking.release(nowMs);
    this.active?.ended(row, flight.text);
    this.gate?.ended(flight, nowMs);
    this.outputs.observe(classOf(flight.request), outputTokens);
    if (load !== null) {
      const outcome: Outcome = {
        worker: this.ids[row]!,
        streamed: true,
        result: 'completed',
        promptTokens: flight.promptTokens,
        promptBytes: BYTES_PER_TOKEN * flight.promptTokens,
        outputTokens,
        predictedCachedTokens: cachedTokens,
        cachedTokens: flight.progress!.cachedTokens,
        ttftMs: flight.firstTokenMs - atMs,
        tpotMs: outputTokens < 2 ? null : (nowMs - flight.firstTokenMs) / (outputTokens - 1),
        e2eMs: nowMs - atMs,
        load,
        beside: booking.beside() ?? undefined,
      };
      this.learned?.observe(row, outcome, atMs, nowMs);
    }
    if (speculation !== null) this.prefix?.settle(speculation, row, atMs, true, nowMs);
  }

  /** The attempt failed: the engine refused the request, is gone, or died with it. */
  failed(flight: Flight, nowMs: number): void {
    const { row, atMs, booking, speculation } = flight.dispatch!;
    booking.release(nowMs);
    this.active?.ended(row, flight.text);
    this.gate?.ended(flight, nowMs);
    if (speculation === null) return;
    this.prefix?.settle(speculation, row, atMs, !Number.isNaN(flight.firstTokenMs), nowMs);
  }

  eventsArrived(row: number, batch: KvBatch, nowMs: number): void {
    this.prefix?.apply(row, batch, nowMs);
  }

  eventsMissed(row: number): void {
    this.prefix?.distrust(row, this.kvTokens[row]!);
  }

  eventsReopened(row: number, batch: KvBatch, nowMs: number): void {
    this.prefix?.reopen(row, batch, nowMs);
  }

  /** The engine answered a look at its metrics. */
  scraped(row: number, signals: ScrapedSignals, nowMs: number): void {
    this.table.recordScrape(row, signals, nowMs);
    this.table.setUp(row, true);
    this.gate?.looked(row, nowMs);
  }

  /** The engine is gone: nothing is sent there until it answers again. */
  markDown(row: number): void {
    this.table.setUp(row, false);
    this.gate?.freed(row);
  }

  setStep(row: number, step: StepParameters): void {
    this.table.setStep(row, step);
  }

  /** Chooses with the tried workers out of the way, unless that leaves none. */
  private chooseUntried(tried: readonly number[]): Choice {
    const { up } = this.table.columns;
    const choose = (): Choice => this.policy.choose(this.table.columns, this.query, this.rng, this.terms);
    if (tried.length === 0) return choose();
    const hidden = tried.filter((row) => up[row] === 1);
    for (const row of hidden) this.table.setUp(row, false);
    const choice = choose();
    for (const row of hidden) this.table.setUp(row, true);
    return choice.kind === 'no-worker' && hidden.length > 0 ? choose() : choice;
  }
}
