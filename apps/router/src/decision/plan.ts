import { DEFAULT_ENGINE_SHAPE, predictCandidates } from '@sluice/latency-model';
import type { WorkerId } from '@sluice/model';
import type { Pool } from '../fleet/pool.ts';
import type { Worker } from '../fleet/worker.ts';
import type { Prompt } from '../prefix/prefix-view.ts';
import { expectedOutputTokens, sessionHash } from '../request/parse-request.ts';
import type { InferenceRequest } from '../request/parse-request.ts';
import type { Router } from '../router.ts';

/** State of the chosen worker at dispatch, without the request itself. */
export interface LoadAtDispatch {
  readonly queuedPrefillTokens: number;
  readonly decodesRunning: number;
  readonly decodeContextTokens: number;
  readonly inflightRequests: number;
  readonly kvUsage: number;
}

/** How a request will be served. */
export interface Plan {
  readonly kind: 'plan';
  readonly worker: Worker;
  /** Valid until workers come or go: use it before anything is awaited. */
  readonly row: number;
  readonly decisionId: string;
  readonly promptTokens: number;
  readonly cachedTokens: number;
  readonly uncachedTokens: number;
  readonly expectedOutputTokens: number;
  readonly predictedTtftMs: number | null;
  readonly predictedTpotMs: number | null;
  readonly load: LoadAtDispatch;
}
export type PlanResult = Plan | { readonly kind: 'no-worker'; readonly reason: string };

/** The query of one decision, written anew by each: decisions are synchronous. */
const query = { promptTokens: 0, expectedOutputTokens: 0, sessionHash: null as number | null };

/**
 * Snapshot, match, predict, choose, record: one synchronous decision among the workers of `pool`. Workers in `tried`
 * are considered only when no other is up.
 */
export function planRequest(
  router: Router,
  pool: Pool,
  request: InferenceRequest,
  prompt: Prompt,
  tried: ReadonlyMap<WorkerId, string>,
): PlanResult {
  const nowMs = router.now();
  const { columns } = pool.table;
  pool.table.ageSignals(nowMs);
  query.promptTokens = router.prefix.fillCachedTokens(pool, prompt, nowMs);
  query.expectedOutputTokens = expectedOutputTokens(request, pool.learned.meanOutputTokens);
  query.sessionHash = sessionHash(request.session);
  predictCandidates(columns, query, DEFAULT_ENGINE_SHAPE);

  const choice = chooseUntried(router, pool, tried);
  if (choice.kind === 'no-worker') return choice;
  const { row } = choice;
  const subject = {
    pool: pool.id,
    model: request.model,
    api: request.api,
    policy: pool.policy.id,
    promptBytes: prompt.bytes.length,
    exactPrompt: prompt.exact,
    retryOf: last(tried),
  };
  const decisionId = router.decisions.add(subject, query, columns, pool.ids, pool.terms, row, nowMs);
  const cachedTokens = columns.cachedTokens[row]!;
  return {
    kind: 'plan',
    worker: pool.workerAt(row),
    row,
    decisionId,
    promptTokens: query.promptTokens,
    cachedTokens,
    uncachedTokens: Math.max(0, query.promptTokens - cachedTokens),
    expectedOutputTokens: query.expectedOutputTokens,
    predictedTtftMs: finite(columns.predictedTtftMs[row]!),
    predictedTpotMs: finite(columns.predictedTpotMs[row]!),
    load: {
      queuedPrefillTokens: columns.queuedPrefillTokens[row]!,
      decodesRunning: columns.decodesRunning[row]!,
      decodeContextTokens: columns.decodeContextTokens[row]!,
      inflightRequests: columns.inflightRequests[row]!,
      kvUsage: columns.kvUsage[row]!,
    },
  };
}

/** Chooses with the tried workers out of the way, unless that leaves none. */
function chooseUntried(router: Router, pool: Pool, tried: ReadonlyMap<WorkerId, string>) {
  const choose = () => pool.policy.choose(pool.table.columns, query, router.rng, pool.terms);
  if (tried.size === 0) return choose();
  const hidden: number[] = [];
  for (const id of tried.keys()) {
    const row = pool.table.row(id);
    if (row < 0 || pool.table.columns.up[row] !== 1) continue;
    hidden.push(row);
    pool.table.setUp(row, false);
  }
  const choice = choose();
  for (const row of hidden) pool.table.setUp(row, true);
  return choice.kind === 'no-worker' && hidden.length > 0 ? choose() : choice;
}

/** Decision of the latest attempt. */
function last(tried: ReadonlyMap<WorkerId, string>): string | null {
  let latest: string | null = null;
  for (const decision of tried.values()) latest = decision;
  return latest;
}

const finite = (value: number): number | null => (Number.isFinite(value) ? value : null);
