import type { Metrics } from '@sluice/telemetry';
import type { Bridge, BridgeTotals } from './bridge.ts';

const COUNTERS: readonly (readonly [name: string, help: string, of: keyof BridgeTotals])[] = [
  ['bridge_batches_total', 'Event batches of engines that were applied', 'batches'],
  ['bridge_gaps_total', 'Missing sequence numbers noticed', 'gaps'],
  ['bridge_losses_total', 'Gaps that no replay could fill', 'losses'],
  ['bridge_replays_total', 'Complete answers of replay sockets', 'replays'],
  ['bridge_restarts_total', 'New engine processes noticed', 'restarts'],
  ['bridge_duplicates_total', 'Messages that a replay had delivered already', 'duplicates'],
  ['bridge_stale_total', 'Messages older than what was taken already', 'stale'],
  ['bridge_queue_overflows_total', 'Messages dropped from a full queue, to be replayed', 'overflows'],
  ['bridge_other_rank_total', 'Batches that name another rank than the fleet does', 'otherRank'],
  ['bridge_decode_errors_total', 'Messages that are no event batch', 'decodeErrors'],
  ['bridge_socket_errors_total', 'Errors of event sockets', 'socketErrors'],
  ['bridge_unknown_events_total', 'Events of unknown kind, tier or shape', 'unknownEvents'],
  ['bridge_unknown_fields_total', 'Fields of known events that were skipped', 'unknownFields'],
  ['bridge_bigrams_total', 'Token positions that came as bigram pairs', 'bigrams'],
  ['bridge_span_misses_total', 'Token ids outside the vocabulary', 'outsideVocabulary'],
];

const SKIPPED: readonly (readonly [reason: string, of: keyof BridgeTotals])[] = [
  ['orphan', 'orphans'],
  ['group', 'ignoredGroups'],
  ['malformed', 'malformed'],
  ['hash-only', 'hashOnly'],
  ['refused', 'refused'],
  ['unknown-removal', 'unknownRemovals'],
];

const EVENTS: readonly (readonly [kind: string, of: keyof BridgeTotals])[] = [
  ['stored', 'storedEvents'],
  ['removed', 'removedEvents'],
  ['cleared', 'clearedEvents'],
];

export interface BridgeMetrics {
  /** Lag of one published batch. */
  observeLag(lagMs: number): void;
}

/** The bridge's own counts, read when they are scraped. */
export function bridgeMetrics(metrics: Metrics, bridge: () => Bridge): BridgeMetrics {
  for (const [name, help, of] of COUNTERS) metrics.counter({ name, help, read: () => bridge().totals()[of] });
  metrics.counter({
    name: 'bridge_events_total',
    help: 'Events of engines by kind: stored, removed, cleared',
    labels: ['kind'],
    readEach: (set) => {
      const totals = bridge().totals();
      for (const [kind, of] of EVENTS) set({ kind }, totals[of]);
    },
  });
  metrics.counter({
    name: 'bridge_blocks_skipped_total',
    help: 'Blocks of store events left out, and removals of what is not known, by reason',
    labels: ['reason'],
    readEach: (set) => {
      const totals = bridge().totals();
      for (const [reason, of] of SKIPPED) set({ reason }, totals[of]);
    },
  });
  metrics.gauge({
    name: 'bridge_blocks',
    help: 'Blocks that a worker is believed to hold',
    labels: ['worker'],
    readEach: (set) => {
      for (const view of bridge().ranks()) {
        if (view.kind === 'read') set({ worker: view.worker.id }, view.reader.table.blocks);
      }
    },
  });
  metrics.gauge({
    name: 'bridge_ranks',
    help: 'Workers by state of their event stream: live, incomplete, disconnected (connection lost), waiting (nothing received), unread (not configured)',
    labels: ['state'],
    readEach: (set) => {
      const counts = { live: 0, incomplete: 0, disconnected: 0, waiting: 0, unread: 0 };
      for (const view of bridge().ranks()) counts[view.kind === 'read' ? view.reader.state : 'unread']++;
      for (const [state, count] of Object.entries(counts)) set({ state }, count);
    },
  });
  const lag = metrics.histogram({
    name: 'bridge_lag_seconds',
    help: 'From the engine making a batch to its publication, clocks as they are',
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
  });
  return { observeLag: (lagMs) => lag.observe(lagMs / 1000) };
}
