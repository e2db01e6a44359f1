import type { IncomingHttpHeaders } from 'node:http';
import type { TraceContext } from '@sluice/contracts';
import { Attribute, contextOf, GenAi, NO_SPAN } from '@sluice/telemetry';
import type { Span, SpanAttributes, Tracing } from '@sluice/telemetry';
import type { Attempt } from '../decision/attempt.ts';
import type { DecisionLog } from '../decision/decision-log.ts';
import type { Plan, PlanResult } from '../decision/plan.ts';
import type { Worker } from '../fleet/worker.ts';
import type { Due, Turn } from '../flow/turn.ts';
import type { Result } from '../metrics.ts';
import type { Prompt } from '../prefix/prefix-view.ts';
import { API_PATHS } from '../request/parse-request.ts';
import type { Api, InferenceRequest } from '../request/parse-request.ts';
import { addCandidates } from './candidate-events.ts';

/** One attempt at an engine. */
export interface Call {
  readonly span: Span;
  /** For the engine, as a flat list name, value, ... */
  readonly headers: readonly string[];
}

const OPERATIONS: Readonly<Record<Api, string>> = {
  chat: 'chat',
  completions: 'text_completion',
  embeddings: 'embeddings',
};
const SERVER_SPANS: Readonly<Record<Api, string>> = {
  chat: `POST ${API_PATHS.chat}`,
  completions: `POST ${API_PATHS.completions}`,
  embeddings: `POST ${API_PATHS.embeddings}`,
};
const NOTHING: readonly string[] = [];

interface Address {
  readonly host: string;
  readonly port: number | undefined;
}
/** Parsed once: it is in the span of every attempt. */
const ADDRESSES = new WeakMap<Worker, Address>();
/** What did not fail, though it was not completed: the client left, or the engine said what is wrong with the request. */
const NO_FAULT: ReadonlySet<Result> = new Set(['completed', 'client-abort', 'rejected']);

/**
 * The spans of one request in this router: one for all of it, and below it a row of steps, each of which begins where
 * the one before ended. Where the request is not sampled every call returns at once.
 */
export class RequestTrace {
  readonly root: Span;
  #stepMs: number;

  constructor(root: Span, startedAtMs: number) {
    this.root = root;
    this.#stepMs = startedAtMs;
  }

  /** Whether engines are told of a trace of ours instead of the client's. */
  get isPassedOn(): boolean {
    return this.root.context !== null;
  }

  received(bodyBytes: number): void {
    if (this.root.isRecorded) this.#step('receive', { 'http.request.body.size': bodyBytes });
  }

  parsed(): void {
    if (this.root.isRecorded) this.#step('parse', {});
  }

