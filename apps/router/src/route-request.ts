import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import type { WorkerId } from '@sluice/model';
import { forward, isRetryable } from '@sluice/upstream';
import { planRequest } from './decision/plan.ts';
import { failureOf, settle, settleUnsent } from './decision/settle.ts';
import { serviceLevelOf } from './flow/service-level.ts';
import { shedProblem } from './flow/shed-problem.ts';
import type { Result } from './metrics.ts';
import { sendProblem, unavailable, unknownModel } from './http/problem.ts';
import type { Problem } from './http/problem.ts';
import { forwardableHeaders, responseHeaders, sessionOf } from './request/client-headers.ts';
import { API_PATHS, parseRequest } from './request/parse-request.ts';
import type { Api } from './request/parse-request.ts';
import type { Router } from './router.ts';
import type { RequestTrace } from './tracing/request-trace.ts';

/** A request whose body has arrived. */
export interface Arrival {
  readonly api: Api;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly client: ServerResponse;
  /** Told of every step; see RequestTrace. */
  readonly trace: RequestTrace;
}

/** How a request ended: labels of the request counter. */
export interface Ended {
  /** First name of the pool, null when the model is not served. */
  readonly model: string | null;
  readonly code: number;
  readonly result: Result;
}

/**
 * The whole story of a request: parse once, render, then per attempt plan (snapshot, match, predict, choose), book, wait
 * for its turn where the worker has no room, forward, observe and settle. An answer that is not streamed does not show
 * when its prefill is over: the prediction stands in for that. Another worker is tried as long as nothing has reached the
 * client. Never rejects but for a bug; the client has its answer when it resolves.
 */
export async function routeRequest(router: Router, { api, headers, body, client, trace }: Arrival): Promise<Ended> {
  const parsed = parseRequest(api, body, sessionOf(headers), router.bodies);
  trace.parsed();
  if (parsed.kind === 'problem') return refuse(client, parsed.problem, null, 'rejected');
  const { request } = parsed;
  const pool = router.fleet.poolOf(request.model);
  if (pool === null) return refuse(client, unknownModel(request.model, router.fleet.models()), null, 'rejected');
  const model = pool.spec.models[0]!;

  const arrivedAtMs = performance.now();
  const epochMs = router.now();
  const prompt = router.prefix.render(pool, request);
  try {
    trace.rendered(prompt);
    const level = serviceLevelOf(headers, router.config.flow);
    const outgoing = forwardableHeaders(headers, trace.isPassedOn);
    const tried = new Map<WorkerId, string>();
    for (let retriesLeft = router.config.retries; ; retriesLeft--) {
      const turn = router.flow.arrive({ pool, request, prompt, level, tried, client, trace }, epochMs);
      const planned = planRequest(router, turn);
      const offered = planned.kind === 'plan' ? router.flow.offer(turn, planned) : planned;
      if (tried.size === 0) router.metrics.decision.observe((performance.now() - arrivedAtMs) / 1000);
      const plan = offered ?? (await turn.wait());
      trace.waited(turn, plan);
      if (plan.kind !== 'plan') settleUnsent(router, turn, plan, arrivedAtMs);
      if (plan.kind === 'left') return { model, code: 499, result: 'client-abort' };
      if (plan.kind === 'shed') return refuse(client, shedProblem(plan), model, 'overload');
      if (plan.kind === 'no-worker') return refuse(client, noEngine(model, plan.reason), model, 'no-worker');
      const { worker, decisionId } = plan;
      const speculation = router.prefix.speculate(worker, prompt, router.now());
      tried.set(worker.spec.id, decisionId);
      router.arrivals.await(worker, prompt, trace);

      const call = trace.call(plan, request);
      const dispatchedAtMs = performance.now();
      const forwarding = forward(
        router.upstream,
        { origin: worker.spec.url, path: API_PATHS[api], headers: outgoing.concat(worker.headers, call.headers), body },
        client,
        {
          responseHeaders: responseHeaders(headers, worker.spec.id, decisionId),
          listener: turn,
          holdServerErrors: retriesLeft > 0 && pool.hasOther(tried),
          clientStallMs: router.config.clientStallMs,
          watchFinish: call.span.isRecorded,
        },
      );
      worker.inFlight.add(forwarding);
      const prefilled = request.streamed ? null : setTimeout(() => turn.firstToken(), plan.predictedTtftMs ?? 0);
      const outcome = await forwarding.done;
      if (prefilled !== null) clearTimeout(prefilled);
      worker.inFlight.delete(forwarding);
      const { tap } = forwarding;
      turn.end(outcome, tap);
      const endedAtMs = performance.now();
      const attempt = {
        pool,
        request,
        prompt,
        level,
        plan,
        tap,
        outcome,
        beside: turn.beside,
        arrivedAtMs,
        dispatchedAtMs,
        endedAtMs,
        trace,
      };
      const result = settle(router, attempt);
      trace.answered(call, attempt, result);
      router.prefix.settle(speculation, result === 'completed' || tap.firstContentAtMs !== null, router.now());

      if (outcome.kind === 'completed') return { model, code: outcome.status, result };
      if (outcome.kind === 'client-abort') return { model, code: 499, result };
      if (isRetryable(outcome) && retriesLeft > 0) {
        router.metrics.retries.inc({ cause: outcome.kind });
        continue;
      }
      return refuse(client, failureOf(outcome), model, result, responseHeaders(headers, worker.spec.id, decisionId));
    }
  } finally {
    router.prefix.release(prompt);
  }
}

const noEngine = (model: string, reason: string): Problem =>
  unavailable(`No engine of '${model}' is available: ${reason}`);

/** Answers with an error of the router's own, where nothing has been sent yet. */
function refuse(
  client: ServerResponse,
  problem: Problem,
  model: string | null,
  result: Result,
  headers: readonly string[] = [],
): Ended {
  sendProblem(client, problem, headers);
  return { model, code: problem.status, result };
}
