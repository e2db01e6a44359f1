import { afterEach, describe, expect, it } from '@jest/globals';
import type { TraceSpan } from '@sluice/contracts';
import { recorder, startAdminServer } from '../testing/admin-server.ts';
import type { AdminServer } from '../testing/admin-server.ts';
import { printTrace } from './trace.ts';
import { traceLines } from './waterfall.ts';

const traceId = '0af7651916cd43dd8448eb211c80319c';
const T0 = Date.UTC(2026, 0, 2, 3, 4, 5);

const span = (spanId: string, parentSpanId: string | null, fields: Partial<TraceSpan>): TraceSpan => ({
  traceId,
  spanId,
  parentSpanId,
  name: spanId,
  kind: 'internal',
  service: 'sluice-router',
  startMs: T0,
  durationMs: 1,
  status: 'unset',
  statusMessage: null,
  attributes: {},
  events: [],
  links: [],
  ...fields,
});
const candidate = { name: 'candidate', atMs: T0 + 12, attributes: {} };
const ROUTER: TraceSpan[] = [
  span('root', 'client', {
    name: 'POST /v1/chat/completions',
    durationMs: 100,
    attributes: { 'sluice.decision.id': 'r-1' },
  }),
  span('decide', 'root', { startMs: T0 + 10, durationMs: 2, events: [candidate, candidate, candidate] }),
  span('call', 'root', {
    name: 'chat sim',
    startMs: T0 + 20,
    durationMs: 75,
    status: 'error',
    statusMessage: 'ECONNRESET',
    events: [{ name: 'first token', atMs: T0 + 50, attributes: {} }],
  }),
];
const PREDICTOR = [
  span('process', 'settle-elsewhere', {
    name: 'process outcome.v1',
    service: 'sluice-latency-predictor',
    startMs: T0 + 97,
  }),
];
const ready = { ready: true, checks: {} };
const summary = { traceId, name: 'POST', startMs: T0, durationMs: 100, spans: 3, failed: true, decisionId: 'r-1' };

