import type { Metrics } from '@sluice/telemetry';
import type { ForwardOutcome } from '@sluice/upstream';
import { createPredictionMetrics } from './decision/prediction-metrics.ts';
import { API_PATHS } from './request/parse-request.ts';
import type { Api } from './request/parse-request.ts';

const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160, 320, 640];
const TOKEN_SECONDS = [0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.4, 0.8, 1.6];
const DECISION_SECONDS = [1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 5e-2];
/** Names that clients may invent are not labels: everything that is not served is one series. */
export const UNKNOWN_MODEL = 'unknown';

/** How a request ended, as a label. */
export type Result =
  'completed' | 'rejected' | 'client-abort' | 'upstream-error' | 'no-worker' | 'overload' | 'router-error';

/** Why an engine failed an attempt, as a label; `error-event`: an error within a stream that began well. */
export type UpstreamErrorCause = Exclude<ForwardOutcome['kind'], 'completed' | 'client-abort'> | 'error-event';
/** Results that shares are made of, with the status that they mostly have. */
const USUAL_CODES = { completed: '200', overload: '429', 'upstream-error': '502', 'no-worker': '503' } as const;
const UPSTREAM_ERROR_CAUSES: readonly UpstreamErrorCause[] = [
  'connect-failed',
  'upstream-closed-before-first-byte',
  'server-error',
  'timeout',
  'upstream-died-mid-stream',
  'error-event',
];
const RETRY_CAUSES = ['connect-failed', 'upstream-closed-before-first-byte', 'server-error'];
const SCRAPE_CAUSES = ['bad', 'timeout'];

/**
 * Metrics of requests and attempts; docs/metrics.md lists them with every other. Series of labels that are known are there
 * from the start: the first error of a kind must show as a rise.
 */
export function createRouterMetrics(metrics: Metrics) {
  const requests = metrics.counter({
    name: 'router_requests_total',
    help: 'Requests of the data plane by served model, HTTP status, how they ended and route',
    labels: ['model', 'code', 'result', 'route'],
  });
  for (const route of Object.values(API_PATHS)) {
    requests.inc({ model: UNKNOWN_MODEL, code: '500', result: 'router-error', route }, 0);
  }
  const children = new Map<string, { inc(): void }>();
  const poolMetrics = createPoolMetrics(metrics);
  const withCauses = (name: string, help: string, causes: readonly string[]) => {
    const counter = metrics.counter({ name, help, labels: ['cause'] });
    for (const cause of causes) counter.inc({ cause }, 0);
    return counter;
  };

  return {
    /** Counts a request. Looking a child up by its labels is dear, so it is done once per combination. */
    count(api: Api, model: string, code: number, result: Result): void {
      const key = `${api}|${model}|${code}|${result}`;
      let child = children.get(key);
      if (child === undefined) {
        child = requests.labels({ model, code: String(code), result, route: API_PATHS[api] });
        children.set(key, child);
      }
      child.inc();
    },
    /** The metrics of one pool, to be kept. */
    ofPool(pool: string, model: string): PoolMetrics {
      for (const [result, code] of Object.entries(USUAL_CODES)) {
        requests.inc({ model, code, result, route: API_PATHS.chat }, 0);
      }
      return poolMetrics(pool, model);
    },
    decision: metrics.histogram({
      name: 'router_decision_seconds',
      help: 'Time to render, match, predict, choose and book',
      buckets: DECISION_SECONDS,
    }),
    retries: withCauses(
      'router_retries_total',
      'Attempts repeated on another worker before the first byte, by what ended the first',
      RETRY_CAUSES,
    ),
    upstreamErrors: withCauses(
      'router_upstream_errors_total',
      'Attempts that an engine failed, by kind',
      UPSTREAM_ERROR_CAUSES,
    ),
    scrapes: metrics.counter({ name: 'router_scrapes_total', help: 'Looks at engines' }),
    scrapeErrors: withCauses(
      'router_scrape_errors_total',
      'Looks at engines that failed: bad (refused, not well), timeout',
      SCRAPE_CAUSES,
    ),
  };
}
export type RouterMetrics = ReturnType<typeof createRouterMetrics>;
export type PoolMetrics = ReturnType<ReturnType<typeof createPoolMetrics>>;

/** Metrics of what a pool's attempts came to. Returns those of one pool, with the first name of its model as a label. */
function createPoolMetrics(metrics: Metrics) {
  const ttft = metrics.histogram({
    name: 'router_ttft_seconds',
    help: 'Arrival to first content of completed streams, time in the queue included',
    labels: ['model', 'route'],
    buckets: SECONDS,
  });
  const tpot = metrics.histogram({
    name: 'router_tpot_seconds',
    help: 'Mean gap between output tokens of completed streams',
    labels: ['model', 'route'],
    buckets: TOKEN_SECONDS,
  });
  const e2e = metrics.histogram({
    name: 'router_e2e_seconds',
    help: 'Arrival to end of completed answers, time in the queue included',
    labels: ['model', 'route'],
    buckets: SECONDS,
  });
  const slo = metrics.counter({
    name: 'router_slo_requests_total',
    help: 'Completed or shed requests that asked for a TTFT or TPOT by whether they had it: met, missed',
    labels: ['pool', 'slo', 'outcome'],
  });
  const prompts = metrics.counter({
    name: 'router_prompts_total',
    help: 'Attempts by how their prompt was looked up: exact (as the engine tokenises it) or plain (approximate)',
    labels: ['pool', 'layout'],
  });
  const outputTokens = metrics.counter({
    name: 'router_output_tokens_total',
    help: 'Output tokens of completed answers',
    labels: ['pool'],
  });
  const predictionsOf = createPredictionMetrics(metrics);

  return (pool: string, model: string) => {
    const ofRoute = (api: Api) => {
      const labels = { model, route: API_PATHS[api] };
      for (const histogram of [ttft, tpot, e2e]) histogram.zero(labels);
      return { ttft: ttft.labels(labels), tpot: tpot.labels(labels), e2e: e2e.labels(labels) };
    };
    const ofSlo = (name: 'ttft' | 'tpot') => ({
      met: slo.labels({ pool, slo: name, outcome: 'met' }),
      missed: slo.labels({ pool, slo: name, outcome: 'missed' }),
    });
    const own = {
      routes: { chat: ofRoute('chat'), completions: ofRoute('completions'), embeddings: ofRoute('embeddings') },
      slo: { ttft: ofSlo('ttft'), tpot: ofSlo('tpot') },
      prompts: { exact: prompts.labels({ pool, layout: 'exact' }), plain: prompts.labels({ pool, layout: 'plain' }) },
      outputTokens: outputTokens.labels({ pool }),
      predictions: predictionsOf(pool),
    };
    for (const { met, missed } of Object.values(own.slo)) for (const child of [met, missed]) child.inc(0);
    for (const child of [...Object.values(own.prompts), own.outputTokens]) child.inc(0);
    return own;
  };
}
