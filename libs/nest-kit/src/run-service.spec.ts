import { afterEach, describe, expect, it } from '@jest/globals';
import { Body, Controller, Get, Inject, Param, Post, Query } from '@nestjs/common';
import type { DynamicModule } from '@nestjs/common';
import { createMemoryBus } from '@sluice/bus';
import { defineRequest, defineSubject } from '@sluice/contracts';
import { createMemoryStore } from '@sluice/store';
import { createLogger, createMetrics } from '@sluice/telemetry';
import { z } from 'zod';
import { Operation, Problem, RespondsTo, runService, runServices, zodBody } from './index.ts';
import type { RunningService, Service, ServiceContext } from './index.ts';

const doubled = defineRequest('double.v1', z.strictObject({ n: z.number() }), z.strictObject({ n: z.number() }));
const pinBody = z.strictObject({ worker: z.string(), ttlMs: z.number().int().positive() });
const pinReply = z.strictObject({ pinned: z.string() });
const listQuery = z.strictObject({ limit: z.coerce.number().int().max(100).optional() });
const GREETING = Symbol('greeting');

@Controller('things')
class ThingsController {
  readonly #greeting: string;

  constructor(@Inject(GREETING) greeting: string) {
    this.#greeting = greeting;
  }

  @Get()
  @Operation({ summary: 'All things', query: listQuery })
  list(@Query() query: unknown): { greeting: string; limit: number } {
    return { greeting: this.#greeting, limit: zodBody(listQuery, query).limit ?? 10 };
  }

  @Post('pins')
  @Operation({ summary: 'Pin a thing', body: pinBody, reply: pinReply, status: 201 })
  pin(@Body() body: unknown): z.output<typeof pinReply> {
    return { pinned: zodBody(pinBody, body).worker };
  }

  @Get('hanging')
  hanging(): Promise<never> {
    return new Promise(() => undefined);
  }

  @Get('broken')
  broken(): never {
    throw new Error('password=hunter2');
  }

  @Get(':id')
  one(@Param('id') id: string): never {
    throw new Problem(404, 'unknown_thing', `no thing '${id}'`);
  }

  @RespondsTo(doubled)
  double(request: z.output<typeof doubled.request>): z.output<typeof doubled.reply> {
    if (request.n < 0) throw new Error('negative');
    return { n: request.n * 2 };
  }
}

class ThingsModule {}
class OthersModule {}

const moduleOf = (module: new () => object, greeting: string): DynamicModule => ({
  module,
  controllers: [ThingsController],
  providers: [{ provide: GREETING, useValue: greeting }],
});

interface Probe {
  service: Service;
  context: ServiceContext;
  events: string[];
  logs: string[];
}

function probe(name: string, overrides: Partial<Service> = {}, shared: Partial<ServiceContext> = {}): Probe {
  const events: string[] = [];
  const logs: string[] = [];
  const context: ServiceContext = {
    service: name,
    bus: createMemoryBus(),
    store: createMemoryStore(),
    logger: createLogger({ service: name, write: (line) => void logs.push(line) }),
    metrics: createMetrics({ service: name }),
    ...shared,
  };
  const service: Service = {
    name,
    module: moduleOf(ThingsModule, `hello from ${name}`),
    status: () => ({ ready: true, checks: { loop: { ok: true, detail: 'running' } } }),
    start: async () => void events.push('start'),
    stop: async () => void events.push('stop'),
    ...overrides,
  };
  return { service, context, events, logs };
}

const running: RunningService[] = [];
const started = async (start: Promise<RunningService>): Promise<RunningService> => {
  const service = await start;
  running.push(service);
  return service;
};
const run = (p: Probe, options: { drainMs?: number } = {}): Promise<RunningService> =>
  started(
    runService({ host: '127.0.0.1', port: 0, context: p.context, service: p.service, title: 'Things', ...options }),
  );
const getJson = async (url: string): Promise<{ status: number; body: unknown }> => {
  const response = await fetch(url);
  return { status: response.status, body: await response.json() };
};
const post = (url: string, body: string): Promise<Response> =>
  fetch(url, { method: 'POST', body, headers: { 'content-type': 'application/json' } });

afterEach(async () => {
  for (const service of running.splice(0)) await service.close();
});

describe('runService', () => {
  it('serves health, readiness and metrics of one service', async () => {
    let ready = false;
    const p = probe('router', { status: () => ({ ready, checks: { fleet: { ok: ready, detail: 'no worker' } } }) });
    const { url } = await run(p);
    expect(p.events).toEqual(['start']);
    expect(await getJson(`${url}/healthz`)).toMatchObject({ status: 200, body: { status: 'ok', service: 'router' } });
    expect(await getJson(`${url}/readyz`)).toEqual({
      status: 503,
      body: { ready: false, checks: { fleet: { ok: false, detail: 'no worker' } } },
    });
    ready = true;
    expect((await getJson(`${url}/readyz`)).status).toBe(200);
    const metrics = await fetch(`${url}/metrics`);
    expect(metrics.headers.get('content-type')).toContain('text/plain; version=0.0.4');
    const text = await metrics.text();
    expect(text).toContain('sluice_bus_connected{service="router"} 1');
    expect(text).toContain('# TYPE sluice_bus_published_total counter');
    p.context.bus.publish(defineSubject('news.v1', z.strictObject({})), {});
    for (let scrape = 0; scrape < 2; scrape++) {
      const later = await (await fetch(`${url}/metrics`)).text();
      expect(later).toContain('sluice_bus_published_total{service="router"} 1');
    }
  });

  it('answers errors as error objects and hides what went wrong inside', async () => {
    const p = probe('router');
    const { url } = await run(p);
    const bad = await post(`${url}/things/pins`, JSON.stringify({ ttlMs: -1, extra: 1 }));
    expect(bad.status).toBe(400);
    const { error } = (await bad.json()) as { error: { message: string; type: string; code: string } };
    expect(error).toMatchObject({ type: 'invalid_request_error', code: 'invalid_request' });
    expect(error.message).toMatch(/worker: .*ttlMs: .*extra/s);

    expect((await post(`${url}/things/pins`, '{"worker":')).status).toBe(400);
    expect((await post(`${url}/things/pins`, `"${'x'.repeat(2 << 20)}"`)).status).toBe(413);
    expect(await getJson(`${url}/things/7`)).toEqual({
      status: 404,
      body: { error: { message: "no thing '7'", type: 'not_found_error', code: 'unknown_thing' } },
    });
    expect(await getJson(`${url}/nothing`)).toMatchObject({ status: 404, body: { error: { code: 'not_found' } } });
    expect(await getJson(`${url}/things/broken`)).toEqual({
      status: 500,
      body: { error: { message: 'internal error', type: 'server_error', code: 'internal_error' } },
    });
    expect(p.logs.join('')).toContain('hunter2');
  });

  it('describes its routes in OpenAPI 3.1 and shows them', async () => {
    const { url } = await run(probe('router'));
    const { body } = await getJson(`${url}/openapi.json`);
    expect(body).toMatchObject({
      openapi: '3.1.0',
      info: { title: 'Things' },
      paths: {
        '/things/pins': {
          post: {
            summary: 'Pin a thing',
            requestBody: { content: { 'application/json': { schema: { required: ['worker', 'ttlMs'] } } } },
            responses: { '201': { content: { 'application/json': { schema: { required: ['pinned'] } } } } },
          },
        },
        '/things': { get: { parameters: [{ name: 'limit', in: 'query', required: false }] } },
      },
    });
    expect(await (await fetch(`${url}/docs`)).text()).toContain('docs/swagger-ui-bundle.js');
    const script = await fetch(`${url}/docs/swagger-ui-bundle.js`);
    expect(script.headers.get('content-type')).toContain('text/javascript');
    expect((await script.text()).length).toBeGreaterThan(100_000);
    expect((await getJson(`${url}/docs/package.json`)).status).toBe(404);
  });

  it('answers requests that come over the bus', async () => {
    const p = probe('router');
    await run(p);
    expect(await p.context.bus.request(doubled, { n: 21 })).toEqual({ kind: 'reply', value: { n: 42 } });
    expect(await p.context.bus.request(doubled, { n: -1 })).toMatchObject({ kind: 'unavailable' });
  });

  it('is alive but not ready while it drains, then closes server, bus and store', async () => {
    let finish = (): void => undefined;
    const stopped = new Promise<void>((resolve) => (finish = resolve));
    const p = probe('router', { stop: () => stopped });
    const service = await run(p);
    const closing = service.close();
    expect((await getJson(`${service.url}/healthz`)).status).toBe(200);
    expect(await getJson(`${service.url}/readyz`)).toMatchObject({
      status: 503,
      body: { checks: { drain: { ok: false, detail: 'leaving' } } },
    });
    expect(p.context.bus.state()).toBe('connected');
    finish();
    await closing;
    expect(p.context.bus.state()).toBe('disconnected');
    expect(p.context.store.state()).toBe('disconnected');
    await expect(fetch(`${service.url}/healthz`)).rejects.toThrow();
  });

  it('leaves a service behind that does not drain in time', async () => {
    const p = probe('router', { stop: () => new Promise(() => undefined) });
    const service = await run(p, { drainMs: 20 });
    await service.close();
    expect(p.logs.join('')).toContain('router did not end within 20 ms');
  });

  it('gives a service the time that it says it needs', async () => {
    const limit = { stopLimitMs: () => 30 };
    const p = probe('router', { ...limit, stop: () => new Promise(() => undefined) });
    const service = await run(p);
    await service.close();
    expect(p.logs.join('')).toContain('router did not end within 30 ms');
  });

  it('cuts off an admin request that does not end', async () => {
    const p = probe('router');
    const service = await run(p, { drainMs: 50 });
    const hanging = fetch(`${service.url}/things/hanging`).then(
      () => 'answered',
      () => 'cut off',
    );
    await new Promise((resolve) => setTimeout(resolve, 50));
    await service.close();
    expect(await hanging).toBe('cut off');
    expect(p.logs.join('')).toContain('the admin server did not end within 50 ms');
  });

  it('goes on closing when a service fails to stop', async () => {
    const p = probe('router', { stop: async () => Promise.reject(new Error('stuck')) });
    await (await run(p)).close();
    expect(p.logs.join('')).toContain('router failed to end');
    expect(p.context.bus.state()).toBe('disconnected');
  });

  it('frees the port when the service cannot start', async () => {
    const p = probe('router', { start: async () => Promise.reject(new Error('no fleet')) });
    await expect(run(p)).rejects.toThrow('no fleet');
    expect(p.events).toEqual(['stop']);
    expect(p.context.bus.state()).toBe('disconnected');
  });

  it('fails to start on a port that is taken', async () => {
    const first = await run(probe('router'));
    const p = probe('kv-index');
    const port = Number(new URL(first.url).port);
    const start = runService({ host: '127.0.0.1', port, context: p.context, service: p.service, title: 'x' });
    await expect(start).rejects.toMatchObject({ code: 'EADDRINUSE' });
    expect(p.events).toEqual(['stop']);
  });
});

describe('runServices', () => {
  it('mounts every service below its name and speaks for all at the root', async () => {
    const a = probe('router');
    const b = probe(
      'kv-index',
      { module: moduleOf(OthersModule, 'hello from the index') },
      { bus: a.context.bus, store: a.context.store },
    );
    const { url } = await started(runServices({ host: '127.0.0.1', port: 0, services: [a, b] }));
    expect((await getJson(`${url}/router/things`)).body).toEqual({ greeting: 'hello from router', limit: 10 });
    expect((await getJson(`${url}/kv-index/things?limit=3`)).body).toEqual({
      greeting: 'hello from the index',
      limit: 3,
    });
    expect((await getJson(`${url}/things`)).status).toBe(404);
    expect((await getJson(`${url}/kv-index/healthz`)).body).toMatchObject({ service: 'kv-index' });
    expect((await getJson(`${url}/readyz`)).body).toMatchObject({
      ready: true,
      services: { router: { ready: true }, 'kv-index': { ready: true } },
    });
    const document = (await getJson(`${url}/kv-index/openapi.json`)).body as { paths: object };
    expect(Object.keys(document.paths)).toContain('/kv-index/things/pins');
    expect(Object.keys(document.paths).some((path) => path.startsWith('/router'))).toBe(false);
    const metrics = await (await fetch(`${url}/metrics`)).text();
    expect(metrics.match(/# TYPE sluice_process_memory_bytes/g)).toHaveLength(1);
    expect(metrics).toContain('sluice_process_memory_bytes{kind="resident",service="kv-index"}');
  });

  it('is not ready when one service is not', async () => {
    const a = probe('router');
    const notReady = { status: () => ({ ready: false, checks: {} }), module: moduleOf(OthersModule, '') };
    const b = probe('kv-index', notReady, { bus: a.context.bus });
    const { url } = await started(runServices({ host: '127.0.0.1', port: 0, services: [a, b] }));
    expect(await getJson(`${url}/readyz`)).toMatchObject({
      status: 503,
      body: { services: { router: { ready: true } } },
    });
    expect((await getJson(`${url}/healthz`)).status).toBe(200);
  });
});
