import { routeOutcome } from '@sluice/contracts';
import type { PayloadOf } from '@sluice/contracts';
import type { PrefillBeside } from '@sluice/model';
import type { ForwardOutcome, Forwarding } from '@sluice/upstream';
import type { Pool } from '../fleet/pool.ts';
import { badGateway, gatewayTimeout, unavailable } from '../http/problem.ts';
import type { Problem } from '../http/problem.ts';
import type { Result } from '../metrics.ts';
import type { EndedAttempt } from '../live/recent-latency.ts';
import type { Prompt } from '../prefix/prefix-view.ts';
import { requestClass } from '../request/parse-request.ts';
import type { InferenceRequest } from '../request/parse-request.ts';
import type { ServiceLevel } from '../flow/service-level.ts';
import type { Due, Turn } from '../flow/turn.ts';
import type { Router } from '../router.ts';
import type { RequestTrace } from '../tracing/request-trace.ts';
import type { Plan } from './plan.ts';
import { missOf } from './ttft-forecast.ts';
import type { TtftMiss } from './ttft-forecast.ts';
import { observeAttempt, upstreamErrorCause } from './attempt-metrics.ts';

/** An attempt that has ended. */
export interface Attempt {
  readonly pool: Pool;
  readonly request: InferenceRequest;
  readonly prompt: Prompt;
  readonly level: ServiceLevel;
  readonly plan: Plan;
  readonly tap: Forwarding['tap'];
  readonly outcome: ForwardOutcome;
  /** What its worker prefilled of others meanwhile; null when no first token was seen. */
  readonly beside: PrefillBeside | null;
  /** When the request arrived. Milliseconds of performance.now, the tap's clock, as all below. */
  readonly arrivedAtMs: number;
  readonly dispatchedAtMs: number;
  readonly endedAtMs: number;
  readonly trace: RequestTrace;
}

/** How an attempt ended, for labels and records. An engine's 4xx is its answer to the request, not a fault of its own. */
export function resultOf(outcome: ForwardOutcome, tap: Forwarding['tap']): Result {
  if (outcome.kind === 'client-abort') return 'client-abort';
  if (outcome.kind !== 'completed' || outcome.status >= 500) return 'upstream-error';
  if (outcome.status >= 400) return 'rejected';
  return tap.error === null ? 'completed' : tap.error.code < 500 ? 'rejected' : 'upstream-error';
}

/** Turns what an attempt showed into knowledge: health, learned means, metrics, the decision's record, the predictor's sample. */
export function settle(router: Router, attempt: Attempt): Result {
  const { plan, pool, request, tap, outcome, arrivedAtMs, dispatchedAtMs, endedAtMs } = attempt;
  const span = attempt.trace.begin('settle');
  const { usage } = tap;
  const result = resultOf(outcome, tap);
  const outputTokens = usage?.completionTokens ?? tap.contentEvents;
  const ttftMs = tap.firstContentAtMs === null ? null : tap.firstContentAtMs - dispatchedAtMs;
  const tpotMs = ttftMs === null || outputTokens < 2 ? null : gapMs(tap, outputTokens);
  const e2eMs = endedAtMs - dispatchedAtMs;
  const queuedMs = dispatchedAtMs - arrivedAtMs;
  const sentAtMs = router.now() - (performance.now() - dispatchedAtMs);
  const miss = ttftMs === null ? NO_MISS : missOf(plan.forecast, sentAtMs + ttftMs);

  noteHealth(router, plan, result, outcome);
  if (result === 'completed') learn(attempt, outputTokens);
  observeAttempt(attempt, { result, outputTokens, ttftMs, tpotMs, e2eMs, queuedMs, miss });
  noteRecent(router, pool.id, {
    completed: result === 'completed',
    ttftMs: ttftMs === null ? null : queuedMs + ttftMs,
    tpotMs,
    e2eMs: queuedMs + e2eMs,
  });
  router.decisions.settle(plan.decisionId, {
    result,
    status: outcome.kind === 'completed' || outcome.kind === 'server-error' ? outcome.status : null,
    cause: 'cause' in outcome ? outcome.cause : (tap.error?.message ?? null),
    promptTokens: usage?.promptTokens ?? null,
    cachedTokens: usage?.cachedTokens ?? null,
    outputTokens,
    ttftMs,
    tpotMs,
    e2eMs,
    queuedMs,
    heldMs: Math.max(0, sentAtMs - plan.forecast.atMs),
    ...miss,
  });
  const sample: PayloadOf<typeof routeOutcome> = {
    decisionId: plan.decisionId,
    pool: pool.id,
    variant: plan.worker.spec.variant,
    worker: plan.worker.spec.id,
    startedAtMs: sentAtMs,
    streamed: request.streamed,
    result: result === 'completed' || result === 'client-abort' || result === 'rejected' ? result : 'upstream-error',
    promptTokens: usage?.promptTokens ?? plan.promptTokens,
    outputTokens,
    predictedCachedTokens: plan.cachedTokens,
    cachedTokens: usage?.cachedTokens ?? null,
    ttftMs,
    tpotMs,
    e2eMs: result === 'completed' ? e2eMs : null,
    predictedTtftMs: plan.predictedTtftMs,
    predictedTpotMs: plan.predictedTpotMs,
    load: plan.load,
    // when an answer that is not streamed had its first token is a guess, and so is what came before it
    ...(attempt.beside !== null && request.streamed && { beside: attempt.beside }),
  };
  router.bus.publish(routeOutcome, sample, span.context);
  span.end();
  return result;
}

