import { randomBytes } from 'node:crypto';
import type { DecisionRecord } from '@sluice/contracts';
import { watchFleet } from '@sluice/discovery';
import type { FleetSource } from '@sluice/discovery';
import type { Signal } from '@sluice/model';
import type { Service, ServiceContext } from '@sluice/nest-kit';
import { NO_TRACING } from '@sluice/telemetry';
import { createUpstreamPool } from '@sluice/upstream';
import type { RouterConfig } from './config.ts';
import { DecisionLog } from './decision/decision-log.ts';
import { planRequest } from './decision/plan.ts';
import { createShadowMetrics } from './decision/shadow-metrics.ts';
import { Shadows } from './decision/shadows.ts';
import { FILLED_SIGNALS } from './fleet/fleet-policy.ts';
import { FleetView } from './fleet/fleet-view.ts';
import { LatencyView } from './fleet/latency-view.ts';
import { ScrapeLoop } from './fleet/scrape-loop.ts';
import type { Engine } from './fleet/worker.ts';
import { registerWorkerMetrics } from './fleet/worker-metrics.ts';
import { FlowGate } from './flow/flow-gate.ts';
import { FlowMetrics } from './flow/flow-metrics.ts';
import { followSettings } from './follow-settings.ts';
import { registerGauges } from './gauges.ts';
import { DataPlane } from './http/data-plane.ts';
import { LiveStream } from './live/live-stream.ts';
import { RecentLatency } from './live/recent-latency.ts';
import { createRouterMetrics } from './metrics.ts';
import { EventFeed } from './prefix/event-feed.ts';
import { PrefixView } from './prefix/prefix-view.ts';
import { createLagMetric, registerReplicaMetrics } from './prefix/replica-metrics.ts';
import { BodyReader } from './request/body-reader.ts';
import { ledgerOf, statusOf } from './router-status.ts';
import type { Ledgered } from './router-status.ts';
import { RouterModule } from './router.module.ts';
import type { Router } from './router.ts';
import { SiblingLink } from './siblings/sibling-link.ts';
import { PrefixArrivals } from './tracing/prefix-arrivals.ts';

export interface RouterService extends Service {
  /** Origin of the data plane; null until it listens. */
  dataPlaneUrl(): string | null;
  /** What the ledgers of all pools say is in flight, in sum: zero when nothing is. */
  ledger(): Ledgered;
  /** A decision by its id; null when it is not, or no longer, in the log. */
  decision(id: string): DecisionRecord | null;
}

/** Connections per engine for looks at it: its metrics and its health. */
const SCRAPE_CONNECTIONS = 2;

/** Milliseconds since the Unix epoch that never go back. */
const now = (): number => performance.timeOrigin + performance.now();

/**
 * The router with all its parts; nothing runs before `start`.
 * @param fleetSource where the fleet comes from; by default the watched file of the configuration
 * @param filled columns that something fills
 * @throws FleetFileError when that file is invalid
 * @throws Error when the policy needs a column that nothing fills
 */
export function createRouterService(
  config: RouterConfig,
  context: ServiceContext,
  fleetSource?: FleetSource,
  filled: readonly Signal[] = FILLED_SIGNALS,
): RouterService {
  const { router, source, scrapes } = assemble(config, context, fleetSource, filled);
  const { fleet, feed, latency, siblings, upstream, logger, bus } = router;
  const dataPlane = new DataPlane(router);
  const live = new LiveStream(router);
  registerGauges(context.metrics, router, dataPlane);
  registerWorkerMetrics(context.metrics, () => fleet.pools.values(), now);
  registerReplicaMetrics(context.metrics, router.prefix, feed, () => fleet.pools.values());
  const unsubscribes: (() => void)[] = [];
  let url: string | null = null;

  return {
    name: 'router',
    module: RouterModule.of(router, live),
    dataPlaneUrl: () => url,
    status: () => statusOf(router, url),
    ledger: () => ledgerOf(router),
    decision: (id) => router.decisions.get(id),
    // A little more, so that it is the router that cuts what outlasts its time.
    stopLimitMs: () => router.config.leaveMs + router.config.drainMs + 2000,
    async start() {
      await router.settings.start();
      feed.start();
      if (config.latency === 'learned') unsubscribes.push(latency.follow(bus, () => fleet.refreshSteps()));
      fleet.apply(source.current());
      siblings.start();
      unsubscribes.push(
        source.subscribe((next) => {
          logger.info({ version: next.version, workers: next.workers.length }, 'fleet changed');
          fleet.apply(next);
          siblings.poolsChanged();
          const origins = new Set(next.workers.map((worker) => worker.url));
          upstream.retain(origins);
          scrapes.retain(origins);
        }),
      );
      await fleet.kitsLoaded();
      url = await dataPlane.listen(config.host, config.port);
      logger.info({ url, policy: fleet.policyId, pools: [...fleet.pools.keys()] }, 'data plane is open');
    },
    async stop() {
      router.settings.stop();
      if (url !== null) {
        logger.info({ leaveMs: router.config.leaveMs }, 'leaving');
        await dataPlane.leave(router.config.leaveMs);
        await dataPlane.drain(router.config.drainMs);
      }
      url = null;
      live.close();
      siblings.stop();
      router.flow.stop();
      router.health.stop();
      feed.stop();
      for (const unsubscribe of unsubscribes.splice(0)) unsubscribe();
      source.close();
      await Promise.all([upstream.close(), scrapes.close()]);
    },
  };
}

