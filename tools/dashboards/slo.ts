import { quantiles, rate, stat, timeseries } from './dashboard.ts';
import type { Dashboard } from './dashboard.ts';

const FAILED = 'result=~"upstream-error|no-worker|router-error"';
/** Share of streams whose first token came later than the objective. */
const slow = (window: string): string =>
  `1 - sum(rate(sluice_router_ttft_seconds_bucket{model=~"$model", le=~"$ttft"}[${window}])) / sum(rate(sluice_router_ttft_seconds_count{model=~"$model"}[${window}]))`;
const met = (slo: string): string =>
  `sum(rate(sluice_router_slo_requests_total{slo="${slo}", outcome="met"}[$__rate_interval])) / sum(rate(sluice_router_slo_requests_total{slo="${slo}"}[$__rate_interval]))`;

/** Do clients get what they were promised: by an objective for all, and by what requests ask for themselves. */
export const slo: Dashboard = {
  uid: 'sluice-slo',
  title: 'Sluice: service levels',
  about:
    'Do clients get what they were promised: by an objective for all, and by what requests ask for in their headers.',
  variables: [
    { kind: 'label', name: 'model', query: 'label_values(sluice_router_ttft_seconds_count, model)', all: true },
    {
      kind: 'choice',
      name: 'ttft',
      label: 'TTFT objective',
      // Bounds of the histogram's buckets; Prometheus 3 writes whole ones with a point.
      options: [
        ['2.5 s', '2.5'],
        ['0.25 s', '0.25'],
        ['0.5 s', '0.5'],
        ['1 s', '1|1.0'],
        ['5 s', '5|5.0'],
        ['10 s', '10|10.0'],
      ],
    },
  ],
  rows: [
    {
      title: 'Objective for all streams: first token in time',
      panels: [
        stat(
          'In time',
          'percentunit',
          'Share of streams within the TTFT objective.',
          `1 - (${slow('$__rate_interval')})`,
        ),
        stat(
          'Burn of the 1 % budget',
          'short',
          '1 uses it up exactly; the alert fires at 14.4 over 5 minutes and an hour.',
          `(${slow('1h')}) / 0.01`,
        ),
        stat(
          'Available',
          'percentunit',
          'Share of requests that did not fail for a reason of ours.',
          `1 - sum(rate(sluice_router_requests_total{${FAILED}}[$__rate_interval])) / sum(rate(sluice_router_requests_total[$__rate_interval]))`,
        ),
        stat(
          'Turned away',
          'percentunit',
          'Share of requests shed or refused for load.',
          'sum(rate(sluice_router_requests_total{result="overload"}[$__rate_interval])) / sum(rate(sluice_router_requests_total[$__rate_interval]))',
        ),
        stat(
          'TTFT p99',
          's',
          'Of all streams.',
          'histogram_quantile(0.99, sum by (le) (rate(sluice_router_ttft_seconds_bucket{model=~"$model"}[$__rate_interval])))',
        ),
        stat(
          'TPOT p99',
          's',
          'Of all streams.',
          'histogram_quantile(0.99, sum by (le) (rate(sluice_router_tpot_seconds_bucket{model=~"$model"}[$__rate_interval])))',
        ),
        timeseries('Late share', 'percentunit', 'Of streams, over three windows.', [
          { expr: slow('5m'), legend: '5 min' },
          { expr: slow('1h'), legend: '1 h' },
          { expr: slow('6h'), legend: '6 h' },
        ]),
        timeseries('TTFT', 's', 'Queue included.', quantiles('sluice_router_ttft_seconds', [], 'model=~"$model"')),
        timeseries('E2E', 's', 'Queue included.', quantiles('sluice_router_e2e_seconds', [], 'model=~"$model"')),
      ],
    },
    {
      title: 'What requests ask for in their headers',
      panels: [
        timeseries(
          'TTFT as asked for',
          'percentunit',
          'Share of requests with x-sluice-slo-ttft-ms that had it; shed ones had not.',
          [{ expr: met('ttft'), legend: 'met' }],
        ),
        timeseries('TPOT as asked for', 'percentunit', 'Share of requests with x-sluice-slo-tpot-ms that had it.', [
          { expr: met('tpot'), legend: 'met' },
        ]),
        timeseries('Requests that ask', 'reqps', 'By what they ask for and what they got.', [
          rate('sluice_router_slo_requests_total', ['slo', 'outcome']),
        ]),
      ],
    },
    {
      title: 'The queue',
      panels: [
        timeseries(
          'Wait before sending',
          's',
          'By priority band; 0 for those that went at once.',
          quantiles('sluice_router_queue_wait_seconds', ['band'], '', [0.5, 0.99]),
        ),
        timeseries('Held', 'short', 'Requests in the router, by band.', [
          { expr: 'sum by (band) (sluice_router_queue_requests)', legend: 'band {{band}}' },
        ]),
        timeseries('Held bodies', 'bytes', 'Of requests in the queue, and of all requests.', [
          { expr: 'sum(sluice_router_queue_bytes)', legend: 'queue' },
          { expr: 'sum(sluice_router_held_body_bytes)', legend: 'all' },
        ]),
        timeseries('Turned away', 'ops', 'By reason.', [rate('sluice_router_shed_total', ['reason'])]),
        timeseries('Held by tenant, the ten largest', 'short', 'Who waits.', [
          { expr: 'topk(10, sum by (tenant) (sluice_router_tenant_held_requests))', legend: '{{tenant}}' },
        ]),
        timeseries(
          'Served by tenant, the ten largest',
          'short',
          'Uncached prompt tokens and output tokens twice, per second.',
          [
            {
              expr: 'topk(10, sum by (tenant) (rate(sluice_router_tenant_served_tokens_total[$__rate_interval])))',
              legend: '{{tenant}}',
            },
          ],
        ),
      ],
    },
  ],
};
