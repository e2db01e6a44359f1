import { quantiles, rate, timeseries } from './dashboard.ts';
import type { Dashboard, Query } from './dashboard.ts';

const total = (metric: string, legend: string): Query => ({
  expr: `sum(increase(${metric}[$__rate_interval]))`,
  legend,
});

/** From the engines' events to the routers' replicas: is anything lost, late, or not understood. */
export const indexHealth: Dashboard = {
  uid: 'sluice-index-health',
  title: 'Sluice: index health',
  about: "From the engines' KV events to the routers' replicas: is anything lost, late, or not understood.",
  variables: [],
  rows: [
    {
      title: 'Trust',
      panels: [
        timeseries(
          'Event streams',
          'short',
          'Workers by state at the bridge. waiting: nothing ever received, wrong address or never up. disconnected: engine gone, or the network to it.',
          [{ expr: 'sum by (state) (sluice_bridge_ranks)', legend: '{{state}}' }],
          { stacked: true },
        ),
        timeseries(
          'Workers in the index',
          'short',
          'By what kv-index believes of them.',
          [{ expr: 'sum by (confidence) (sluice_index_workers)', legend: '{{confidence}}' }],
          { stacked: true },
        ),
        timeseries("Workers in the routers' replicas", 'short', 'By what each router believes.', [
          {
            expr: 'sum by (instance, confidence) (sluice_router_index_workers)',
            legend: '{{instance}} {{confidence}}',
          },
        ]),
        timeseries(
          'Losses and repairs',
          'short',
          'Per interval. Gaps are repaired by replay, snapshot or resync; losses are history that nobody has any more.',
          [
            total('sluice_bridge_gaps_total', 'bridge gaps'),
            total('sluice_bridge_losses_total', 'bridge losses'),
            total('sluice_bridge_replays_total', 'replays'),
            total('sluice_bridge_restarts_total', 'engine restarts'),
            total('sluice_index_gaps_total', 'index gaps'),
            total('sluice_index_resyncs_total', 'index resyncs'),
            total('sluice_router_index_gaps_total', 'router gaps'),
            total('sluice_router_index_resyncs_total', 'router resyncs'),
          ],
        ),
        timeseries('Exact prompts', 'bool', '1 while prompts of a pool are rendered to what its engines tokenise.', [
          { expr: 'min by (pool) (sluice_router_pool_exact)', legend: '{{pool}}' },
        ]),
        timeseries('Believed', 'short', 'Workers that are not fully believed: 0.5 incomplete, 0 not at all.', [
          { expr: 'bottomk(10, sluice_index_worker_believed)', legend: '{{worker}}' },
        ]),
      ],
    },
    {
      title: 'Lag, from the engine making an event',
      panels: [
        timeseries(
          'To its publication',
          's',
          'Clocks as they are: a skewed clock shows here.',
          quantiles('sluice_bridge_lag_seconds'),
        ),
        timeseries('To kv-index', 's', 'Applied there.', quantiles('sluice_index_event_lag_seconds')),
        timeseries(
          'To the routers',
          's',
          'Applied in the embedded replicas: what decisions see.',
          quantiles('sluice_router_index_event_lag_seconds'),
        ),
      ],
    },
    {
      title: 'Flow',
      panels: [
        timeseries('Events', 'ops', 'Of engines, by kind.', [rate('sluice_bridge_events_total', ['kind'])]),
        timeseries('Batches', 'ops', 'Read by the bridge, applied by kv-index and by the routers.', [
          { ...rate('sluice_bridge_batches_total'), legend: 'bridge' },
          { ...rate('sluice_index_batches_applied_total'), legend: 'kv-index' },
          { ...rate('sluice_index_batches_stale_total'), legend: 'kv-index, known already' },
          { ...rate('sluice_router_index_batches_total', ['what']), legend: 'routers, {{what}}' },
        ]),
        timeseries('Left out', 'ops', 'Blocks that cannot be placed, by reason; messages that were not understood.', [
          rate('sluice_bridge_blocks_skipped_total', ['reason']),
          { ...rate('sluice_bridge_decode_errors_total'), legend: 'no event batch' },
          { ...rate('sluice_bridge_unknown_events_total'), legend: 'unknown events' },
          { ...rate('sluice_bridge_unknown_fields_total'), legend: 'unknown fields' },
          { ...rate('sluice_bridge_span_misses_total'), legend: 'tokens outside the vocabulary' },
          { ...rate('sluice_bridge_other_rank_total'), legend: 'another rank' },
        ]),
        timeseries(
          'Bridge: repeated and dropped',
          'ops',
          'Duplicates of a replay, stale messages, full queues, socket errors.',
          [
            { ...rate('sluice_bridge_duplicates_total'), legend: 'duplicates' },
            { ...rate('sluice_bridge_stale_total'), legend: 'stale' },
            { ...rate('sluice_bridge_queue_overflows_total'), legend: 'queue overflows' },
            { ...rate('sluice_bridge_socket_errors_total'), legend: 'socket errors' },
          ],
        ),
        timeseries('Stream (JetStream)', 'ops', 'Appended and consumed per second by service.', [
          { ...rate('sluice_bus_appended_total', ['service']), legend: '{{service}} appended' },
          { ...rate('sluice_bus_append_dropped_total', ['service']), legend: '{{service}} dropped' },
          { ...rate('sluice_bus_consumed_total', ['service']), legend: '{{service}} consumed' },
        ]),
        timeseries(
          'Waiting to be stored by the stream',
          'bytes',
          'Grows while NATS is away; what does not fit is dropped and repaired by a resync.',
          [{ expr: 'sum by (service) (sluice_bus_append_queued_bytes)', legend: '{{service}}' }],
        ),
      ],
    },
    {
      title: 'Size',
      panels: [
        timeseries('Nodes', 'short', 'Blocks that at least one worker holds.', [
          { expr: 'sum(sluice_index_nodes)', legend: 'kv-index' },
          { expr: 'sum by (instance) (sluice_router_index_nodes)', legend: 'router {{instance}}' },
        ]),
        timeseries('Memory of the tables', 'bytes', 'They double when full.', [
          { expr: 'sum(sluice_index_bytes)', legend: 'kv-index' },
          { expr: 'sum by (instance) (sluice_router_index_bytes)', legend: 'router {{instance}}' },
        ]),
        timeseries('Evicted', 'ops', 'Nodes dropped because an index is full: routes get worse, never wrong.', [
          { ...rate('sluice_index_evicted_nodes_total'), legend: 'kv-index' },
          { ...rate('sluice_router_index_evicted_nodes_total', ['instance']), legend: 'router {{instance}}' },
        ]),
        timeseries('Blocks by worker, the ten largest', 'short', 'As kv-index knows them.', [
          { expr: 'topk(10, sum by (worker) (sluice_index_blocks))', legend: '{{worker}}' },
        ]),
        timeseries(
          'Bridge less index',
          'short',
          'Blocks that the bridge knows and kv-index does not, by worker, the ten furthest: should return to 0.',
          [
            {
              expr: 'topk(10, abs(sum by (worker) (sluice_bridge_blocks) - sum by (worker) (sluice_index_blocks)))',
              legend: '{{worker}}',
            },
          ],
        ),
        timeseries('Durable copy', 'short', 'Workers whose changes are not in Redis yet; errors per second.', [
          { expr: 'sum(sluice_index_store_pending_workers)', legend: 'pending workers' },
          { ...rate('sluice_index_store_errors_total'), legend: 'errors/s' },
        ]),
      ],
    },
    {
      title: 'Serving',
      panels: [
        timeseries('Look-ups', 'ops', 'Asked of kv-index; routers ask their own replica.', [
          { ...rate('sluice_index_lookups_total'), legend: 'look-ups' },
        ]),
        timeseries('Look-up time', 's', 'Within kv-index.', quantiles('sluice_index_lookup_seconds')),
        timeseries('Snapshot pages', 'ops', 'Served by kv-index, taken over by routers: at starts and after gaps.', [
          { ...rate('sluice_index_snapshot_pages_total'), legend: 'served' },
          { ...rate('sluice_router_index_snapshot_pages_total'), legend: 'taken over' },
        ]),
      ],
    },
  ],
};