describe('sluice trace', () => {
  const servers: AdminServer[] = [];
  afterEach(() => Promise.all(servers.splice(0).map((server) => server.close())));
  const serve = async (routes: Record<string, unknown>): Promise<string> => {
    const server = await startAdminServer(routes);
    servers.push(server);
    return server.origin;
  };
  const system = (traces: unknown) =>
    serve({
      '/readyz': { ready: true, services: { router: ready, 'latency-predictor': ready } },
      '/router/traces?limit=50': traces,
      '/router/requests?by=ttft&limit=1': { requests: [{ id: 'r-1' }] },
      '/router/traces?limit=1&decision=r-1': traces,
      [`/router/traces/${traceId}`]: { traceId, spans: ROUTER },
      [`/latency-predictor/traces/${traceId}`]: { traceId, spans: [...PREDICTOR, ROUTER[0]] },
    });

  it('finds the last trace, that of a decision or of the slowest, and gathers it from every service, each span once', async () => {
    const admin = [await system({ enabled: true, traces: [summary] })];
    for (const id of ['last', 'slowest', 'r-1', traceId]) {
      const speaker = recorder(100);
      await printTrace(id, { admin, token: null, json: true }, speaker);
      const { spans } = JSON.parse(speaker.said.out) as { spans: TraceSpan[] };
      expect(spans.map(({ spanId }) => spanId)).toEqual(['root', 'decide', 'call', 'process']);
    }
  });

  it('asks services that run alone', async () => {
    const router = await serve({
      '/readyz': ready,
      '/healthz': { service: 'router' },
      '/traces?limit=50': { enabled: true, traces: [summary] },
      [`/traces/${traceId}`]: { traceId, spans: ROUTER },
    });
    const index = await serve({ '/readyz': ready, '/healthz': { service: 'kv-index' } });
    const speaker = recorder(100);
    await printTrace('last', { admin: [router, index], token: null, json: false }, speaker);
    expect(speaker.said.out).toContain('3 spans of router');
  });

  it('asks all routers behind a console, and goes on without what does not answer', async () => {
    const older = { ...summary, traceId: 'a'.repeat(32), startMs: T0 - 5, decisionId: 'a-1' };
    const admin = await serve({
      '/readyz': ready,
      '/healthz': { service: 'console' },
      '/services': {
        services: {
          'router-a': ready,
          'router-b': ready,
          'kv-index': { ready: false, checks: { reached: { ok: false, detail: 'refused' } } },
        },
      },
      '/router-a/traces?limit=50': { enabled: false, traces: [older] },
      '/router-b/traces?limit=50': {
        enabled: true,
        traces: [{ ...summary, traceId: 'c'.repeat(32), startMs: T0 + 5, decisionId: null }, summary],
      },
      '/router-a/traces?limit=1&decision=a-1': { enabled: true, traces: [older] },
      '/router-b/traces?limit=1&decision=a-1': { enabled: true, traces: [] },
      '/router-a/traces?limit=1&decision=r-9': { enabled: true, traces: [] },
      '/router-b/traces?limit=1&decision=r-9': { enabled: false, traces: [] },
      [`/router-b/traces/${traceId}`]: { traceId, spans: ROUTER },
      [`/router-a/traces/${older.traceId}`]: { traceId: older.traceId, spans: PREDICTOR },
    });
    const say = async (id: string) => {
      const speaker = recorder(100);
      expect(await printTrace(id, { admin: [admin], token: null, json: true }, speaker)).toBe(false);
      expect(speaker.said.err).toBe('without kv-index: kv-index cannot be reached: refused\n');
      return (JSON.parse(speaker.said.out) as { traceId: string }).traceId;
    };
    expect(await say('last')).toBe(traceId);
    expect(await say('a-1')).toBe(older.traceId);
    await expect(say('r-9')).rejects.toThrow(/none of router-a, router-b keeps a trace of decision 'r-9'/);
    await expect(say('b'.repeat(32))).rejects.toThrow(/not any longer\. kv-index was not asked: .* refused/);
  });

  it('says why there is nothing', async () => {
    const failure = async (traces: unknown, id: string): Promise<string> => {
      const options = { admin: [await system(traces)], token: null, json: false };
      return printTrace(id, options, recorder()).then(
        () => 'nothing',
        (error: Error) => error.message,
      );
    };
    expect(await failure({ enabled: false, traces: [] }, 'last')).toContain('ROUTER_TRACE_SAMPLE=1');
    expect(await failure({ enabled: true, traces: [] }, 'last')).toContain('no request has been sampled');
    expect(await failure({ enabled: true, traces: [] }, 'r-1')).toContain("decision 'r-1'");
    expect(await failure({ enabled: true, traces: [] }, 'f'.repeat(32))).toContain('no service keeps');
  });

  it('draws each span below its parent, on one axis, with events and failures', () => {
    expect(traceLines(traceId, [...ROUTER, ...PREDICTOR], recorder(90)).join('\n')).toMatchInlineSnapshot(`
      "trace 0af7651916cd43dd8448eb211c80319c
      2026-01-02T03:04:05.000Z, 4 spans of router, latency-predictor
      why this worker: sluice explain r-1

                                                       ms  0                                 100
      POST /v1/chat/completions  router               100  █████████████████████████████████████
        decide (of 3)            router              2.00     ▊
        chat sim                 router              75.0         ███████████████████████████▊
          failed: ECONNRESET
          first token            router             @50.0                    ◆
      process outcome.v1         latency-predictor   1.00                                     ▍"
    `);
  });

  it('ends whatever parents a receiver was told', () => {
    const circle = [span('a', 'b', {}), span('b', 'a', {}), span('c', 'c', {}), span('d', null, {})];
    expect(traceLines(traceId, circle, recorder(90)).filter((line) => line.includes('router'))).toHaveLength(2);
  });
});