  rendered(prompt: Prompt): void {
    if (!this.root.isRecorded) return;
    this.#step('render', {
      'sluice.prompt.bytes': prompt.bytes.length + prompt.otherBytes,
      'sluice.prompt.exact': prompt.exact,
      'sluice.prompt.inexact_reason': prompt.exact ? undefined : prompt.reason,
    });
  }

  /** The next step begins now, and not where the last one ended. */
  resume(): void {
    if (this.root.isRecorded) this.#stepMs = performance.now();
  }

  matched(promptTokens: number, cachedTokens: Float64Array, size: number): void {
    if (!this.root.isRecorded) return;
    let most = 0;
    for (let row = 0; row < size; row++) most = Math.max(most, cachedTokens[row]!);
    this.#step('match prefix', { 'sluice.prompt.tokens': promptTokens, 'sluice.prompt.most_cached_tokens': most });
  }

  /** The decision, with what every candidate would have cost. */
  decided(decisions: DecisionLog, planned: PlanResult): void {
    if (!this.root.isRecorded) return;
    const endMs = performance.now();
    const span = this.#step('decide', {}, endMs, false);
    if (planned.kind === 'plan') {
      this.root.set({ 'sluice.decision.id': planned.decisionId });
      addCandidates(span, decisions, planned.decisionId, endMs);
    } else span.fail(planned.reason);
    span.end(endMs);
  }

  /** The wait for a turn is over, if there was one. */
  waited({ heldAtMs, level }: Turn, due: Due): void {
    if (!this.root.isRecorded || heldAtMs === null) return;
    const attributes = {
      'sluice.tenant': level.tenant,
      'sluice.priority': level.priority,
      'sluice.queue.end': due.kind,
    };
    this.root.child('queue', { startMs: heldAtMs, attributes }).end();
  }

  /** Begins the span of an attempt; see {@link RequestTrace.answered}. */
  call({ worker, decisionId, predictedTtftMs, cachedTokens }: Plan, request: InferenceRequest): Call {
    const { root } = this;
    if (!root.isRecorded) return { span: NO_SPAN, headers: headersOf(root.context) };
    const operation = OPERATIONS[request.api];
    const { host, port } = addressOf(worker);
    const attributes: SpanAttributes = {
      [GenAi.operation]: operation,
      // by the convention: the flavour of the API, not who made the engine
      [GenAi.provider]: 'openai',
      [GenAi.requestModel]: request.model ?? undefined,
      [GenAi.requestStream]: request.streamed,
      [GenAi.requestMaxTokens]: request.maxTokens ?? undefined,
      [Attribute.serverAddress]: host,
      [Attribute.serverPort]: port,
      'sluice.pool': worker.spec.pool,
      'sluice.worker': worker.spec.id,
      'sluice.decision.id': decisionId,
      'sluice.predicted.ttft_ms': predictedTtftMs ?? undefined,
      'sluice.predicted.cached_tokens': cachedTokens,
    };
    const name = request.model === null ? operation : `${operation} ${request.model}`;
    const span = root.child(name, { kind: 'client', attributes });
    return { span, headers: headersOf(span.context) };
  }

  /** An attempt has ended. */
  answered({ span }: Call, { tap, outcome, dispatchedAtMs, endedAtMs }: Attempt, result: Result): void {
    if (!span.isRecorded) return;
    const { usage, firstContentAtMs, finishReasons } = tap;
    const status = outcome.kind === 'completed' || outcome.kind === 'server-error' ? outcome.status : undefined;
    if (firstContentAtMs !== null) span.event('first token', firstContentAtMs);
    span.set({
      [Attribute.httpStatus]: status,
      [GenAi.finishReasons]: finishReasons.length > 0 ? finishReasons : undefined,
      [GenAi.timeToFirstChunk]: firstContentAtMs === null ? undefined : (firstContentAtMs - dispatchedAtMs) / 1000,
      [GenAi.inputTokens]: usage?.promptTokens,
      [GenAi.outputTokens]: usage?.completionTokens ?? tap.contentEvents,
      [GenAi.cachedInputTokens]: usage?.cachedTokens ?? undefined,
      'sluice.result': result,
    });
    if (!NO_FAULT.has(result)) {
      span.set({ [Attribute.errorType]: outcome.kind === 'completed' ? String(status) : outcome.kind });
      span.fail('cause' in outcome ? outcome.cause : (tap.error?.message ?? outcome.kind));
    }
    span.end(endedAtMs);
  }

  /** A step that ends when its caller says so. */
  begin(name: string): Span {
    return this.root.isRecorded ? this.root.child(name) : NO_SPAN;
  }

  end(model: string | null, code: number, result: Result): void {
    if (!this.root.isRecorded) return;
    this.root.set({ [GenAi.requestModel]: model ?? undefined, [Attribute.httpStatus]: code, 'sluice.result': result });
    if (code >= 500 || !NO_FAULT.has(result)) {
      this.root.set({ [Attribute.errorType]: result });
      this.root.fail(result);
    }
    this.root.end();
  }

  #step(name: string, attributes: SpanAttributes, endMs = performance.now(), ends = true): Span {
    const span = this.root.child(name, { startMs: this.#stepMs, attributes });
    if (ends) span.end(endMs);
    this.#stepMs = endMs;
    return span;
  }
}

/** Of all requests where tracing is off, and of those whose clients say that they are not sampled. */
export const UNTRACED = new RequestTrace(NO_SPAN, 0);

/** The trace of a request that is arriving, or goes on with its client's. */
export function beginTrace(tracing: Tracing, api: Api, headers: IncomingHttpHeaders): RequestTrace {
  if (!tracing.isOn) return UNTRACED;
  const startMs = performance.now();
  const parent = contextOf(headers['traceparent'], headers['tracestate']);
  const root = tracing.start(SERVER_SPANS[api], parent, { kind: 'server', startMs });
  if (root === NO_SPAN) return UNTRACED;
  if (root.isRecorded) {
    root.set({
      [Attribute.httpMethod]: 'POST',
      [Attribute.httpRoute]: API_PATHS[api],
      [GenAi.operation]: OPERATIONS[api],
    });
  }
  return new RequestTrace(root, startMs);
}

function addressOf(worker: Worker): Address {
  let address = ADDRESSES.get(worker);
  if (address === undefined) {
    const { hostname, port } = new URL(worker.spec.url);
    address = { host: hostname, port: Number(port) || undefined };
    ADDRESSES.set(worker, address);
  }
  return address;
}

function headersOf(context: TraceContext | null): readonly string[] {
  if (context === null) return NOTHING;
  const { traceparent, tracestate } = context;
  return tracestate === null ? ['traceparent', traceparent] : ['traceparent', traceparent, 'tracestate', tracestate];
}
