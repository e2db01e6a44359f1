import type { KvEvent } from '@sluice/engine-model';
import { biased, createLearner, DEFAULT_ENGINE_SHAPE, predictCandidates } from '@sluice/latency-model';
import type { Learner } from '@sluice/latency-model';
import { workerId } from '@sluice/model';
import type { Rng, Signal, StepParameters, WorkerId } from '@sluice/model';
import { createDecisionTerms, createFleetTable, createLedger } from '@sluice/routing';
import type { Policy, ScrapedSignals } from '@sluice/routing';
import type { Flight } from './flight.ts';
import { BYTES_PER_TOKEN, PrefixView } from './prefix-view.ts';
import { RunningMean } from './running-mean.ts';

/** One engine as the router knows it. */
export interface RoutedWorker {
  readonly variant: string;
  /** Step constants believed at the start. */
  readonly step: StepParameters;
}

export interface TwinRouterOptions {
  readonly workers: readonly RoutedWorker[];
  readonly policy: Policy;
  readonly rng: Rng;
  /** Whether step constants are learned from outcomes, per variant, or stay what they are. */
  readonly learns: boolean;
  /** Whether the prefix index is kept; without it every prompt counts as new. */
  readonly matches: boolean;
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

/**
 * The router in virtual time: the production table, ledger, index, predictions and policy, called in the order of
 * `planRequest` and `routeRequest` in apps/router. It knows its own requests, polled metrics and delayed events.
 */
export class TwinRouter {
  private readonly ids: readonly WorkerId[];
  private readonly policy: Policy;
  private readonly rng: Rng;
  private readonly table = createFleetTable();
  private readonly ledger = createLedger(this.table);
  private readonly terms = createDecisionTerms();
  private readonly prefix: PrefixView | null;
  private readonly outputTokens = new RunningMean(PRIOR_OUTPUT_TOKENS);
  /** By row; empty when nothing is learned. */
  private readonly learners: Learner[] = [];
  private readonly query = { promptTokens: 0, expectedOutputTokens: 0, sessionHash: null as number | null };

  constructor({ workers, policy, rng, learns, matches }: TwinRouterOptions) {
    this.ids = workers.map((_, row) => workerId(`engine-${row}`));
    this.policy = policy;
    this.rng = rng;
    this.prefix = matches ? new PrefixView(this.ids) : null;
    const byVariant = new Map<string, Learner>();
    for (const [row, { variant, step }] of workers.entries()) {
      this.table.setUp(this.table.addWorker(this.ids[row]!, step), true);
      if (!learns) continue;
      const learner = byVariant.get(variant) ?? createLearner({ prior: step });
      byVariant.set(variant, learner);
      this.learners.push(learner);
    }
  }

  /** Match, predict, choose, book: sets `flight.dispatch`, or leaves it null when no worker can be chosen. */
  route(flight: Flight, nowMs: number): void {
    const { query, table } = this;
    const { columns } = table;
    table.ageSignals(nowMs);
    query.promptTokens = flight.promptTokens.length;
    this.prefix?.fillCachedTokens(columns, flight.prompt, nowMs);
    query.expectedOutputTokens = this.outputTokens.value;
    query.sessionHash = flight.request.session;
    predictCandidates(columns, query, DEFAULT_ENGINE_SHAPE);
    const choice = this.policy.choose(columns, query, this.rng, this.terms);
    if (choice.kind === 'no-worker') return;
    const { row } = choice;
    const cachedTokens = columns.cachedTokens[row]!;
    const load =
      this.learners.length === 0
        ? null
        : {
            queuedPrefillTokens: columns.queuedPrefillTokens[row]!,
            decodesRunning: columns.decodesRunning[row]!,
            decodeContextTokens: columns.decodeContextTokens[row]!,
            inflightRequests: columns.inflightRequests[row]!,
          };
    const booking = this.ledger.book(row, {
      promptTokens: query.promptTokens,
      uncachedTokens: Math.max(0, query.promptTokens - cachedTokens),
      expectedOutputTokens: query.expectedOutputTokens,
    });
    const speculation = this.prefix?.speculate(row, flight.prompt, nowMs) ?? null;
    flight.dispatch = { row, atMs: nowMs, cachedTokens, booking, speculation, load };
  }

  /** The engine answered the whole request. */
  completed(flight: Flight, nowMs: number): void {
    const { row, atMs, cachedTokens, booking, speculation, load } = flight.dispatch!;
    const { outputTokens } = flight.request;
    booking.release();
    this.outputTokens.add(outputTokens);
    if (load !== null) {
      this.learners[row]!.observe({
        worker: this.ids[row]!,
        streamed: true,
        result: 'completed',
        promptTokens: flight.promptTokens.length,
        promptBytes: BYTES_PER_TOKEN * flight.promptTokens.length,
        outputTokens,
        predictedCachedTokens: cachedTokens,
        cachedTokens: flight.progress!.cachedTokens,
        ttftMs: flight.firstTokenMs - atMs,
        tpotMs: outputTokens < 2 ? null : (nowMs - flight.firstTokenMs) / (outputTokens - 1),
        e2eMs: nowMs - atMs,
        load,
      });
    }
    if (speculation !== null) this.prefix?.settle(speculation, true, nowMs);
  }

  /** The engine refused the request. */
  refused(flight: Flight, nowMs: number): void {
    const { booking, speculation } = flight.dispatch!;
    booking.release();
    if (speculation !== null) this.prefix?.settle(speculation, false, nowMs);
  }

  eventsArrived(row: number, events: readonly KvEvent[], nowMs: number): void {
    this.prefix?.apply(row, events, nowMs);
  }

  scraped(row: number, signals: ScrapedSignals, nowMs: number): void {
    this.table.recordScrape(row, signals, nowMs);
  }

  /** Takes over what was learned so far. */
  refreshParameters(): void {
    const learned = new Map(this.learners.map((learner) => [learner, learner.parameters()]));
    for (const [row, learner] of this.learners.entries()) {
      const { step, workerBias } = learned.get(learner)!;
      this.table.setStep(row, biased(step, workerBias[this.ids[row]!] ?? 1));
    }
  }
}
