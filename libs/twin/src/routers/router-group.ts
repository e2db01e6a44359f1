import { workerId } from '@sluice/model';
import type { Rng } from '@sluice/model';
import { seededRng } from '@sluice/numerics';
import type { FlowControlOptions } from '@sluice/flow-control';
import type { Policy, ScrapedSignals } from '@sluice/routing';
import type { EngineSetup } from '../api.ts';
import { EventStream } from '../kv-events/event-stream.ts';
import type { IndexKind } from '../prefix/create-prefix-view.ts';
import type { KvBatch } from '../kv-events/kv-batch.ts';
import { KvHoldings } from '../kv-events/kv-holdings.ts';
import { LearnedLatency } from './learned-latency.ts';
import type { OutcomeListener } from './learned-latency.ts';
import { randomStream } from '../clock/random-stream.ts';
import { blockSizeOf, kvTokensOf, stepOf } from '../engines/replica.ts';
import type { Timeline } from '../clock/timeline.ts';
import type { FlightSender } from './twin-gate.ts';
import { readsPrefix, TwinRouter } from './twin-router.ts';

export interface RouterGroupOptions {
  readonly engines: readonly EngineSetup[];
  readonly count: number;
  /** One for each router: policies may carry state. */
  readonly createPolicy: (number: number) => Policy;
  readonly seed: number;
  readonly latency: 'exact' | 'learned';
  readonly knowsOutputs: boolean;
  readonly index: IndexKind;
  readonly lostEventShare: number;
  readonly resyncMs: number;
  readonly timeline: Timeline;
  /** Null: requests are sent at once. */
  readonly flowControl: Partial<FlowControlOptions> | null;
  readonly sender: FlightSender;
  readonly onOutcome: OutcomeListener | undefined;
}

/** The routers in front of one fleet. Each decides for itself, on what itself saw; what latency teaches is shared. */
export class RouterGroup {
  readonly routers: readonly TwinRouter[];
  /** Whether KV events change any decision. Keeping the index costs as much as the engines. */
  readonly readsEvents: boolean;
  private readonly streams: readonly EventStream[];
  /** By row; empty where no event is lost. */
  private readonly holdings: readonly KvHoldings[];
  private readonly learned: LearnedLatency | null;
  private readonly spread: Rng;

  constructor(options: RouterGroupOptions) {
    const { engines, count, createPolicy, seed, latency, knowsOutputs, index } = options;
    const { lostEventShare, resyncMs, timeline, flowControl, sender } = options;
    const ids = engines.map((_, row) => workerId(`engine-${row}`));
    const learns = latency === 'learned';
    const steps = engines.map((setup) => (learns ? setup.profile.step : stepOf(setup)));
    const variants = engines.map(({ variant, profile }) => variant ?? profile.id);
    const policies = Array.from({ length: count }, (_, number) => createPolicy(number));
    this.readsEvents = learns || readsPrefix(policies[0]!);
    this.learned = learns ? new LearnedLatency(ids, variants, steps, options.onOutcome) : null;
    this.routers = policies.map(
      (policy, number) =>
        new TwinRouter({
          ids,
          steps,
          kvTokens: engines.map(kvTokensOf),
          policy,
          rng: number === 0 ? seededRng(seed) : randomStream(seed, 'policy of a further router', number),
          learned: this.learned,
          index: this.readsEvents ? index : null,
          blockSizes: engines.map(blockSizeOf),
          knowsOutputs,
          flowControl,
          sender,
          timeline,
        }),
    );
    this.holdings = lostEventShare > 0 && this.readsEvents ? engines.map(() => new KvHoldings()) : [];
    this.streams = this.routers.map((router, number) => {
      const { holdings } = this;
      const rng = randomStream(seed, 'lost events', number);
      const loss = holdings.length > 0 ? { share: lostEventShare, resyncMs, rng, holdings } : null;
      return new EventStream(router, timeline, loss);
    });
    this.spread = randomStream(seed, 'spread over routers');
  }

  /** The router that the next request comes to. */
  pick(): TwinRouter {
    const { routers } = this;
    return routers.length === 1 ? routers[0]! : routers[Math.floor(this.spread() * routers.length)]!;
  }

  scraped(row: number, signals: ScrapedSignals, nowMs: number): void {
    for (const router of this.routers) router.scraped(row, signals, nowMs);
  }

  markDown(row: number): void {
    for (const router of this.routers) router.markDown(row);
  }

  eventsArrived(row: number, batch: KvBatch, nowMs: number): void {
    this.holdings[row]?.apply(batch);
    for (const stream of this.streams) stream.batch(row, batch, nowMs);
  }

  /** The engine's events start anew, with an empty cache. */
  eventsReopened(row: number, nowMs: number): void {
    this.holdings[row]?.clear();
    for (const stream of this.streams) stream.reopened(row, nowMs);
  }

  /** All take over what was learned so far. */
  refreshSteps(): void {
    const steps = this.learned?.steps() ?? [];
    for (const router of this.routers) for (const [row, step] of steps.entries()) router.setStep(row, step);
  }
}
