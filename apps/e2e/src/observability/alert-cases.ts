/**
 * Every alert in time, for promtool: what makes it fire, and that it fires only after its time and clears afterwards. Values are
 * in promtool's notation, one a minute: `0x5` is 0 and five more of it, `0+3x5` rises by 3.
 */
export interface AlertCase {
  readonly alert: string;
  readonly series: Readonly<Record<string, string>>;
  /** Minutes at which it must not fire, must, and must not any more. */
  readonly quiet: number;
  readonly fires: number;
  readonly clear: number;
}

/** Nothing for 10 minutes, the trouble for 30, nothing for 60. */
const level = (good: number, bad: number): string => `${good}x9 ${bad}x29 ${good}x60`;
/** A counter that grows by `rate` a minute in these 30 minutes only. */
const burst = (rate: number): string => `0x9 ${rate}+${rate}x29 ${30 * rate}x60`;
const steady = (rate: number): string => `0+${rate}x100`;
const R = 'job="sluice", service="router", instance="r"';

/** Fires in the trouble, not before it, not long after it. */
const inTrouble = (
  alert: string,
  series: AlertCase['series'],
  { quiet = 9, fires = 35, clear = 95 } = {},
): AlertCase => ({ alert, series, quiet, fires, clear });

export const ALERT_CASES: readonly AlertCase[] = [
  inTrouble('SluiceNoEngineUp', { [`sluice_router_workers{${R}, pool="p", state="up"}`]: level(2, 0) }),
  inTrouble('SluiceEngineDown', { [`sluice_router_worker_up{${R}, pool="p", worker="w"}`]: level(1, 0) }),
  inTrouble('SluiceEngineFailing', {
    [`sluice_router_worker_attempts_total{${R}, pool="p", worker="w", result="completed"}`]: steady(90),
    [`sluice_router_worker_attempts_total{${R}, pool="p", worker="w", result="upstream-error"}`]: burst(10),
  }),
  inTrouble('SluiceRequestsFailing', {
    [`sluice_router_requests_total{${R}, result="completed"}`]: steady(90),
    [`sluice_router_requests_total{${R}, result="no-worker"}`]: burst(3),
  }),
  inTrouble(
    'SluiceRouterError',
    { [`sluice_router_requests_total{${R}, model="unknown", result="router-error"}`]: '0x9 1x90' },
    { fires: 12, clear: 30 },
  ),
  inTrouble(
    'SluiceTtftHigh',
    {
      [`sluice_router_ttft_seconds_bucket{${R}, model="m", le="2.5"}`]: '0+60x9 540x29 600+60x60',
      [`sluice_router_ttft_seconds_count{${R}, model="m"}`]: steady(60),
    },
    { fires: 30 },
  ),
  inTrouble('SluiceServiceLevelMissed', {
    [`sluice_router_slo_requests_total{${R}, pool="p", slo="ttft", outcome="met"}`]: steady(50),
    [`sluice_router_slo_requests_total{${R}, pool="p", slo="ttft", outcome="missed"}`]: burst(10),
  }),
  inTrouble('SluiceShedding', {
    [`sluice_router_requests_total{${R}, result="completed"}`]: steady(90),
    [`sluice_router_requests_total{${R}, result="overload"}`]: burst(5),
  }),
  inTrouble('SluiceQueueGrowing', {
    [`sluice_router_queue_requests{${R}, pool="p", band="0"}`]: '0x9 10+10x29 290-10x28 0x40',
  }),
  inTrouble('SluiceEventStreamDown', {
    ['sluice_bridge_ranks{job="sluice", service="event-bridge", instance="b", state="waiting"}']: steady(0),
    ['sluice_bridge_ranks{job="sluice", service="event-bridge", instance="b", state="disconnected"}']: level(0, 1),
  }),
  inTrouble('SluiceIndexIncomplete', {
    [`sluice_router_index_workers{${R}, pool="p", confidence="incomplete"}`]: level(0, 1),
    [`sluice_router_index_workers{${R}, pool="p", confidence="none"}`]: steady(0),
  }),
  inTrouble('SluiceEventsLost', { 'sluice_bridge_losses_total{job="sluice"}': '0x9 2x90' }, { fires: 12, clear: 40 }),
  inTrouble('SluiceIndexGaps', { 'sluice_index_gaps_total{job="sluice", service="kv-index"}': burst(2) }),
  inTrouble('SluiceIndexLag', {
    [`sluice_router_index_event_lag_seconds_bucket{${R}, le="1"}`]: '0+60x9 540x29 600+60x60',
    [`sluice_router_index_event_lag_seconds_bucket{${R}, le="3"}`]: steady(60),
    [`sluice_router_index_event_lag_seconds_bucket{${R}, le="+Inf"}`]: steady(60),
  }),
  inTrouble('SluiceCachedTokensDisagree', {
    [`sluice_router_cached_prediction_total{${R}, pool="p", agreement="equal"}`]: steady(60),
    [`sluice_router_cached_prediction_total{${R}, pool="p", agreement="off"}`]: burst(20),
  }),
  inTrouble('SluiceEventsNotUnderstood', {
    'sluice_bridge_unknown_events_total{job="sluice"}': burst(1),
    'sluice_bridge_decode_errors_total{job="sluice"}': steady(0),
    'sluice_bridge_other_rank_total{job="sluice"}': steady(0),
  }),
  inTrouble('SluiceStreamDropping', {
    'sluice_bus_append_dropped_total{job="sluice", service="event-bridge"}': burst(3),
  }),
  inTrouble('SluicePromptsNotExact', { [`sluice_router_pool_exact{${R}, pool="p"}`]: level(1, 0) }),
  inTrouble('SluiceIndexFull', { 'sluice_index_evicted_nodes_total{job="sluice", service="kv-index"}': burst(100) }),
  inTrouble('SluicePredictorSilent', { [`sluice_router_latency_parameters_age_seconds{${R}}`]: '2x9 60+60x29 2x60' }),
  inTrouble('SluicePredictorNotLearning', {
    'sluice_predictor_outcomes_total{job="sluice", result="learned"}': '0+60x9 540x29 600+60x60',
    'sluice_predictor_outcomes_total{job="sluice", result="ignored"}': steady(1),
  }),
  inTrouble('SluicePredictionsOff', {
    [`sluice_router_actual_to_predicted_ratio_bucket{${R}, pool="p", target="ttft", le="0.5"}`]: steady(0),
    [`sluice_router_actual_to_predicted_ratio_bucket{${R}, pool="p", target="ttft", le="2"}`]:
      '0+60x9 540x29 600+60x60',
    [`sluice_router_actual_to_predicted_ratio_bucket{${R}, pool="p", target="ttft", le="4"}`]: steady(60),
    [`sluice_router_actual_to_predicted_ratio_bucket{${R}, pool="p", target="ttft", le="+Inf"}`]: steady(60),
  }),
  inTrouble('SluiceServiceDown', { 'up{job="sluice", instance="k"}': level(1, 0) }),
  inTrouble('SluiceBusDown', { [`sluice_bus_connected{${R}}`]: level(1, 0) }),
  inTrouble('SluiceStoreDown', { [`sluice_store_connected{${R}}`]: level(1, 0) }),
  inTrouble('SluiceEventLoopDelayed', { [`sluice_event_loop_delay_seconds{${R}, quantile="0.99"}`]: level(0, 0.3) }),
  inTrouble('SluiceRestarting', { [`sluice_process_start_time_seconds{${R}}`]: '100x9 200+100x29 3100x60' }),
  inTrouble('SluiceSettingsRefused', { [`sluice_config_problems{${R}}`]: level(0, 2) }),
  inTrouble(
    'SluiceSiblingLost',
    { [`sluice_router_siblings_expired_total{${R}}`]: '0x9 1x90' },
    { fires: 12, clear: 30 },
  ),
];

/** A file for `promtool test rules`; JSON is YAML. */
export const promtoolTests = (rulesFile: string, cases: readonly AlertCase[]): object => ({
  rule_files: [rulesFile],
  evaluation_interval: '1m',
  tests: cases.map(({ alert, series, quiet, fires, clear }) => {
    const expr = `count by (alertname) (ALERTS{alertname="${alert}", alertstate="firing"})`;
    const at = (minutes: number, isFiring: boolean) => ({
      expr,
      eval_time: `${minutes}m`,
      exp_samples: isFiring ? [{ labels: `{alertname="${alert}"}`, value: 1 }] : [],
    });
    return {
      name: alert,
      interval: '1m',
      input_series: Object.entries(series).map(([name, values]) => ({ series: name, values })),
      promql_expr_test: [at(quiet, false), at(fires, true), at(clear, false)],
    };
  }),
});
