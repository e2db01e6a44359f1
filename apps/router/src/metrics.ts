import type { Metrics } from '@sluice/telemetry';
import { signedHistogram } from './decision/signed-histogram.ts';

const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160, 320, 640];
const TOKEN_SECONDS = [0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.4, 0.8, 1.6];
const DECISION_SECONDS = [1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 5e-2];
/** Names that clients may invent are not labels: everything that is not served is one series. */
export const UNKNOWN_MODEL = 'unknown';

/** How a request ended, as a label. */
export type Result =
  'completed' | 'rejected' | 'client-abort' | 'upstream-error' | 'no-worker' | 'overload' | 'router-error';

/** Every metric of the router in one place; docs/router.md explains them. */
export function createRouterMetrics(metrics: Metrics) {
  const requests = metrics.counter({
    name: 'router_requests_total',
    help: 'Requests of the data plane by served model, HTTP status and how they ended',
    labels: ['model', 'code', 'result'],
  });
  const ttft = metrics.histogram({
    name: 'router_ttft_seconds',
    help: 'Arrival to first content of streamed answers, time in the queue included',
    labels: ['model'],
    buckets: SECONDS,
  });
  const tpot = metrics.histogram({
    name: 'router_tpot_seconds',
    help: 'Mean gap between output tokens of an answer',
    labels: ['model'],
    buckets: TOKEN_SECONDS,
  });
  const e2e = metrics.histogram({
    name: 'router_e2e_seconds',
    help: 'Arrival to end of completed answers, time in the queue included',
    labels: ['model'],
    buckets: SECONDS,
  });
  const predictedCached = metrics.counter({
    name: 'router_predicted_cached_tokens_total',
    help: 'Prompt tokens predicted to be cached, over answers that say how many were',
    labels: ['pool'],
  });
  const deliveredCached = metrics.counter({
    name: 'router_delivered_cached_tokens_total',
    help: 'Prompt tokens that engines reported as cached',
    labels: ['pool'],
  });
  const cachedAgreement = metrics.counter({
    name: 'router_cached_prediction_total',
    help: 'Answers by how the predicted cached tokens compare: equal, within a block, off',
    labels: ['pool', 'agreement'],
  });
  const ttftError = signedHistogram(metrics, {
    name: 'router_ttft_error_seconds',
    help: 'TTFT from the decision less what was predicted for the chosen worker; completed streams',
    labels: ['pool'],
  });
  const ttftRegret = signedHistogram(metrics, {
    name: 'router_ttft_regret_seconds',
    help: 'TTFT from the decision less the lowest that was predicted for any worker; completed streams',
    labels: ['pool'],
  });
  const children = new Map<string, { inc(): void }>();

  return {
    /** Counts a request. Looking a child up by its labels is dear, so it is done once per combination. */
    count(model: string, code: number, result: Result): void {
      const key = `${model}|${code}|${result}`;
      let child = children.get(key);
      if (child === undefined) {
        child = requests.labels({ model, code: String(code), result });
        children.set(key, child);
      }
      child.inc();
    },
    /** The metrics of one pool, to be kept. */
    ofPool: (pool: string, model: string) => ({
      ttft: ttft.labels({ model }),
      tpot: tpot.labels({ model }),
      e2e: e2e.labels({ model }),
      ttftError: ttftError({ pool }),
      ttftRegret: ttftRegret({ pool }),
      predictedCached: predictedCached.labels({ pool }),
      deliveredCached: deliveredCached.labels({ pool }),
      agreement: {
        equal: cachedAgreement.labels({ pool, agreement: 'equal' }),
        'within-a-block': cachedAgreement.labels({ pool, agreement: 'within-a-block' }),
        off: cachedAgreement.labels({ pool, agreement: 'off' }),
      },
    }),
    decision: metrics.histogram({
      name: 'router_decision_seconds',
      help: 'Time to render, match, predict, choose and book',
      buckets: DECISION_SECONDS,
    }),
    retries: metrics.counter({
      name: 'router_retries_total',
      help: 'Attempts repeated on another worker before the first byte, by what ended the first',
      labels: ['cause'],
    }),
    upstreamErrors: metrics.counter({
      name: 'router_upstream_errors_total',
      help: 'Attempts that an engine failed, by kind',
      labels: ['cause'],
    }),
    scrapeErrors: metrics.counter({
      name: 'router_scrape_errors_total',
      help: 'Looks at engines that failed',
      labels: ['cause'],
    }),
  };
}
export type RouterMetrics = ReturnType<typeof createRouterMetrics>;
export type PoolMetrics = ReturnType<RouterMetrics['ofPool']>;

/** Values that are kept elsewhere and read when somebody scrapes. */
export interface Gauges {
  inFlight(): number;
  /** [pool, up, total] */
  workers(): Iterable<readonly [pool: string, up: number, total: number]>;
  /** [pool, confidence, workers] */
  confidence(): Iterable<readonly [pool: string, confidence: string, workers: number]>;
  indexNodes(): number;
  busConnected(): boolean;
}

export function registerGauges(metrics: Metrics, gauges: Gauges): void {
  const inFlight = metrics.gauge({
    name: 'router_in_flight',
    help: 'Requests being handled',
    collect: () => inFlight.set(gauges.inFlight()),
  });
  const workers = metrics.gauge({
    name: 'router_workers',
    help: 'Workers by pool and state',
    labels: ['pool', 'state'],
    collect: () => {
      workers.reset();
      for (const [pool, up, total] of gauges.workers()) {
        workers.set({ pool, state: 'up' }, up);
        workers.set({ pool, state: 'down' }, total - up);
      }
    },
  });
  const confidence = metrics.gauge({
    name: 'router_index_workers',
    help: 'Workers by what the embedded index knows of them: live, incomplete, none',
    labels: ['pool', 'confidence'],
    collect: () => {
      confidence.reset();
      for (const [pool, state, count] of gauges.confidence()) confidence.set({ pool, confidence: state }, count);
    },
  });
  const nodes = metrics.gauge({
    name: 'router_index_nodes',
    help: 'Nodes of the embedded index',
    collect: () => nodes.set(gauges.indexNodes()),
  });
  const bus = metrics.gauge({
    name: 'router_bus_connected',
    help: '1 while the bus is connected',
    collect: () => bus.set(gauges.busConnected() ? 1 : 0),
  });
}
