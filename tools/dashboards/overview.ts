import { quantiles, rate, stat, timeseries } from './dashboard.ts';
import type { Dashboard } from './dashboard.ts';

const FAILED = 'result=~"upstream-error|no-worker|router-error"';

/** The first look: is it serving, how fast, and is every part there. */
export const overview: Dashboard = {
  uid: 'sluice-overview',
  title: 'Sluice: overview',
  about: 'Is it serving, how fast, and is every part there.',
  variables: [{ kind: 'label', name: 'model', query: 'label_values(sluice_router_requests_total, model)', all: true }],
  rows: [
    {
      title: 'Now',
      panels: [
        stat('Requests', 'reqps', 'Ended per second.', 'sum(rate(sluice_router_requests_total[$__rate_interval]))'),
        stat(
          'Failed',
          'percentunit',
          'Share that ended in an error of an engine, of the router, or without an engine.',
          `sum(rate(sluice_router_requests_total{${FAILED}}[$__rate_interval])) / sum(rate(sluice_router_requests_total[$__rate_interval]))`,
        ),
        stat('In flight', 'short', 'Requests being handled, queued ones included.', 'sum(sluice_router_in_flight)'),
        stat(
          'TTFT p99',
          's',
          'Arrival to first content, queue included.',
          'histogram_quantile(0.99, sum by (le) (rate(sluice_router_ttft_seconds_bucket[$__rate_interval])))',
        ),
        stat(
          'Cache hits',
          'percentunit',
          'Share of prompt tokens that engines did not compute again.',
          'sum(rate(sluice_router_delivered_cached_tokens_total[$__rate_interval])) / sum(rate(sluice_router_prompt_tokens_total[$__rate_interval]))',
        ),
        stat(
          'Workers down',
          'short',
          'As the router that sees most of them down sees it.',
          'sum(max by (pool) (sluice_router_workers{state="down"}))',
        ),
      ],
    },
    {
      title: 'Requests',
      panels: [
        timeseries(
          'By result',
          'reqps',
          'completed, rejected (4xx), client-abort, upstream-error, no-worker, overload, router-error.',
          [rate('sluice_router_requests_total', ['result'], 'model=~"$model"')],
          { stacked: true },
        ),
        timeseries(
          'By status',
          'reqps',
          'HTTP status as the client saw it; 499: the client hung up.',
          [rate('sluice_router_requests_total', ['code'], 'model=~"$model"')],
          { stacked: true },
        ),
        timeseries('By route and model', 'reqps', 'unknown: nothing that is served was named.', [
          rate('sluice_router_requests_total', ['route', 'model'], 'model=~"$model"'),
        ]),
        timeseries(
          'TTFT',
          's',
          'Arrival to first content of streams, queue included.',
          quantiles('sluice_router_ttft_seconds', ['model'], 'model=~"$model"'),
        ),
        timeseries(
          'TPOT',
          's',
          'Mean gap between output tokens of an answer.',
          quantiles('sluice_router_tpot_seconds', ['model'], 'model=~"$model"'),
        ),
        timeseries(
          'E2E',
          's',
          'Arrival to the end of the answer.',
          quantiles('sluice_router_e2e_seconds', ['model'], 'model=~"$model"'),
        ),
        timeseries(
          'Tokens',
          'short',
          'Per second: output, and prompt tokens of answers that say how many were cached.',
          [
            { ...rate('sluice_router_output_tokens_total', ['pool']), legend: '{{pool}} output' },
            { ...rate('sluice_router_prompt_tokens_total', ['pool']), legend: '{{pool}} prompt' },
            { ...rate('sluice_router_delivered_cached_tokens_total', ['pool']), legend: '{{pool}} cached' },
          ],
        ),
        timeseries(
          'Engine errors and retries',
          'ops',
          'Attempts that an engine failed, by cause; retries are those nobody saw.',
          [
            rate('sluice_router_upstream_errors_total', ['cause']),
            { ...rate('sluice_router_retries_total'), legend: 'retried' },
          ],
        ),
        timeseries(
          'Held and turned away',
          'short',
          'Requests that wait in the router, and sheds per second by reason.',
          [
            { expr: 'sum by (band) (sluice_router_queue_requests)', legend: 'held, band {{band}}' },
            { ...rate('sluice_router_shed_total', ['reason']), legend: 'shed/s, {{reason}}' },
          ],
        ),
      ],
    },
    {
      title: 'Fleet',
      panels: [
        timeseries('Workers', 'short', 'Up and down, as the router that sees most of them down sees it.', [
          { expr: 'min by (pool) (sluice_router_workers{state="up"})', legend: '{{pool}} up' },
          { expr: 'max by (pool) (sluice_router_workers{state="down"})', legend: '{{pool}} down' },
        ]),
        timeseries('In flight, the ten busiest workers', 'short', 'Ledger: sent and not ended, siblings included.', [
          { expr: 'topk(10, max by (worker) (sluice_router_worker_in_flight_requests))', legend: '{{worker}}' },
        ]),
        timeseries('KV cache used, the ten fullest workers', 'percentunit', 'As the engines say.', [
          { expr: 'topk(10, max by (worker) (sluice_router_worker_kv_usage_ratio))', legend: '{{worker}}' },
        ]),
      ],
    },
    {
      title: 'Services',
      panels: [
        timeseries('Up', 'bool', 'Whether Prometheus can read the service.', [
          { expr: 'up{job="sluice"}', legend: '{{instance}}' },
        ]),
        timeseries('NATS', 'bool', 'Connection to the bus.', [
          { expr: 'sluice_bus_connected', legend: '{{service}} {{instance}}' },
        ]),
        timeseries('Redis', 'bool', 'Connection to the store.', [
          { expr: 'sluice_store_connected', legend: '{{service}} {{instance}}' },
        ]),
        timeseries(
          'Event loop delay, p99',
          's',
          'How long anything waits in a process; tokens of streams pass through it.',
          [{ expr: 'sluice_event_loop_delay_seconds{quantile="0.99"}', legend: '{{service}} {{instance}}' }],
        ),
        timeseries('Processor', 'percentunit', '1 is a whole processor; the work of a service is one thread.', [
          { expr: 'rate(sluice_process_cpu_seconds_total[$__rate_interval])', legend: '{{service}} {{instance}}' },
        ]),
        timeseries('Memory', 'bytes', 'Resident.', [
          { expr: 'sluice_process_memory_bytes{kind="resident"}', legend: '{{service}} {{instance}}' },
        ]),
        timeseries('Settings', 'short', 'Version of the overrides in force, and errors that keep newer ones out.', [
          { expr: 'sluice_config_version', legend: '{{service}} {{instance}} version' },
          { expr: 'sluice_config_problems', legend: '{{service}} {{instance}} errors' },
        ]),
        timeseries('Lost connections and starts', 'short', 'Per interval: NATS and Redis lost, processes started.', [
          {
            expr: 'sum by (service) (increase(sluice_bus_disconnects_total[$__rate_interval]))',
            legend: '{{service}} NATS',
          },
          {
            expr: 'sum by (service) (increase(sluice_store_disconnects_total[$__rate_interval]))',
            legend: '{{service}} Redis',
          },
          {
            expr: 'sum by (service) (changes(sluice_process_start_time_seconds[$__rate_interval]))',
            legend: '{{service}} started',
          },
        ]),
        timeseries('Messages not sent or not understood', 'ops', 'On the bus, by service.', [
          { ...rate('sluice_bus_publish_dropped_total', ['service']), legend: '{{service}} not sent' },
          { ...rate('sluice_bus_invalid_total', ['service']), legend: '{{service}} not understood' },
          { ...rate('sluice_bus_handler_errors_total', ['service']), legend: '{{service}} handler errors' },
        ]),
      ],
    },
  ],
};
