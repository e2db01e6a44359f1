import type { Placement, Room } from '@sluice/flow-control';
import { DEFAULT_ENGINE_SHAPE, predictCandidates } from '@sluice/latency-model';
import type { RouteQuery, WorkerId } from '@sluice/model';
import { kvForecast, usedKvTokens } from '@sluice/routing';
import type { Pool } from '../fleet/pool.ts';
import type { Worker } from '../fleet/worker.ts';
import type { Turn } from '../flow/turn.ts';
import { expectedOutputTokens, requestClass, sessionHash } from '../request/parse-request.ts';
import type { Router } from '../router.ts';
import { finite } from './finite.ts';
import { forecastTtft } from './ttft-forecast.ts';
import type { TtftForecast } from './ttft-forecast.ts';

/** State of the chosen worker at dispatch, without the request itself: columns of its row, see Candidates. */
export interface LoadAtDispatch {
  readonly queuedPrefillTokens: number;
  readonly decodesRunning: number;
  readonly decodeContextTokens: number;
  readonly inflightRequests: number;
  /** Used share of the KV cache, as the engine last said. */
  readonly kvUsage: number;
  readonly prefilledTokens: number;
  /** Share of the KV cache that is in use once the prompt is in it. */
  readonly kvForecast: number;
}

/** How a request will be served: a placement for flow control, with what was decided and predicted. */
export interface Plan extends Placement<Turn> {
  readonly kind: 'plan';
  readonly worker: Worker;
  /** Valid until workers come or go: use it before anything is awaited. */
  readonly row: number;
  readonly decisionId: string;
  /** Of the decision, not of a later look at the same worker. */
  readonly forecast: TtftForecast;
  readonly promptTokens: number;
  readonly cachedTokens: number;
  readonly predictedTtftMs: number | null;
  readonly predictedTpotMs: number | null;
  readonly load: LoadAtDispatch;
}
export type PlanResult = Plan | { readonly kind: 'no-worker'; readonly reason: string };

/** The query of one decision, written anew by each: decisions are synchronous. */
const query: { -readonly [Key in keyof RouteQuery]: RouteQuery[Key] } = {
  promptTokens: 0,
  expectedOutputTokens: 0,
  sessionHash: null,
};
/** Policies that do not decide in milliseconds send at once, as their authors mean them to. */
const ALWAYS_ROOM: Room = { kvCapacityTokens: 0, usedKvTokens: 0, growthTokens: 0, queuedPrefillTokens: 0 };

/**
 * Snapshot, match, predict, choose, record: one synchronous decision among the workers of the turn's pool, which are seen
 * as the request will meet them: without the held requests that it goes before. Workers that it has tried are considered
 * only when no other is up; the one that it is held for keeps it unless another is better.
 */
export function planRequest(router: Router, turn: Turn): PlanResult {
  const { pool, request, prompt, level, trace } = turn;
  trace.resume();
  const nowMs = router.now();
  const { columns } = pool.table;
  pool.table.ageSignals(nowMs);
  query.promptTokens = router.prefix.fillCachedTokens(pool, prompt, nowMs);
  trace.matched(query.promptTokens, columns.cachedTokens, columns.size);
  query.expectedOutputTokens = expectedOutputTokens(
    request,
    pool.learned.outputTokens(requestClass(request, query.promptTokens)),
  );
  query.sessionHash = sessionHash(request.session);
  const waitedMs = nowMs - turn.ticket.request.arrivedAtMs;
  query.ttftSloMs = level.ttftSloMs === null ? null : level.ttftSloMs - waitedMs;
  query.tpotSloMs = level.tpotSloMs;
  query.deadlineMs = level.deadlineMs === null ? null : level.deadlineMs - waitedMs;
  query.priority = level.priority;
  pool.flow.takeOutOvertaken(turn.ticket, pool.lines, columns, nowMs);
  try {
    predictCandidates(columns, query, DEFAULT_ENGINE_SHAPE);
    const choice = chooseUntried(router, pool, turn.tried);
    const planned = choice.kind === 'no-worker' ? choice : planOf(router, turn, stayedFor(turn, choice.row), nowMs);
    trace.decided(router.decisions, planned);
    return planned;
  } finally {
    pool.flow.putBackOvertaken();
  }
}

/** Whoever is held stays where it is when that costs as good as nothing: ties are broken at random, places in line are not. */
function stayedFor({ pool, plan }: Turn, chosen: number): number {
  const row = plan === null ? -1 : pool.table.row(plan.worker.spec.id);
  if (row < 0 || pool.table.columns.up[row] !== 1) return chosen;
  const { cost, tieCost } = pool.terms;
  return cost[row]! <= tieCost ? row : chosen;
}

function planOf(router: Router, turn: Turn, row: number, nowMs: number): Plan {
  const { pool } = turn;
  const { columns } = pool.table;
  const worker = pool.workerAt(row);
  const cachedTokens = columns.cachedTokens[row]!;
  const known = turn.plan?.worker === worker ? turn.plan : null;
  const isTried = (other: number): boolean => turn.tried.has(columns.ids[other]!);
  const holds = router.config.flow.hold && pool.terms.unit === 'ms';
  return {
    kind: 'plan',
    worker,
    line: worker.line,
    row,
    decisionId: known?.decisionId ?? record(router, turn, row, nowMs),
    forecast: known?.forecast ?? forecastTtft(columns, row, isTried, nowMs),
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
      prefilledTokens: columns.prefilledTokens[row]!,
      kvForecast: kvForecast(columns, row, query.promptTokens),
    },
    room: holds
      ? {
          kvCapacityTokens: columns.kvCapacityTokens[row]!,
          usedKvTokens: usedKvTokens(columns, row),
          growthTokens: columns.expectedGrowthTokens[row]!,
          queuedPrefillTokens: columns.queuedPrefillTokens[row]!,
        }
      : ALWAYS_ROOM,
  };
}

/**
 * Enters the decision in the log; a request that is held on for the same worker keeps the decision that sent it there.
 * Shadow policies are asked about the first one of a request: later ones are bound by what came of it.
 */
function record(router: Router, turn: Turn, row: number, nowMs: number): string {
  const { pool, request, prompt, level, plan } = turn;
  const isFirst = plan === null && turn.tried.size === 0;
  const subject = {
    pool: pool.id,
    model: request.model,
    api: request.api,
    policy: pool.policy.id,
    promptBytes: prompt.bytes.length,
    exactPrompt: prompt.exact,
    retryOf: last(turn.tried),
    movedFrom: plan?.decisionId ?? null,
    level,
    traceId: turn.trace.root.traceId,
    shadows: isFirst ? router.shadows.consider(pool, query, row) : [],
  };
  const { keptRows } = pool.flow;
  return router.decisions.add(subject, query, pool.table.columns, pool.ids, pool.terms, row, nowMs, keptRows);
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
