import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { runService } from '@sluice/nest-kit';
import type { RunningService } from '@sluice/nest-kit';
import { openTracing, parseTracingConfig } from '@sluice/telemetry';
import { chatEvents, streamPieces, until } from '@sluice/upstream/testing';
import { parseRouterConfig } from '../config.ts';
import { createRouterService } from '../router-service.ts';
import { chat, pool, send, settableFleet, startWorkerEngine } from '../testing/harness.ts';
import { testConfig, testContext, worker } from '../testing/harness.ts';
import type { WorkerEngine } from '../testing/harness.ts';

const sampleOf = (text: string) => {
  const parsed = parseRouterConfig({ SLUICE_FLEET: 'f', ROUTER_TRACE_SAMPLE: text });
  return parsed.ok ? parsed.config.traceSample : parsed.errors;
};

describe('ROUTER_TRACE_SAMPLE', () => {
  it('is a share, off, or not given', () => {
    expect(['0.25', '0', '1', 'off', ''].map(sampleOf)).toEqual([0.25, 0, 1, 'off', null]);
    for (const wrong of ['2', '-1', 'on', '10 %']) {
      expect(sampleOf(wrong)).toEqual([`ROUTER_TRACE_SAMPLE: '${wrong}' must be off or a number from 0 to 1`]);
    }
  });
});

describe('ROUTER_TRACE_SAMPLE while the router runs', () => {
  let engine: WorkerEngine;
  let running: RunningService;
  let ask: () => Promise<string | null>;

  beforeEach(async () => {
    engine = await startWorkerEngine('a', (_request, response) => streamPieces(response, chatEvents(['x'])));
    const parsed = parseTracingConfig({});
    if (!parsed.ok) throw new Error(parsed.errors.join());
    const plain = testContext();
    const context = { ...plain, tracing: await openTracing('sluice-router', parsed.config, plain.logger) };
    const fleet = settableFleet({ pools: [pool()], workers: [worker(engine)] });
    const service = createRouterService(testConfig(), context, fleet);
    running = await runService({ host: '127.0.0.1', port: 0, context, service, title: 'Sluice router' });
    await until(() => service.status().ready, 'ready');
    ask = async () => {
      const { headers } = await send(service.dataPlaneUrl()!, { body: chat('x', { stream: true }) });
      return service.decision(String(headers['x-sluice-decision-id']))!.traceId;
    };
  });
  afterEach(async () => {
    await running.close();
    await engine.kill();
  });

  const change = async (value: string | null): Promise<void> => {
    const body = { settings: { ROUTER_TRACE_SAMPLE: value } };
    const headers = { 'content-type': 'application/json' };
    expect((await send(running.url, { method: 'PATCH', path: '/config', headers, body })).status).toBe(200);
  };
  const list = async () => {
    const { text } = await send(running.url, { method: 'GET', path: '/traces' });
    return JSON.parse(text) as { enabled: boolean; traces: { traceId: string }[] };
  };

  it('switches tracing on, though nothing was configured at the start, and off again', async () => {
    expect(await ask()).toBeNull();
    expect(await list()).toEqual({ enabled: false, traces: [] });
    await change('1');
    const traceId = await ask();
    expect(traceId).toMatch(/^[0-9a-f]{32}$/);
    const { enabled, traces } = await list();
    expect([enabled, traces.map((trace) => trace.traceId)]).toEqual([true, [traceId]]);
    await change('0');
    expect(await ask()).toBeNull();
    expect((await list()).enabled).toBe(true);
    await change('1');
    expect(await ask()).not.toBeNull();
    await change(null);
    expect(await ask()).toBeNull();
    expect((await list()).enabled).toBe(false);
  });
});
