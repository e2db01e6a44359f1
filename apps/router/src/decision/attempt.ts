import type { PrefillBeside } from '@sluice/model';
import type { ForwardOutcome, Forwarding } from '@sluice/upstream';
import type { Pool } from '../fleet/pool.ts';
import type { ServiceLevel } from '../flow/service-level.ts';
import { badGateway, gatewayTimeout, unavailable } from '../http/problem.ts';
import type { Problem } from '../http/problem.ts';
import type { Result } from '../metrics.ts';
import type { Prompt } from '../prefix/prefix-view.ts';
import type { InferenceRequest } from '../request/parse-request.ts';
import type { RequestTrace } from '../tracing/request-trace.ts';
import type { Plan } from './plan.ts';
import { missOf, NO_MISS } from './ttft-forecast.ts';
import type { TtftMiss } from './ttft-forecast.ts';

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

/** What an attempt took; milliseconds from its dispatch. */
export interface Measured {
  readonly result: Result;
  /** As the engine counted them, else the events with content that passed. */
  readonly outputTokens: number;
  /** Null when nothing with content came. */
  readonly ttftMs: number | null;
  /** Mean gap between output tokens; null when there were fewer than two. */
  readonly tpotMs: number | null;
  readonly e2eMs: number;
  /** From the arrival of the request to the dispatch. */
  readonly queuedMs: number;
  readonly miss: TtftMiss;
}

/** @param sentAtMs the dispatch in milliseconds since the Unix epoch, the clock of forecasts */
export function measure(attempt: Attempt, sentAtMs: number): Measured {
  const { plan, tap, outcome, arrivedAtMs, dispatchedAtMs, endedAtMs } = attempt;
  const outputTokens = tap.usage?.completionTokens ?? tap.contentEvents;
  const ttftMs = tap.firstContentAtMs === null ? null : tap.firstContentAtMs - dispatchedAtMs;
  return {
    result: resultOf(outcome, tap),
    outputTokens,
    ttftMs,
    tpotMs: ttftMs === null || outputTokens < 2 ? null : gapMs(tap, outputTokens),
    e2eMs: endedAtMs - dispatchedAtMs,
    queuedMs: dispatchedAtMs - arrivedAtMs,
    miss: ttftMs === null ? NO_MISS : missOf(plan.forecast, sentAtMs + ttftMs),
  };
}

/** How an attempt ended, for labels and records. An engine's 4xx is its answer to the request, not a fault of its own. */
function resultOf(outcome: ForwardOutcome, tap: Forwarding['tap']): Result {
  if (outcome.kind === 'client-abort') return 'client-abort';
  if (outcome.kind !== 'completed' || outcome.status >= 500) return 'upstream-error';
  if (outcome.status >= 400) return 'rejected';
  return tap.error === null ? 'completed' : tap.error.code < 500 ? 'rejected' : 'upstream-error';
}

const gapMs = (tap: Forwarding['tap'], outputTokens: number): number =>
  (tap.lastContentAtMs! - tap.firstContentAtMs!) / (outputTokens - 1);

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