/**
 * Constructs the parts and ties them together; the only place that knows all of them. Parts that need each other meet in
 * closures, which nothing calls before all of them are made.
 */
function assemble(
  config: RouterConfig,
  context: ServiceContext,
  fleetSource: FleetSource | undefined,
  filled: readonly Signal[],
) {
  const { bus, logger } = context;
  const metrics = createRouterMetrics(context.metrics);
  const name = randomBytes(4).toString('hex');
  const pool = (connections: number) =>
    createUpstreamPool({
      connections,
      connectTimeoutMs: config.connectTimeoutMs,
      headersTimeoutMs: config.headersTimeoutMs,
      silenceTimeoutMs: config.silenceTimeoutMs,
    });
  const upstream = pool(config.connections);
  const scrapes = pool(SCRAPE_CONNECTIONS);
  const latency = new LatencyView(config.profile);
  const prefix = new PrefixView(
    config.indexNodes,
    ({ policy }) => policy.needs.includes('activePromptTokens') || router.shadows.reads('activePromptTokens'),
  );
  const arrivals = new PrefixArrivals(prefix, bus, now);
  const feed = new EventFeed(bus, prefix.index, now, createLagMetric(context.metrics), arrivals);
  prefix.useFeed(feed);
  const tracing = context.tracing ?? NO_TRACING;
  tracing.setShare(config.traceSample);
  const settings = followSettings(config, context, filled, () => router);
  const flow = new FlowGate({
    limits: () => settings.current.flow.limits,
    metrics: new FlowMetrics(context.metrics, () => fleet.pools.values()),
    pick: (turn) => planRequest(router, turn),
    now,
  });
  const fleet: FleetView = new FleetView({
    policy: config.policy,
    policyOptions: config.policyOptions,
    seed: config.seed,
    filled,
    latency,
    prefix,
    metrics,
    flow,
    logger,
    now,
    onEngine: (engine, change) => (change === 'added' ? health.watch(engine) : health.unwatch(engine)),
    onWorker: (worker, change) => {
      const { spec } = worker;
      if (change === 'removed') {
        feed.unfollow(spec.id);
        flow.removed(worker);
      } else if (spec.kvEvents !== null) feed.follow(spec.id, spec.pool);
    },
  });
  const health = new ScrapeLoop({
    view: fleet,
    upstream: scrapes,
    timing: () => settings.current,
    onError: (_engine, check) => metrics.scrapeErrors.inc({ cause: check.kind }),
    onLook: (engine: Engine) => {
      metrics.scrapes.inc();
      for (const worker of engine.workers) prefix.refreshCapacity(worker);
      flow.looked(engine);
    },
    now,
  });
  const router: Router = {
    get config() {
      return settings.current;
    },
    settings,
    fleet,
    bodies: new BodyReader(config.maxKnownMessageBytes),
    health,
    prefix,
    feed,
    latency,
    siblings: new SiblingLink({
      bus,
      router: name,
      pools: () => fleet.pools.values(),
      metrics: context.metrics,
      logger,
      now,
    }),
    decisions: new DecisionLog(config.decisions, name),
    shadows: new Shadows({
      policies: config.shadowPolicies,
      sample: config.shadowSample,
      policyOptions: config.policyOptions,
      filled,
      observerOf: createShadowMetrics(context.metrics),
      // Next to the seed of decisions, so that the two draw different numbers.
      seed: config.seed === null ? randomBytes(4).readInt32LE() : config.seed + 1,
    }),
    recent: new RecentLatency(),
    flow,
    upstream,
    metrics,
    bus,
    logger,
    tracing,
    arrivals,
    rng: Math.random,
    now,
  };
  const source =
    fleetSource ??
    watchFleet({
      path: config.fleet,
      onError: (errors) => logger.error({ errors }, 'the fleet file is invalid; the last good one stays in force'),
    });
  return { router, source, scrapes };
}
