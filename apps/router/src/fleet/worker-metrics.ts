import type { FleetColumns } from '@sluice/model';
import type { Metrics } from '@sluice/telemetry';
import type { Result } from '../metrics.ts';
import type { Pool } from './pool.ts';
import type { Worker } from './worker.ts';

/** Running totals of one worker since it joined: plain numbers, because every attempt adds to them. */
export interface WorkerTotals {
  readonly attempts: { [R in Result]?: number };
  /** Completed streams with a prediction; the sums below are over these. */
  streams: number;
  ttftMs: number;
  predictedTtftMs: number;
  /** Over answers that say how many prompt tokens were cached. */
  promptTokens: number;
  cachedTokens: number;
  outputTokens: number;
}

/** Series that are there before the first attempt. */
export const createWorkerTotals = (): WorkerTotals => ({
  attempts: { completed: 0, rejected: 0, 'client-abort': 0, 'upstream-error': 0 },
  streams: 0,
  ttftMs: 0,
  predictedTtftMs: 0,
  promptTokens: 0,
  cachedTokens: 0,
  outputTokens: 0,
});

const LEVELS: readonly (readonly [name: string, help: string, of: (columns: FleetColumns, row: number) => number])[] = [
  ['in_flight_requests', 'Requests sent and not ended, those of siblings too', (c, row) => c.inflightRequests[row]!],
  [
    'queued_prefill_tokens',
    'Uncached prompt tokens sent and not yet prefilled, as far as can be told',
    (c, row) => c.queuedPrefillTokens[row]!,
  ],
  ['decoding_requests', 'Requests past their first token', (c, row) => c.decodesRunning[row]!],
  ['held_kv_tokens', 'KV that the requests in flight took for themselves', (c, row) => c.heldKvTokens[row]!],
  ['engine_waiting_requests', 'Requests waiting in the engine, as it says', (c, row) => c.waitingRequests[row]!],
  ['engine_running_requests', 'Requests running in the engine, as it says', (c, row) => c.runningRequests[row]!],
  ['kv_usage_ratio', 'Used share of the KV cache, as the engine says', (c, row) => c.kvUsage[row]!],
  ['kv_capacity_tokens', 'Size of the KV cache, as the engine says', (c, row) => c.kvCapacityTokens[row]!],
];

const TOTALS: readonly (readonly [name: string, help: string, of: (totals: WorkerTotals) => number])[] = [
  ['streams_total', 'Completed streams that had a prediction', (totals) => totals.streams],
  [
    'ttft_seconds_total',
    'TTFT from the decision of completed streams that had a prediction, in sum',
    (totals) => totals.ttftMs / 1000,
  ],
  [
    'predicted_ttft_seconds_total',
    'Predicted TTFT of the same streams, in sum',
    (totals) => totals.predictedTtftMs / 1000,
  ],
  ['prompt_tokens_total', 'Prompt tokens of answers that say how many were cached', (totals) => totals.promptTokens],
  ['cached_tokens_total', 'How many of worker_prompt_tokens_total were cached', (totals) => totals.cachedTokens],
  ['output_tokens_total', 'Output tokens of completed answers', (totals) => totals.outputTokens],
];

/** `router_worker_*`: the ledger, the signals and the totals of every worker, read when somebody scrapes. */
export function registerWorkerMetrics(metrics: Metrics, pools: () => Iterable<Pool>, now: () => number): void {
  const labels = ['pool', 'worker'] as const;
  const each = function* (): Generator<readonly [Worker, { pool: string; worker: string }, number]> {
    for (const pool of pools()) {
      for (const worker of pool.workers.values()) {
        yield [worker, { pool: pool.id, worker: worker.spec.id }, pool.table.row(worker.spec.id)];
      }
    }
  };
  for (const [name, help, of] of LEVELS) {
    metrics.gauge({
      name: `router_worker_${name}`,
      help,
      labels,
      readEach: (set) => {
        for (const [worker, series, row] of each()) set(series, of(worker.pool.table.columns, row));
      },
    });
  }
  metrics.gauge({
    name: 'router_worker_up',
    help: '1 while its engine is up, as far as the router knows',
    labels,
    readEach: (set) => {
      for (const [worker, series] of each()) set(series, worker.engine.health.state === 'up' ? 1 : 0);
    },
  });
  metrics.gauge({
    name: 'router_worker_signal_age_seconds',
    help: 'Age of what the engine last said of itself; absent until it has',
    labels,
    readEach: (set) => {
      for (const pool of pools()) pool.table.ageSignals(now());
      for (const [worker, series, row] of each()) {
        const ageMs = worker.pool.table.columns.signalAgeMs[row]!;
        if (Number.isFinite(ageMs)) set(series, ageMs / 1000);
      }
    },
  });
  metrics.counter({
    name: 'router_worker_attempts_total',
    help: 'Attempts sent to the worker by how they ended',
    labels: [...labels, 'result'],
    readEach: (set) => {
      for (const [worker, series] of each()) {
        for (const [result, count] of Object.entries(worker.totals.attempts)) set({ ...series, result }, count);
      }
    },
  });
  for (const [name, help, of] of TOTALS) {
    metrics.counter({
      name: `router_worker_${name}`,
      help,
      labels,
      readEach: (set) => {
        for (const [worker, series] of each()) set(series, of(worker.totals));
      },
    });
  }
}
