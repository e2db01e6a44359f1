import type { IncomingHttpHeaders } from 'node:http';
import { afterEach, describe, expect, it } from '@jest/globals';
import type { TraceContext, TraceSpan } from '@sluice/contracts';
import { routeOutcome } from '@sluice/contracts';
import { createLogger, openTracing, parseTraceparent, parseTracingConfig } from '@sluice/telemetry';
import type { Tracing } from '@sluice/telemetry';
import { chatEvents, streamPieces, until } from '@sluice/upstream/testing';
import type { Behaviour } from '@sluice/upstream/testing';
import { chat, pool, send, settableFleet, startRouter, startWorkerEngine, worker } from '../testing/harness.ts';
import type { TestRouter, WorkerEngine } from '../testing/harness.ts';

const traceId = '0af7651916cd43dd8448eb211c80319c';
const fromClient = (flags: string) => ({
  traceparent: `00-${traceId}-b7ad6b7169203331-${flags}`,
  tracestate: 'vendor=x',
});
const EVENTS = chatEvents(['a', 'b'], { prompt_tokens: 5, completion_tokens: 2 });
const streamed = chat('x', { stream: true });

describe('RequestTrace', () => {
  const engines: WorkerEngine[] = [];
  const seen: { worker: string; headers: IncomingHttpHeaders }[] = [];
  let router: TestRouter;
  let tracing: Tracing;

  const start = async (sampler: string | null, behaviours: Record<string, Behaviour>): Promise<void> => {
    const parsed = parseTracingConfig(sampler === null ? {} : { OTEL_TRACES_SAMPLER: sampler });
    if (!parsed.ok) throw new Error(parsed.errors.join());
    tracing = await openTracing('sluice-router', parsed.config, createLogger({ service: 'router', level: 'fatal' }));
    for (const [id, behave] of Object.entries(behaviours)) {
      const noting: Behaviour = (request, response) => {
        seen.push({ worker: id, headers: request.headers });
        return behave(request, response);
      };
      engines.push(await startWorkerEngine(id, noting));
    }
    const fleet = settableFleet({ pools: [pool()], workers: engines.map((engine) => worker(engine)) });
    router = await startRouter(fleet, { policy: 'round-robin' }, tracing);
    await router.untilUp(engines.length);
  };
  afterEach(async () => {
    await router.untilIdle();
    await router.stop();
    await Promise.all(engines.splice(0).map((engine) => engine.kill()));
    seen.length = 0;
  });
  const fine: Behaviour = (_request, response) => streamPieces(response, EVENTS);
  const spansOf = async (trace: string): Promise<TraceSpan[]> => {
    await until(() => tracing.kept.trace(trace).some(({ name }) => name.startsWith('POST')), 'the end of the request');
    return tracing.kept.trace(trace);
  };

  it('tells the engine and the predictor of the spans that are theirs to go on with', async () => {
    await start('parentbased_always_on', { a: fine });
    const contexts: (TraceContext | null)[] = [];
    router.bus.subscribe(routeOutcome, (_outcome, trace) => contexts.push(trace));
    await send(router.url, { body: streamed, headers: fromClient('01') });
    const spans = await spansOf(traceId);
    const named = (name: string) => spans.find((span) => span.name === name)!;
    await until(() => contexts.length === 1, 'an outcome');
    expect(parseTraceparent(String(seen[0]!.headers['traceparent']))).toEqual({
      traceId,
      spanId: named('chat tiny').spanId,
      sampled: true,
    });
    expect(seen[0]!.headers['tracestate']).toBe('vendor=x');
    expect(contexts[0]!.traceparent).toContain(named('settle').spanId);
    const root = named('POST /v1/chat/completions');
    expect(root.parentSpanId).toBe('b7ad6b7169203331');
    for (const span of spans) {
      if (span !== root) expect(span.parentSpanId).toBe(root.spanId);
      expect(span.startMs).toBeGreaterThanOrEqual(root.startMs);
      expect(span.startMs + span.durationMs).toBeLessThanOrEqual(root.startMs + root.durationMs + 0.001);
    }
  });

  it('is named by the record of the decision, where it is sampled', async () => {
    await start('parentbased_always_off', { a: fine });
    const recordOf = async (flags: string) => {
      const answer = await send(router.url, { body: streamed, headers: fromClient(flags) });
      return router.service.decision(String(answer.headers['x-sluice-decision-id']))!;
    };
    expect((await recordOf('01')).traceId).toBe(traceId);
    expect((await recordOf('00')).traceId).toBeNull();
    const decide = (await spansOf(traceId)).find(({ name }) => name === 'decide')!;
    expect(decide.events.map(({ name, attributes }) => [name, attributes['sluice.worker']])).toEqual([
      ['candidate', 'a'],
    ]);
    expect(decide.attributes).toMatchObject({ 'sluice.decision.candidates': 1, 'sluice.decision.worker': 'a' });
  });

  it('has a call for each attempt, and says which failed and why', async () => {
    await start('always_on', { a: (_request, response) => void response.destroy(), b: fine });
    for (let i = 0; i < 2; i++) await send(router.url, { body: streamed });
    await until(() => tracing.kept.all().filter(({ kind }) => kind === 'server').length === 2, 'both requests');
    const calls = tracing.kept.all().filter(({ kind }) => kind === 'client');
    const ofWorker = (id: string) => calls.filter(({ attributes }) => attributes['sluice.worker'] === id);
    expect(ofWorker('a').length).toBeGreaterThan(0);
    expect(ofWorker('a').map(({ status }) => status)).toEqual(ofWorker('a').map(() => 'error'));
    expect(ofWorker('b').map(({ status }) => status)).toEqual(['unset', 'unset']);
    const failed = calls.find(({ status }) => status === 'error')!;
    expect(failed.attributes['error.type']).toBe('upstream-closed-before-first-byte');
    const tried = tracing.kept.trace(failed.traceId);
    expect(tried.filter(({ name }) => name === 'decide')).toHaveLength(2);
    expect(tried.find(({ kind }) => kind === 'server')).toMatchObject({ status: 'unset' });
  });

  it('ends also for a request that is refused, with no more than was done', async () => {
    await start('always_on', { a: fine });
    await send(router.url, { body: 'no json' });
    await send(router.url, { body: chat('x', { model: 'other' }) });
    await until(() => tracing.kept.all().filter(({ kind }) => kind === 'server').length === 2, 'both requests');
    const roots = tracing.kept.all().filter(({ kind }) => kind === 'server');
    expect(roots.map(({ attributes, status }) => [attributes['http.response.status_code'], status])).toEqual([
      [400, 'unset'],
      [404, 'unset'],
    ]);
    expect(
      tracing.kept
        .trace(roots[0]!.traceId)
        .map(({ name }) => name)
        .sort(),
    ).toEqual(['POST /v1/chat/completions', 'parse', 'receive']);
  });

  it('tells the engine that an unsampled request is not sampled, and no one else of it', async () => {
    await start('parentbased_always_off', { a: fine });
    const contexts: (TraceContext | null)[] = [];
    router.bus.subscribe(routeOutcome, (_outcome, trace) => contexts.push(trace));
    await send(router.url, { body: streamed, headers: fromClient('00') });
    await send(router.url, { body: streamed });
    await until(() => contexts.length === 2, 'outcomes');
    expect(contexts).toEqual([null, null]);
    expect(tracing.kept.all()).toEqual([]);
    const [continued, begun] = seen.map(({ headers }) => parseTraceparent(String(headers['traceparent']))!);
    expect(continued).toEqual({ traceId, spanId: 'b7ad6b7169203331', sampled: false });
    expect(seen[0]!.headers['tracestate']).toBe('vendor=x');
    expect(begun!.sampled).toBe(false);
  });

  it('leaves the headers of a client alone where tracing is off', async () => {
    await start(null, { a: fine });
    await send(router.url, { body: streamed, headers: fromClient('01') });
    await send(router.url, { body: streamed });
    expect(seen[0]!.headers).toMatchObject(fromClient('01'));
    expect(seen[1]!.headers['traceparent']).toBeUndefined();
  });
});
