import { timeseries } from './dashboard.ts';
import type { Dashboard, Query } from './dashboard.ts';

const ONE = 'pool=~"$pool", worker="$worker"';
/** Every router reports the worker: siblings count each other's requests, so the largest is the nearest. */
const level = (metric: string, legend: string): Query => ({
  expr: `max(sluice_router_worker_${metric}{${ONE}})`,
  legend,
});
const perSecond = (metric: string, legend: string): Query => ({
  expr: `sum(rate(sluice_router_worker_${metric}{${ONE}}[$__rate_interval]))`,
  legend,
});
const share = (part: string, whole: string, legend: string): Query => ({
  expr: `${perSecond(part, '').expr} / ${perSecond(whole, '').expr}`,
  legend,
});

/** One worker: what it is given, what it does with it, and whether it is as fast as its variant should be. */
export const oneWorker: Dashboard = {
  uid: 'sluice-worker',
  title: 'Sluice: one worker',
  about: 'What it is given, what it does with it, and whether it is as fast as its variant should be.',
  variables: [
    { kind: 'label', name: 'pool', query: 'label_values(sluice_router_workers, pool)', all: true },
    {
      kind: 'label',
      name: 'worker',
      query: 'label_values(sluice_router_worker_up{pool=~"$pool"}, worker)',
      all: false,
    },
  ],
  rows: [
    {
      title: 'State',
      panels: [
        timeseries('Up', 'bool', 'At each router.', [
          { expr: `sluice_router_worker_up{${ONE}}`, legend: '{{instance}}' },
        ]),
        timeseries('Age of its signals', 's', 'Since the engine last answered a look.', [
          { expr: `sluice_router_worker_signal_age_seconds{${ONE}}`, legend: '{{instance}}' },
        ]),
        timeseries(
          'Attempts by result',
          'reqps',
          'rejected: its own 4xx. upstream-error: it failed.',
          [
            {
              expr: `sum by (result) (rate(sluice_router_worker_attempts_total{${ONE}}[$__rate_interval]))`,
              legend: '{{result}}',
            },
          ],
          { stacked: true },
        ),
      ],
    },
    {
      title: 'Load',
      panels: [
        timeseries(
          'Requests',
          'short',
          'Ledger: in flight, of these decoding; held in the router for it. Engine: running and waiting, as it says.',
          [
            level('in_flight_requests', 'in flight'),
            level('decoding_requests', 'decoding'),
            level('held_requests', 'held in the router'),
            level('engine_running_requests', 'engine: running'),
            level('engine_waiting_requests', 'engine: waiting'),
          ],
          { width: 12 },
        ),
        timeseries(
          'Prefill backlog',
          'short',
          'Uncached prompt tokens sent and not yet prefilled.',
          [level('queued_prefill_tokens', 'tokens')],
          { width: 12 },
        ),
        timeseries('KV cache', 'percentunit', 'Used share as the engine says, and what the requests in flight took.', [
          level('kv_usage_ratio', 'used'),
          {
            expr: `max(sluice_router_worker_held_kv_tokens{${ONE}}) / max(sluice_router_worker_kv_capacity_tokens{${ONE}})`,
            legend: 'held by requests in flight',
          },
        ]),
        timeseries('Tokens', 'short', 'Per second.', [
          perSecond('output_tokens_total', 'output'),
          perSecond('prompt_tokens_total', 'prompt'),
          perSecond('cached_tokens_total', 'cached'),
        ]),
        timeseries('Hit rate', 'percentunit', 'Cached over prompt tokens.', [
          share('cached_tokens_total', 'prompt_tokens_total', 'hits'),
        ]),
      ],
    },
    {
      title: 'Speed and prefixes',
      panels: [
        timeseries('TTFT', 's', 'Mean from the decision, beside the mean predicted.', [
          share('ttft_seconds_total', 'streams_total', 'actual'),
          share('predicted_ttft_seconds_total', 'streams_total', 'predicted'),
        ]),
        timeseries('Cached blocks', 'short', 'As the bridge and kv-index know them.', [
          { expr: 'sum(sluice_bridge_blocks{worker="$worker"})', legend: 'bridge' },
          { expr: 'sum by (tier) (sluice_index_blocks{worker="$worker"})', legend: 'kv-index, {{tier}}' },
        ]),
        timeseries('Believed', 'short', '1 live, 0.5 incomplete history, 0 not to be believed.', [
          { expr: 'min(sluice_index_worker_believed{worker="$worker"})', legend: 'kv-index' },
        ]),
      ],
    },
  ],
};
