import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { parseFleet } from '@sluice/discovery';
import { fleetText, idFrom } from './fleet-text.ts';
import { type Probe, type ProbedEngine, probeEngine } from './probe-engine.ts';

const servers: Server[] = [];
const closeAll = async (): Promise<void> => {
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
};
afterEach(closeAll);

/** Probes a server that answers the given paths with JSON, everything else with 404. */
async function probe(answers: Record<string, unknown>): Promise<{ result: Probe; url: string }> {
  const server = createServer((request, response) => {
    const answer = answers[request.url ?? ''];
    response.writeHead(answer === undefined ? 404 : 200, { 'content-type': 'application/json', connection: 'close' });
    response.end(JSON.stringify(answer ?? {}));
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { result: await probeEngine(url, 2000), url };
}

const MODELS = {
  data: [
    { id: 'Qwen/Qwen3-8B', parent: null },
    { id: 'sql-lora', parent: 'Qwen/Qwen3-8B' },
  ],
};
const source = (endpoint: string, replay: string | null) => ({
  enable_kv_cache_events: true,
  publisher: 'zmq',
  endpoint,
  replay_endpoint: replay,
  topic: 'kv-events',
});

describe('probeEngine', () => {
  it('connects to an engine that binds, at the host that it was found at', async () => {
    const { result, url } = await probe({
      '/v1/models': MODELS,
      '/kv_event_sources': { 0: source('tcp://*:5557', 'tcp://*:5558'), 1: source('tcp://*:5558', 'tcp://*:5559') },
    });
    expect(result).toEqual({
      kind: 'engine',
      engine: {
        url,
        models: ['Qwen/Qwen3-8B', 'sql-lora'],
        loras: ['sql-lora'],
        ranks: 2,
        kvEvents: {
          mode: 'connect',
          endpoint: 'tcp://127.0.0.1:5557',
          replay: 'tcp://127.0.0.1:5558',
          topic: 'kv-events',
        },
      },
    });
  });

  it('binds for an engine that connects', async () => {
    const { result } = await probe({
      '/v1/models': MODELS,
      '/kv_event_sources': { 0: source('tcp://127.0.0.1:5557', null) },
    });
    expect(result).toMatchObject({
      engine: { kvEvents: { mode: 'bind', endpoint: 'tcp://127.0.0.1:5557', replay: null } },
    });
  });

  it('takes an engine without events, or too old to say', async () => {
    expect((await probe({ '/v1/models': MODELS })).result).toMatchObject({
      kind: 'engine',
      engine: { ranks: 1, kvEvents: null },
    });
  });

  it('says what is no engine and what does not answer', async () => {
    expect((await probe({})).result).toMatchObject({ kind: 'not-an-engine', reason: expect.stringContaining('404') });
    const { url } = await probe({ '/v1/models': MODELS });
    await closeAll();
    expect(await probeEngine(url, 2000)).toMatchObject({
      kind: 'unreachable',
      reason: expect.stringContaining('ECONNREFUSED'),
    });
  });
});

describe('an engine with a key', () => {
  it('is told from what is no engine, and takes the key', async () => {
    const server = createServer(({ headers, url }, response) => {
      const isAllowed = headers.authorization === 'Bearer sk-1';
      response.writeHead(url !== '/v1/models' ? 404 : isAllowed ? 200 : 401, { connection: 'close' });
      response.end(JSON.stringify(isAllowed ? MODELS : { error: 'Unauthorized' }));
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    expect(await probeEngine(url, 2000)).toEqual({ kind: 'unauthorized' });
    expect(await probeEngine(url, 2000, 'sk-2')).toEqual({ kind: 'unauthorized' });
    expect(await probeEngine(url, 2000, 'sk-1')).toMatchObject({ kind: 'engine' });
  });
});

describe('fleetText', () => {
  const engine = (url: string, models: string[]): ProbedEngine => ({
    url,
    models,
    loras: [],
    ranks: 1,
    kvEvents: null,
  });

  it('makes a fleet file that discovery takes: one pool for each base model', () => {
    const engines = [
      engine('http://a:8000', ['Qwen/Qwen3-8B']),
      engine('http://b:8000', ['Qwen/Qwen3-8B']),
      engine('http://c:8000', ['other']),
    ];
    const parsed = parseFleet(fleetText(engines, ['e1', 'e2', 'e3'], null), { baseDir: '/', version: 1 });
    expect(parsed.ok ? parsed.fleet.pools.map((pool) => pool.id) : parsed.errors).toEqual(['Qwen-Qwen3-8B', 'other']);
    expect(parsed.ok && parsed.fleet.workers.map((worker) => `${worker.id}@${worker.pool}`)).toEqual([
      'e1@Qwen-Qwen3-8B',
      'e2@Qwen-Qwen3-8B',
      'e3@other',
    ]);
  });

  it.each([
    ['meta-llama/Llama-3.1-8B', 'meta-llama-Llama-3-1-8B'],
    ['///', 'pool'],
    ['x'.repeat(80), 'x'.repeat(48)],
  ])('names a pool after %s', (model, id) => {
    expect(idFrom(model)).toBe(id);
  });
});
