import type { IndexedConfidence } from '@sluice/contracts';
import { watchFleet } from '@sluice/discovery';
import { LiveConfig } from '@sluice/nest-kit';
import type { Service, ServiceContext, ServiceStatus } from '@sluice/nest-kit';
import { loadPromptKit } from '@sluice/prompt';
import { BatchSpans } from '@sluice/telemetry';
import { ChatRenderer } from './chat-renderer.ts';
import { kvIndexSettings, parseKvIndexConfig } from './config.ts';
import type { KvIndexConfig } from './config.ts';
import { KvIndexModule } from './kv-index.module.ts';
import { indexMetrics } from './metrics.ts';
import { KvIndex } from './state/kv-index.ts';

/**
 * The global prefix index: KV deltas of the bus in, lookups and snapshots out, durable copy in the store.
 * @throws FleetFileError when the fleet file cannot be read or is invalid.
 */
export function createKvIndexService(config: KvIndexConfig, context: ServiceContext): Service {
  const { bus, store, logger, metrics, tracing } = context;
  const fleet = watchFleet({
    path: config.fleet,
    onError: (errors) => logger.error({ errors }, 'fleet file is invalid; the last good fleet stays in force'),
  });
  const measured = indexMetrics(metrics, () => index);
  const index = new KvIndex({
    bus,
    store,
    fleet,
    maxNodes: config.maxNodes,
    writeDelayMs: config.writeDelayMs,
    storeWaitMs: config.storeWaitMs,
    now: Date.now,
    ...(tracing && { spans: new BatchSpans(tracing, 'apply kv.v1', 'consumer') }),
    onBatch: (lagMs) => measured.observeLag(lagMs),
    onStoreError: (error) => {
      measured.storeError();
      logger.warn({ err: error }, 'the durable copy could not be read or written');
    },
  });
  const live = new LiveConfig({ settings: kvIndexSettings, parse: parseKvIndexConfig, config, context });
  return {
    name: 'kv-index',
    module: KvIndexModule.of(index, new ChatRenderer(fleet, loadPromptKit), measured, live),
    status: () => statusOf(index, context),
    async start() {
      await live.start();
      await index.start();
      logger.info({ workers: index.workers().length, ...index.stats() }, 'following KV deltas');
    },
    async stop() {
      live.stop();
      await index.stop();
      fleet.close();
    },
  };
}

/** Ready once it follows the stream: without the store it is only not durable. */
function statusOf(index: KvIndex, { bus, store }: ServiceContext): ServiceStatus {
  const workers = index.workers();
  const count = (which: IndexedConfidence): number => workers.filter(({ confidence }) => confidence === which).length;
  const believed = count('live') + count('incomplete');
  const away = count('disconnected');
  const detail = `${believed} of ${workers.length} workers are believed${away > 0 ? `, ${away} disconnected` : ''}`;
  const connected = bus.state() === 'connected';
  return {
    ready: index.following && connected,
    checks: {
      bus: { ok: connected, detail: bus.state() },
      store: { ok: store.state() === 'connected', detail: store.state() },
      workers: { ok: index.following, detail },
    },
  };
}