/** The decision of a request that was never sent: shed, given up by its client, or left without an engine. */
export function settleUnsent(router: Router, turn: Turn, due: Exclude<Due, Plan>, arrivedAtMs: number): void {
  if (turn.plan === null) return;
  const waitedMs = performance.now() - arrivedAtMs;
  noteRecent(router, turn.pool.id, { completed: false, ttftMs: null, tpotMs: null, e2eMs: waitedMs });
  router.decisions.settle(turn.plan.decisionId, {
    result: UNSENT[due.kind],
    status: null,
    cause: due.kind === 'left' ? null : due.reason,
    promptTokens: null,
    cachedTokens: null,
    outputTokens: 0,
    ttftMs: null,
    tpotMs: null,
    e2eMs: 0,
    queuedMs: waitedMs,
    heldMs: Math.max(0, router.now() - turn.plan.forecast.atMs),
    ...NO_MISS,
  });
}

const noteRecent = ({ recent, now }: Router, pool: string, attempt: EndedAttempt): void =>
  recent.add(pool, attempt, now());

const UNSENT = { left: 'client-abort', shed: 'overload', 'no-worker': 'no-worker' } as const satisfies Record<
  Exclude<Due, Plan>['kind'],
  Result
>;
const NO_MISS: TtftMiss = { ttftErrorMs: null, ttftRegretMs: null };

const gapMs = (tap: Forwarding['tap'], outputTokens: number): number =>
  (tap.lastContentAtMs! - tap.firstContentAtMs!) / (outputTokens - 1);

function noteHealth({ health, metrics }: Router, plan: Plan, result: Result, outcome: ForwardOutcome): void {
  const { engine } = plan.worker;
  if (result === 'completed') health.requestSucceeded(engine);
  if (result !== 'upstream-error') return;
  metrics.upstreamErrors.inc({ cause: upstreamErrorCause(outcome) });
  if (outcome.kind === 'connect-failed') health.connectFailed(engine, outcome.cause);
  else health.requestFailed(engine);
}

function learn({ pool, prompt, request, plan, tap }: Attempt, outputTokens: number): void {
  if (tap.usage !== null) pool.learned.prompt(prompt.bytes.length + prompt.otherBytes, tap.usage.promptTokens);
  if (outputTokens > 0) pool.learned.output(requestClass(request, plan.promptTokens), outputTokens);
}

/** What the router tells a client whose request failed at every attempt, before anything was sent. */
export function failureOf(outcome: ForwardOutcome): Problem {
  switch (outcome.kind) {
    case 'timeout':
      return gatewayTimeout('The engine did not answer in time');
    case 'connect-failed':
      return unavailable(`No engine could be reached (${outcome.cause})`);
    case 'upstream-closed-before-first-byte':
    case 'upstream-died-mid-stream':
    case 'server-error':
      return badGateway(`The engine failed before it answered (${outcome.cause})`);
    case 'completed':
    case 'client-abort':
      throw new RangeError(`a request that ended as ${outcome.kind} did not fail`);
  }
}
