import type { Metrics } from '@sluice/telemetry';
import type { Pool } from '../fleet/pool.ts';
import type { EventFeed } from './event-feed.ts';
import type { PrefixView } from './prefix-view.ts';

const LAG_SECONDS = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10];

/** The lag of every batch, made before the feed that observes it. */
export function createLagMetric(metrics: Metrics): (lagMs: number) => void {
  const lag = metrics.histogram({
    name: 'router_index_event_lag_seconds',
    help: 'Engine clock to application in the embedded index',
    buckets: LAG_SECONDS,
  });
  return (lagMs) => lag.observe(lagMs / 1000);
}

/** `router_index_*`: the embedded replica of the prefix index, read when somebody scrapes. */
export function registerReplicaMetrics(
  metrics: Metrics,
  prefix: PrefixView,
  feed: EventFeed,
  pools: () => Iterable<Pool>,
): void {
  metrics.gauge({
    name: 'router_index_workers',
    help: 'Workers with an event stream by what the embedded index knows of them: live, incomplete, none',
    labels: ['pool', 'confidence'],
    readEach: (set) => {
      for (const pool of pools()) {
        const counts = { live: 0, incomplete: 0, none: 0 };
        for (const { spec } of pool.workers.values()) if (spec.kvEvents !== null) counts[feed.confidence(spec.id)]++;
        for (const [confidence, count] of Object.entries(counts)) set({ pool: pool.id, confidence }, count);
      }
    },
  });
  metrics.gauge({
    name: 'router_pool_exact',
    help: '1 while prompts of the pool are rendered to what its engines tokenise, 0 when prefixes are approximate',
    labels: ['pool'],
    readEach: (set) => {
      for (const pool of pools()) set({ pool: pool.id }, pool.kit === null ? 0 : 1);
    },
  });
  metrics.gauge({ name: 'router_index_nodes', help: 'Nodes of the embedded index', read: () => prefix.stats().nodes });
  metrics.gauge({
    name: 'router_index_bytes',
    help: 'Bytes allocated by the tables of the embedded index',
    read: () => prefix.stats().bytes,
  });
  metrics.counter({
    name: 'router_index_evicted_nodes_total',
    help: 'Nodes dropped because the embedded index was full',
    read: () => prefix.stats().evictedNodes,
  });
  metrics.counter({
    name: 'router_index_batches_total',
    help: 'Batches of KV events by what became of them: applied, stale (known already)',
    labels: ['what'],
    readEach: (set) => {
      set({ what: 'applied' }, feed.counters.applied);
      set({ what: 'stale' }, feed.counters.stale);
    },
  });
  metrics.counter({
    name: 'router_index_gaps_total',
    help: 'Lost batches found by the embedded index',
    read: () => feed.counters.gaps,
  });
  metrics.counter({
    name: 'router_index_resyncs_total',
    help: 'Resyncs asked of the event bridge',
    read: () => feed.counters.resyncs,
  });
  metrics.counter({
    name: 'router_index_snapshot_pages_total',
    help: 'Snapshot pages taken over from the kv-index',
    read: () => feed.counters.snapshotPages,
  });
}
