import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import type { WorkerId } from '@sluice/model';
import { forward, isRetryable } from '@sluice/upstream';
import type { Forwarding } from '@sluice/upstream';
import { failureOf } from './decision/attempt.ts';
import type { Attempt } from './decision/attempt.ts';
import { planRequest } from './decision/plan.ts';
import type { Plan } from './decision/plan.ts';
import { settle, settleUnsent } from './decision/settle.ts';
import { serviceLevelOf } from './flow/service-level.ts';
import { shedProblem } from './flow/shed-problem.ts';
import type { Due, Turn, Waiting } from './flow/turn.ts';
import type { Result } from './metrics.ts';
import { sendProblem, unavailable, unknownModel } from './http/problem.ts';
import type { Problem } from './http/problem.ts';
import { forwardableHeaders, responseHeaders, sessionOf } from './request/client-headers.ts';
import { API_PATHS, parseRequest } from './request/parse-request.ts';
import type { Api } from './request/parse-request.ts';
import type { Router } from './router.ts';
import type { Call, RequestTrace } from './tracing/request-trace.ts';

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

/** A request that has a pool: what all of its attempts have in common. */
interface Routed extends Waiting {
  /** First name of the pool. */
  readonly model: string;
  /** Workers that it was sent to, with their decisions: every attempt enters its own. */
  readonly tried: Map<WorkerId, string>;
  /** Of the client. */
  readonly headers: IncomingHttpHeaders;
  /** Those of them that engines get: flat list name, value, ... */
  readonly forwarded: readonly string[];
  /** Milliseconds of performance.now. */
  readonly arrivedAtMs: number;
  /** The same moment, in milliseconds since the Unix epoch. */
  readonly arrivedAtEpochMs: number;
}

/** Nothing has reached the client of an attempt that failed: another worker is to be tried. */
const TRY_ANOTHER = 'try another';

/**
 * The whole story of a request: parse once, find the pool, render, then one attempt after the other. Another worker is
 * tried as long as nothing has reached the client. Never rejects but for a bug; the client has its answer when it resolves.
 */
export async function routeRequest(router: Router, { api, headers, body, client, trace }: Arrival): Promise<Ended> {
  const parsed = parseRequest(api, body, sessionOf(headers), router.bodies);
  trace.parsed();
  if (parsed.kind === 'problem') return refuse(client, parsed.problem, null, 'rejected');
  const { request } = parsed;
  const pool = router.fleet.poolOf(request.model);
  if (pool === null) return refuse(client, unknownModel(request.model, router.fleet.models()), null, 'rejected');

  const arrivedAtMs = performance.now();
  const arrivedAtEpochMs = router.now();
  const prompt = router.prefix.render(pool, request);
  try {
    trace.rendered(prompt);
    const routed: Routed = {
      pool,
      model: pool.spec.models[0]!,
      request,
      prompt,
      level: serviceLevelOf(headers, router.config.flow),
      headers,
      forwarded: forwardableHeaders(headers, trace.isPassedOn),
      client,
      tried: new Map(),
      arrivedAtMs,
      arrivedAtEpochMs,
      trace,
    };
    for (let retriesLeft = router.config.retries; ; retriesLeft--) {
      const ended = await attempt(router, routed, retriesLeft > 0);
      if (ended !== TRY_ANOTHER) return ended;
    }
  } finally {
    router.prefix.release(prompt);
  }
}

/**
 * One attempt: plan (snapshot, match, predict, choose), book, wait for its turn where the worker has no room, send, then
 * settle what came of it. Nothing is awaited before the decision is booked.
 */
