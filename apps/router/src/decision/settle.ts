import { routeOutcome } from '@sluice/contracts';
import type { DecisionOutcome, PayloadOf } from '@sluice/contracts';
import type { ForwardOutcome } from '@sluice/upstream';
import { shedCause } from '../flow/shed-problem.ts';
import type { Due, Turn } from '../flow/turn.ts';
import type { EndedAttempt } from '../live/recent-latency.ts';
import type { Result } from '../metrics.ts';
import { requestClass } from '../request/parse-request.ts';
import type { Router } from '../router.ts';
import { observeAttempt, upstreamErrorCause } from './attempt-metrics.ts';
import { measure } from './attempt.ts';
import type { Attempt, Measured } from './attempt.ts';
import type { Plan } from './plan.ts';
import { NO_MISS } from './ttft-forecast.ts';

/** Turns what an attempt showed into knowledge: health, learned means, metrics, the decision's record, the predictor's sample. */
export function settle(router: Router, attempt: Attempt): Result {
  const { plan, pool, outcome, dispatchedAtMs } = attempt;
  const span = attempt.trace.begin('settle');
  const sentAtMs = router.now() - (performance.now() - dispatchedAtMs);
  const measured = measure(attempt, sentAtMs);
  const { result, outputTokens, ttftMs, tpotMs, e2eMs, queuedMs } = measured;

  noteHealth(router, plan, result, outcome);
  if (result === 'completed') learn(attempt, outputTokens);
  observeAttempt(attempt, measured);
  noteRecent(router, pool.id, {
    completed: result === 'completed',
    ttftMs: ttftMs === null ? null : queuedMs + ttftMs,
    tpotMs,
    e2eMs: queuedMs + e2eMs,
  });
  router.decisions.settle(plan.decisionId, decisionOutcome(attempt, measured, sentAtMs));
  router.bus.publish(routeOutcome, sampleOf(attempt, measured, sentAtMs), span.context);
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
    cause: causeOf(due),
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

const UNSENT = { left: 'client-abort', shed: 'overload', 'no-worker': 'no-worker' } as const satisfies Record<
  Exclude<Due, Plan>['kind'],
  Result
>;

function causeOf(due: Exclude<Due, Plan>): string | null {
  switch (due.kind) {
    case 'left':
      return null;
    case 'shed':
      return shedCause(due);
    case 'no-worker':
      return due.reason;
  }
}

const noteRecent = ({ recent, now }: Router, pool: string, attempt: EndedAttempt): void =>
  recent.add(pool, attempt, now());

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

/** What the decision's record says of its end; `sentAtMs` in milliseconds since the Unix epoch. */
function decisionOutcome({ plan, tap, outcome }: Attempt, measured: Measured, sentAtMs: number): DecisionOutcome {
  const { usage } = tap;
  return {
    result: measured.result,
    status: outcome.kind === 'completed' || outcome.kind === 'server-error' ? outcome.status : null,
    cause: 'cause' in outcome ? outcome.cause : (tap.error?.message ?? null),
    promptTokens: usage?.promptTokens ?? null,
    cachedTokens: usage?.cachedTokens ?? null,
    outputTokens: measured.outputTokens,
    ttftMs: measured.ttftMs,
    tpotMs: measured.tpotMs,
    e2eMs: measured.e2eMs,
    queuedMs: measured.queuedMs,
    heldMs: Math.max(0, sentAtMs - plan.forecast.atMs),
    ...measured.miss,
  };
}

/** What the latency-predictor learns from; `sentAtMs` in milliseconds since the Unix epoch. */
function sampleOf(attempt: Attempt, measured: Measured, sentAtMs: number): PayloadOf<typeof routeOutcome> {
  const { plan, pool, request, tap, beside } = attempt;
  const { spec } = plan.worker;
  const { usage } = tap;
  const { result } = measured;
  return {
    decisionId: plan.decisionId,
    pool: pool.id,
    variant: spec.variant,
    worker: spec.id,
    startedAtMs: sentAtMs,
    streamed: request.streamed,
    result: result === 'completed' || result === 'client-abort' || result === 'rejected' ? result : 'upstream-error',
    promptTokens: usage?.promptTokens ?? plan.promptTokens,
    outputTokens: measured.outputTokens,
    predictedCachedTokens: plan.cachedTokens,
    cachedTokens: usage?.cachedTokens ?? null,
    ttftMs: measured.ttftMs,
    tpotMs: measured.tpotMs,
    e2eMs: result === 'completed' ? measured.e2eMs : null,
    predictedTtftMs: plan.predictedTtftMs,
    predictedTpotMs: plan.predictedTpotMs,
    load: plan.load,
    // when an answer that is not streamed had its first token is a guess, and so is what came before it
    ...(beside !== null && request.streamed && { beside }),
  };
}
