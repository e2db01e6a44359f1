import { watchFleet } from '@sluice/discovery';
import { openKvEventStream } from '@sluice/engine-wire';
import { LiveConfig } from '@sluice/nest-kit';
import type { Service, ServiceContext, ServiceStatus } from '@sluice/nest-kit';
import { loadPromptKit } from '@sluice/prompt';
import { BatchSpans } from '@sluice/telemetry';
import { Bridge } from './bridge.ts';
import { bridgeMetrics } from './bridge-metrics.ts';
import { eventBridgeSettings, parseEventBridgeConfig } from './config.ts';
import type { EventBridgeConfig } from './config.ts';
import { EventBridgeModule } from './event-bridge.module.ts';

/**
 * The event bridge: engines' KV events in, normalised KV batches on the bus out.
 * @throws FleetFileError when the fleet file cannot be read or is invalid.
 */
export function createEventBridgeService(config: EventBridgeConfig, context: ServiceContext): Service {
  const { bus, logger, metrics, tracing } = context;
  const fleet = watchFleet({
    path: config.fleet,
    onError: (errors) => logger.error({ errors }, 'fleet file is invalid; the last good fleet stays in force'),
  });
  const measured = bridgeMetrics(metrics, () => bridge);
  const bridge = new Bridge({
    fleet,
    bus,
    logger,
    loadVocabulary: async (dir) => (await loadPromptKit(dir)).vocabulary,
    openStream: openKvEventStream,
    now: Date.now,
    ...(tracing && { spans: new BatchSpans(tracing, 'bridge kv.v1', 'producer') }),
    onBatch: (lagMs) => measured.observeLag(lagMs),
    feedMs: config.feedMs,
    timing: { replaySilenceMs: config.replaySilenceMs, idleCheckMs: config.idleCheckMs },
    maxBlocksPerRank: config.maxBlocksPerRank,
  });
  const live = new LiveConfig({ settings: eventBridgeSettings, parse: parseEventBridgeConfig, config, context });
  let started = false;
  return {
    name: 'event-bridge',
    module: EventBridgeModule.of(bridge, live),
    status: () => statusOf(bridge, started),
    async start() {
      await live.start();
      await bridge.start();
      started = true;
    },
    stop() {
      live.stop();
      bridge.stop();
      fleet.close();
      return Promise.resolve();
    },
  };
}

/** Ready once it follows the fleet; engines that are away make no bridge unready. */
function statusOf(bridge: Bridge, started: boolean): ServiceStatus {
  const counts = { live: 0, incomplete: 0, disconnected: 0, waiting: 0, unread: 0 };
  for (const view of bridge.ranks()) counts[view.kind === 'read' ? view.reader.state : 'unread']++;
  const detail = Object.entries(counts)
    .map(([state, count]) => `${count} ${state}`)
    .join(', ');
  return { ready: started, checks: { ranks: { ok: started, detail } } };
}
