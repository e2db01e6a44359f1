import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Module } from '@nestjs/common';
import { createMemoryBus } from '@sluice/bus';
import { traceSchema, tracesSchema } from '@sluice/contracts';
import { createMemoryStore } from '@sluice/store';
import { createLogger, createMetrics, openTracing, parseTracingConfig } from '@sluice/telemetry';
import type { Tracing } from '@sluice/telemetry';
import { runService } from './run-service.ts';
import type { RunningService } from './service.ts';

@Module({})
class Nothing {}

const logger = createLogger({ service: 'probe', level: 'silent' });
const open = async (env: Record<string, string>): Promise<Tracing> => {
  const parsed = parseTracingConfig(env);
  if (!parsed.ok) throw new Error(parsed.errors.join());
  return openTracing('sluice-probe', parsed.config, logger);
};
const start = (tracing: Tracing): Promise<RunningService> =>
  runService({
    host: '127.0.0.1',
    port: 0,
    title: 'Probe',
    context: {
      service: 'probe',
      bus: createMemoryBus(),
      store: createMemoryStore(),
      logger,
      metrics: createMetrics({ service: 'probe' }),
      tracing,
    },
    service: {
      name: 'probe',
      module: { module: Nothing },
      status: () => ({ ready: true, checks: {} }),
      start: () => Promise.resolve(),
      stop: () => Promise.resolve(),
    },
  });

describe('trace routes', () => {
  let tracing: Tracing;
  let running: RunningService;
  beforeEach(async () => {
    tracing = await open({ OTEL_TRACES_SAMPLER: 'always_on' });
    running = await start(tracing);
  });
  afterEach(() => running.close());
  const get = async (path: string) => {
    const answer = await fetch(`${running.url}${path}`);
    return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
  };

  it('list what is kept, newest first, and find the trace of a decision', async () => {
    const nowMs = Date.now();
    for (const [i, name] of ['one', 'two'].entries()) {
      const root = tracing.start(name, null, { startMs: nowMs + i * 100 });
      root.child('within', { startMs: nowMs + i * 100 }).end(nowMs + i * 100 + 30);
      root.set({ 'sluice.decision.id': `d-${i}` });
      if (i === 1) root.fail('broke');
      root.end(nowMs + i * 100 + 20);
    }
    const all = tracesSchema.parse((await get('/traces')).body);
    expect(all.enabled).toBe(true);
    expect(all.traces.map(({ name, spans, failed, decisionId }) => ({ name, spans, failed, decisionId }))).toEqual([
      { name: 'two', spans: 2, failed: true, decisionId: 'd-1' },
      { name: 'one', spans: 2, failed: false, decisionId: 'd-0' },
    ]);
    expect(all.traces[0]!.durationMs).toBeCloseTo(30, 2);
    const found = tracesSchema.parse((await get('/traces?decision=d-0')).body).traces;
    expect(found).toHaveLength(1);
    const { status, body } = await get(`/traces/${found[0]!.traceId}`);
    expect(status).toBe(200);
    expect(
      traceSchema
        .parse(body)
        .spans.map(({ name }) => name)
        .sort(),
    ).toEqual(['one', 'within']);
    expect((await get('/traces?limit=1')).body['traces']).toHaveLength(1);
    expect((await get('/traces?limit=0')).status).toBe(400);
    expect((await get('/traces/none')).status).toBe(404);
  });

  it('take spans of engines, which are then part of the trace, and refuse what is none', async () => {
    const engine = await open({
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${running.url}/v1/traces`,
      OTEL_BSP_SCHEDULE_DELAY: '10',
    });
    const root = tracing.start('request', null);
    engine.follow('llm_request', root.context, { kind: 'server' }).end();
    root.end();
    await engine.close();
    expect(engine.counters).toEqual({ exported: 1, failed: 0 });
    const [, traceId] = root.context!.traceparent.split('-');
    const { spans } = traceSchema.parse((await get(`/traces/${traceId}`)).body);
    expect(spans.map(({ name }) => name).sort()).toEqual(['llm_request', 'request']);
    const post = (body: Buffer) =>
      fetch(`${running.url}/v1/traces`, {
        method: 'POST',
        headers: { 'content-type': 'application/x-protobuf' },
        body,
      });
    expect((await post(Buffer.from('nonsense'))).status).toBe(400);
    expect((await post(Buffer.alloc(0))).status).toBe(200);
  });
});

describe('trace routes where tracing is off', () => {
  it('say so', async () => {
    const running = await start(await open({}));
    try {
      expect(await (await fetch(`${running.url}/traces`)).json()).toEqual({ enabled: false, traces: [] });
      expect((await fetch(`${running.url}/traces/${'a'.repeat(32)}`)).status).toBe(404);
    } finally {
      await running.close();
    }
  });
});
