import { quantiles, rate, stat, timeseries } from './dashboard.ts';
import type { Dashboard, Query } from './dashboard.ts';

const POOL = 'pool=~"$pool"';

/** Mean of a signed histogram per observation: positive is later than predicted. */
const meanDifference = (metric: string, legend: string): Query => ({
  expr:
    `(sum by (pool) (rate(${metric}_sum{${POOL}, direction="later"}[$__rate_interval]))` +
    ` - sum by (pool) (rate(${metric}_sum{${POOL}, direction="sooner"}[$__rate_interval])))` +
    ` / sum by (pool) (rate(${metric}_count{${POOL}}[$__rate_interval]))`,
  legend,
});
const meanMagnitude = (metric: string, legend: string): Query => ({
  expr: `sum by (pool) (rate(${metric}_sum{${POOL}}[$__rate_interval])) / sum by (pool) (rate(${metric}_count{${POOL}}[$__rate_interval]))`,
  legend,
});

/** Are decisions good: do predictions hold, are caches where the index says, would another policy do better. */
export const routingQuality: Dashboard = {
  uid: 'sluice-routing-quality',
  title: 'Sluice: routing quality',
  about: 'Are decisions good: do predictions hold, are prefixes where the index says, would another policy do better.',
  variables: [{ kind: 'label', name: 'pool', query: 'label_values(sluice_router_workers, pool)', all: true }],
  rows: [
    {
      title: 'Decisions',
      panels: [
        timeseries(
          'Decision time',
          's',
          'Render, match, predict, choose, book.',
          quantiles('sluice_router_decision_seconds'),
        ),
        timeseries(
          'Prompts by look-up',
          'reqps',
          'exact: the bytes that the engine tokenises. plain: approximate, no tokenizer or a template that cannot be rendered.',
          [rate('sluice_router_prompts_total', ['layout'], POOL)],
          { stacked: true },
        ),
        timeseries('Policy in force', 'bool', 'Of each router.', [
          { expr: 'sluice_router_policy_info', legend: '{{instance}} {{policy}}' },
        ]),
      ],
    },
    {
      title: 'Predicted against actual',
      panels: [
        timeseries(
          'TTFT, actual over predicted',
          'short',
          '1 is right. p50 off 1 is a bias, p90 far from p50 is noise.',
          quantiles('sluice_router_actual_to_predicted_ratio', ['pool'], `${POOL}, target="ttft"`, [0.1, 0.5, 0.9]),
        ),
        timeseries(
          'TPOT, actual over predicted',
          'short',
          '1 is right.',
          quantiles('sluice_router_actual_to_predicted_ratio', ['pool'], `${POOL}, target="tpot"`, [0.1, 0.5, 0.9]),
        ),
        timeseries('TTFT error', 's', 'Mean of actual less predicted: bias with its sign, and without it.', [
          meanDifference('sluice_router_ttft_error_seconds', '{{pool}} bias'),
          meanMagnitude('sluice_router_ttft_error_seconds', '{{pool}} magnitude'),
        ]),
        timeseries(
          'TTFT regret',
          's',
          'Actual less the lowest prediction of any worker: the error and what was given up for others.',
          [meanDifference('sluice_router_ttft_regret_seconds', '{{pool}}')],
        ),
        timeseries('TPOT error', 's', 'Mean of actual less predicted.', [
          meanDifference('sluice_router_tpot_error_seconds', '{{pool}} bias'),
          meanMagnitude('sluice_router_tpot_error_seconds', '{{pool}} magnitude'),
        ]),
        timeseries('Workers slower than predicted', 'short', 'Mean TTFT over mean predicted TTFT, the ten highest.', [
          {
            expr: `topk(10, sum by (worker) (rate(sluice_router_worker_ttft_seconds_total{${POOL}}[$__rate_interval])) / sum by (worker) (rate(sluice_router_worker_predicted_ttft_seconds_total{${POOL}}[$__rate_interval])))`,
            legend: '{{worker}}',
          },
        ]),
      ],
    },
    {
      title: 'Cached tokens: the watchdog',
      panels: [
        timeseries(
          'Predicted and delivered',
          'short',
          'Prompt tokens per second that were predicted to be cached, and that engines said were.',
          [
            { ...rate('sluice_router_predicted_cached_tokens_total', ['pool'], POOL), legend: '{{pool}} predicted' },
            { ...rate('sluice_router_delivered_cached_tokens_total', ['pool'], POOL), legend: '{{pool}} delivered' },
          ],
        ),
        timeseries(
          'Agreement',
          'percentunit',
          'Share of answers: equal, within a block, off. A share of off that stays is a wrong tokenizer, block size or hash setting.',
          [
            {
              expr: `sum by (agreement) (rate(sluice_router_cached_prediction_total{${POOL}}[$__rate_interval])) / scalar(sum(rate(sluice_router_cached_prediction_total{${POOL}}[$__rate_interval])))`,
              legend: '{{agreement}}',
            },
          ],
          { stacked: true },
        ),
        timeseries('Hit rate', 'percentunit', 'Delivered cached tokens over prompt tokens.', [
          {
            expr: `sum by (pool) (rate(sluice_router_delivered_cached_tokens_total{${POOL}}[$__rate_interval])) / sum by (pool) (rate(sluice_router_prompt_tokens_total{${POOL}}[$__rate_interval]))`,
            legend: '{{pool}}',
          },
        ]),
      ],
    },
    {
      title: 'Shadow policies',
      panels: [
        timeseries(
          'Agreement',
          'percentunit',
          'Share of sampled decisions where the shadow picked the same worker. Empty without shadow policies.',
          [
            {
              expr: `sum by (policy) (rate(sluice_router_shadow_decisions_total{${POOL}, choice="agree"}[$__rate_interval])) / sum by (policy) (rate(sluice_router_shadow_decisions_total{${POOL}}[$__rate_interval]))`,
              legend: '{{policy}}',
            },
          ],
          { width: 12 },
        ),
        timeseries(
          'Predicted regret of the shadow',
          's',
          'Predicted for its pick less predicted for ours, where they differ. Above 0: ours is better by our own prediction.',
          [
            {
              expr:
                `(sum by (policy, of) (rate(sluice_router_shadow_regret_seconds_sum{${POOL}, direction="later"}[$__rate_interval]))` +
                ` - sum by (policy, of) (rate(sluice_router_shadow_regret_seconds_sum{${POOL}, direction="sooner"}[$__rate_interval])))` +
                ` / sum by (policy, of) (rate(sluice_router_shadow_regret_seconds_count{${POOL}}[$__rate_interval]))`,
              legend: '{{policy}} {{of}}',
            },
          ],
          { width: 12 },
        ),
      ],
    },
    {
      title: 'Latency predictor',
      panels: [
        stat(
          'Parameters heard',
          's',
          'Age of what the routers last heard of the predictor.',
          'max(sluice_router_latency_parameters_age_seconds)',
        ),
        stat(
          'Learned last',
          's',
          'Since a variant last learned from an outcome.',
          `time() - max(sluice_predictor_learned_timestamp_seconds{${POOL}})`,
        ),
        timeseries('Relative error', 'percentunit', 'One step ahead, with what the router knew then.', [
          { expr: `sluice_predictor_error_ratio{${POOL}}`, legend: '{{pool}} {{variant}} {{target}}' },
        ]),
        timeseries(
          'Coverage of the tail',
          'percentunit',
          'Share of outcomes within prediction times tail factor; 0.9 is meant.',
          [{ expr: `sluice_predictor_coverage_ratio{${POOL}}`, legend: '{{pool}} {{variant}} {{target}}' }],
        ),
        timeseries('Outcomes', 'ops', 'What became of them; unused ones by reason.', [
          rate('sluice_predictor_outcomes_total', ['result']),
          { ...rate('sluice_predictor_unused_outcomes_total', ['reason']), legend: 'unused, {{reason}}' },
        ]),
        timeseries('Samples', 'short', 'That a variant learned from; 0: its prior is in force.', [
          { expr: `sluice_predictor_samples{${POOL}}`, legend: '{{pool}} {{variant}}' },
        ]),
        timeseries(
          'New regimes and snapshots',
          'ops',
          'A new regime: step times changed so much that the variant learns anew.',
          [
            { ...rate('sluice_predictor_regime_changes_total'), legend: 'new regimes' },
            { ...rate('sluice_predictor_snapshots_published_total'), legend: 'snapshots' },
          ],
        ),
      ],
    },
    {
      title: 'Sibling routers',
      panels: [
        timeseries('Siblings', 'short', 'Heard by each router.', [
          { expr: `sluice_router_siblings{${POOL}}`, legend: '{{instance}} {{pool}}' },
        ]),
        timeseries('Their requests', 'short', 'In flight at siblings, as each router knows it.', [
          { expr: `sluice_router_sibling_requests{${POOL}}`, legend: '{{instance}} {{pool}}' },
        ]),
        timeseries(
          'Silence',
          's',
          'Since the last message of the sibling not heard for longest. Over 1.2 s is late, at 3 s it is forgotten.',
          [{ expr: `sluice_router_sibling_silence_seconds{${POOL}}`, legend: '{{instance}} {{pool}}' }],
        ),
        timeseries(
          'Delay of ledger messages',
          's',
          'As far as the clocks agree.',
          quantiles('sluice_router_ledger_delay_seconds'),
        ),
        timeseries('Ledger messages', 'ops', 'sent, applied, stale, invalid; siblings that fell silent.', [
          rate('sluice_router_ledger_messages_total', ['what']),
          { ...rate('sluice_router_siblings_expired_total'), legend: 'siblings expired' },
        ]),
      ],
    },
  ],
};
