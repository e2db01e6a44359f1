import type { ForwardOutcome } from '@sluice/upstream';
import type { ServiceLevel } from '../flow/service-level.ts';
import type { PoolMetrics, UpstreamErrorCause } from '../metrics.ts';
import type { Attempt, Measured } from './attempt.ts';

/** Counts an ended attempt: for its worker in any case, for its pool's latencies and predictions when it was completed. */
export function observeAttempt(attempt: Attempt, measured: Measured): void {
  const { plan, pool, request, prompt, tap } = attempt;
  const { totals } = plan.worker;
  const { result, ttftMs, tpotMs, queuedMs } = measured;
  totals.attempts[result] = (totals.attempts[result] ?? 0) + 1;
  pool.metrics.prompts[prompt.exact ? 'exact' : 'plain'].inc();
  if (result !== 'completed') return;

  const { ttft, tpot, e2e } = pool.metrics.routes[request.api];
  e2e.observe((queuedMs + measured.e2eMs) / 1000);
  if (ttftMs !== null) ttft.observe((queuedMs + ttftMs) / 1000);
  if (tpotMs !== null) tpot.observe(tpotMs / 1000);
  totals.outputTokens += measured.outputTokens;
  pool.metrics.outputTokens.inc(measured.outputTokens);
  observePrediction(attempt, measured);
  observeServiceLevel(pool.metrics, attempt.level, ttftMs === null ? null : queuedMs + ttftMs, tpotMs);

  const cachedTokens = tap.usage?.cachedTokens ?? null;
  if (tap.usage === null || cachedTokens === null || prompt.otherBytes > 0) return;
  totals.promptTokens += tap.usage.promptTokens;
  totals.cachedTokens += cachedTokens;
  observeAgreement(attempt, tap.usage.promptTokens, cachedTokens);
}

function observePrediction({ plan, pool }: Attempt, { ttftMs, tpotMs, miss }: Measured): void {
  const { ttftErrorMs, ttftRegretMs } = miss;
  const predicted = pool.metrics.predictions;
  if (ttftRegretMs !== null) predicted.ttftRegret(ttftRegretMs);
  if (ttftErrorMs !== null && ttftMs !== null) {
    const predictedMs = plan.forecast.chosenMs;
    predicted.ttftError(ttftErrorMs);
    if (predictedMs > 0) predicted.ttftRatio.observe((predictedMs + ttftErrorMs) / predictedMs);
    const { totals } = plan.worker;
    totals.streams++;
    totals.ttftMs += predictedMs + ttftErrorMs;
    totals.predictedTtftMs += predictedMs;
  }
  if (tpotMs !== null && plan.predictedTpotMs !== null && plan.predictedTpotMs > 0) {
    predicted.tpotError(tpotMs - plan.predictedTpotMs);
    predicted.tpotRatio.observe(tpotMs / plan.predictedTpotMs);
  }
}

/** The watchdog of the rendering and the index: what was predicted against what the engine delivered. */
function observeAgreement({ plan, pool }: Attempt, promptTokens: number, deliveredTokens: number): void {
  const difference = Math.abs(plan.cachedTokens - deliveredTokens);
  const within = difference <= (plan.worker.blockTokens ?? 16) ? 'within-a-block' : 'off';
  const { predictions } = pool.metrics;
  predictions.predictedCached.inc(plan.cachedTokens);
  predictions.deliveredCached.inc(deliveredTokens);
  predictions.promptTokens.inc(promptTokens);
  predictions.agreement[difference === 0 ? 'equal' : within].inc();
}

/** Whether a request had what it asked for; null for what it never got to see. A request that was shed had none of it. */
export function observeServiceLevel(
  { slo }: PoolMetrics,
  { ttftSloMs, tpotSloMs }: ServiceLevel,
  ttftMs: number | null,
  tpotMs: number | null,
): void {
  if (ttftSloMs !== null && ttftMs !== null) slo.ttft[ttftMs <= ttftSloMs ? 'met' : 'missed'].inc();
  if (tpotSloMs !== null && tpotMs !== null) slo.tpot[tpotMs <= tpotSloMs ? 'met' : 'missed'].inc();
}

/** Why an engine failed an attempt, as a label: answers that passed through are told apart by where the error was. */
export function upstreamErrorCause(outcome: ForwardOutcome): UpstreamErrorCause {
  if (outcome.kind === 'client-abort') throw new RangeError('a client that hangs up is no error of the engine');
  if (outcome.kind !== 'completed') return outcome.kind;
  return outcome.status >= 500 ? 'server-error' : 'error-event';
}