async function attempt(router: Router, routed: Routed, mayRetry: boolean): Promise<Ended | typeof TRY_ANOTHER> {
  const { pool, request, prompt, level, arrivedAtMs, trace } = routed;
  const turn = router.flow.arrive(routed, routed.arrivedAtEpochMs);
  const plan = decide(router, turn, arrivedAtMs) ?? (await turn.wait());
  trace.waited(turn, plan);
  if (plan.kind !== 'plan') return endUnsent(router, routed, turn, plan);

  const { worker } = plan;
  const speculation = router.prefix.speculate(worker, prompt, router.now());
  routed.tried.set(worker.spec.id, plan.decisionId);
  router.arrivals.await(worker, prompt, trace);
  const call = trace.call(plan, request);
  const dispatchedAtMs = performance.now();
  const forwarding = send(router, routed, turn, plan, call, mayRetry);
  worker.inFlight.add(forwarding);
  // An answer that is not streamed does not show when its prefill is over: the prediction stands in for that.
  const prefilled = request.streamed ? null : setTimeout(() => turn.firstToken(), plan.predictedTtftMs ?? 0);
  const outcome = await forwarding.done;
  if (prefilled !== null) clearTimeout(prefilled);
  worker.inFlight.delete(forwarding);
  const { tap } = forwarding;
  turn.end(outcome, tap);

  const endedAtMs = performance.now();
  const { beside } = turn;
  const over: Attempt = {
    pool,
    request,
    prompt,
    level,
    plan,
    tap,
    outcome,
    beside,
    arrivedAtMs,
    dispatchedAtMs,
    endedAtMs,
    trace,
  };
  const result = settle(router, over);
  trace.answered(call, over, result);
  router.prefix.settle(speculation, result === 'completed' || tap.firstContentAtMs !== null, router.now());
  return conclude(router, routed, over, result, mayRetry);
}

/** Plans the turn and offers the plan to flow control; null when the request is held until its turn comes. */
function decide(router: Router, turn: Turn, arrivedAtMs: number): Due | null {
  const planned = planRequest(router, turn);
  const due = planned.kind === 'plan' ? router.flow.offer(turn, planned) : planned;
  if (turn.tried.size === 0) router.metrics.decision.observe((performance.now() - arrivedAtMs) / 1000);
  return due;
}

/** The request leaves for the worker of its plan; tokens of the answer are told to its turn. */
function send(router: Router, routed: Routed, turn: Turn, plan: Plan, call: Call, mayRetry: boolean): Forwarding {
  const { pool, request, headers, forwarded, client, tried } = routed;
  const { worker, decisionId } = plan;
  return forward(
    router.upstream,
    {
      origin: worker.spec.url,
      path: API_PATHS[request.api],
      headers: forwarded.concat(worker.headers, call.headers),
      body: request.body,
    },
    client,
    {
      responseHeaders: responseHeaders(headers, worker.spec.id, decisionId),
      listener: turn,
      holdServerErrors: mayRetry && pool.hasOther(tried),
      clientStallMs: router.config.clientStallMs,
      watchFinish: call.span.isRecorded,
    },
  );
}

/** Whether the attempt was the end of its request, and which. */
function conclude(
  router: Router,
  { client, model, headers }: Routed,
  { plan, outcome }: Attempt,
  result: Result,
  mayRetry: boolean,
): Ended | typeof TRY_ANOTHER {
  if (outcome.kind === 'completed') return { model, code: outcome.status, result };
  if (outcome.kind === 'client-abort') return { model, code: 499, result };
  if (mayRetry && isRetryable(outcome)) {
    router.metrics.retries.inc({ cause: outcome.kind });
    return TRY_ANOTHER;
  }
  const added = responseHeaders(headers, plan.worker.spec.id, plan.decisionId);
  return refuse(client, failureOf(outcome), model, result, added);
}

/** The wait ended without a worker to send the request to. */
function endUnsent(router: Router, routed: Routed, turn: Turn, due: Exclude<Due, Plan>): Ended {
  const { client, model, arrivedAtMs } = routed;
  settleUnsent(router, turn, due, arrivedAtMs);
  switch (due.kind) {
    case 'left':
      return { model, code: 499, result: 'client-abort' };
    case 'shed':
      return refuse(client, shedProblem(due), model, 'overload');
    case 'no-worker':
      return refuse(client, unavailable(`No engine of '${model}' is available: ${due.reason}`), model, 'no-worker');
  }
}

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
