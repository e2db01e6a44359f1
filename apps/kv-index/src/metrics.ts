import type { Metrics } from '@sluice/telemetry';
import type { KvIndex } from './state/kv-index.ts';

export interface IndexMetrics {
  /** Counts and times a lookup. */
  timed<T>(lookup: () => T): T;
  observeLag(lagMs: number): void;
  storeError(): void;
}

/** Registers the metrics of the index; `index` is asked at each scrape. */
export function indexMetrics(metrics: Metrics, index: () => KvIndex): IndexMetrics {
  const level = (name: string, help: string, of: (index: KvIndex) => number): void => {
    metrics.gauge({ name, help, read: () => of(index()) });
  };
  const total = (name: string, help: string, of: (index: KvIndex) => number): void => {
    metrics.counter({ name, help, read: () => of(index()) });
  };
  level('index_nodes', 'Blocks that at least one worker holds', (i) => i.stats().nodes);
  level('index_bytes', 'Bytes allocated by the tables of the index', (i) => i.stats().bytes);
  level('index_store_pending_workers', 'Workers whose changes are not in the store yet', (i) => i.pendingWorkers);
  total('index_evicted_nodes_total', 'Blocks dropped because the index was full', (i) => i.stats().evictedNodes);
  total('index_gaps_total', 'Lost batches found', (i) => i.counters.gaps);
  total('index_resyncs_total', 'Resyncs asked of the event bridge', (i) => i.counters.resyncs);
  total('index_batches_applied_total', 'Batches applied', (i) => i.counters.applied);
  total('index_batches_stale_total', 'Batches that were known already', (i) => i.counters.stale);
  total('index_snapshot_pages_total', 'Snapshot pages served', (i) => i.counters.snapshotPagesServed);
  metrics.gauge({
    name: 'index_blocks',
    help: 'Blocks held, by worker and tier',
    labels: ['worker', 'tier'],
    readEach: (set) => {
      for (const { worker, blocks } of index().workers())
        for (const [tier, count] of Object.entries(blocks)) set({ worker, tier }, count);
    },
  });
  metrics.gauge({
    name: 'index_workers',
    help: 'Workers by how far what the index holds of them may be believed: live, incomplete, disconnected (from before), none',
    labels: ['confidence'],
    readEach: (set) => {
      const counts = { live: 0, incomplete: 0, disconnected: 0, none: 0 };
      for (const { confidence } of index().workers()) counts[confidence]++;
      for (const [confidence, count] of Object.entries(counts)) set({ confidence }, count);
    },
  });
  metrics.gauge({
    name: 'index_worker_believed',
    help: '1: live, 0.5: incomplete history or disconnected, 0: not to be believed',
    labels: ['worker'],
    readEach: (set) => {
      for (const { worker, confidence } of index().workers())
        set({ worker }, { live: 1, incomplete: 0.5, disconnected: 0.5, none: 0 }[confidence]);
    },
  });
  const lookups = metrics.counter({ name: 'index_lookups_total', help: 'Lookups answered' });
  const lookupSeconds = metrics.histogram({
    name: 'index_lookup_seconds',
    help: 'Time of one lookup in the index',
    buckets: [0.00001, 0.00003, 0.0001, 0.0003, 0.001, 0.003, 0.01],
  });
  const lagSeconds = metrics.histogram({
    name: 'index_event_lag_seconds',
    help: 'Engine clock to application in the index',
    buckets: [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10],
  });
  const storeErrors = metrics.counter({
    name: 'index_store_errors_total',
    help: 'Reads and writes of the store that failed',
  });
  return {
    timed: (lookup) => {
      const start = performance.now();
      const result = lookup();
      lookups.inc();
      lookupSeconds.observe((performance.now() - start) / 1000);
      return result;
    },
    observeLag: (lagMs) => lagSeconds.observe(lagMs / 1000),
    storeError: () => storeErrors.inc(),
  };
}
