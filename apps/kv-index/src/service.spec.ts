import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createMemoryBus } from '@sluice/bus';
import { kvBatchCodec, kvLookup, kvSnapshot } from '@sluice/contracts';
import { rootKey, workerId } from '@sluice/model';
import { runService } from '@sluice/nest-kit';
import type { RunningService } from '@sluice/nest-kit';
import { seededRng } from '@sluice/numerics';
import { chainOf, testRoot } from '@sluice/prefix-index/testing';
import { createMemoryStore } from '@sluice/store';
import { createLogger, createMetrics } from '@sluice/telemetry';
import { createKvIndexService } from './service.ts';
import { BridgeStandIn } from './testing/bridge-stand-in.ts';

const FLEET = `
version: 1
pools:
  - id: chat
    models: [tiny, tiny-lora]
    loras: [tiny-lora]
    tokenizer: null
    engines:
      - { id: a, url: 'http://127.0.0.1:1', kvEvents: { mode: connect, endpoint: 'tcp://127.0.0.1:1' } }
      - { id: b, url: 'http://127.0.0.1:2', kvEvents: { mode: connect, endpoint: 'tcp://127.0.0.1:2' } }
      - { id: c, url: 'http://127.0.0.1:3' }
`;
const rng = seededRng(3);
const text = Array.from({ length: 640 }, () => String.fromCharCode(97 + Math.floor(rng() * 26))).join('');
const prompt = new TextEncoder().encode(text);
const chain = chainOf(testRoot('chat'), prompt, [64]);
const LORA_ROOT = new Uint32Array(2);
rootKey({ pool: 'chat', lora: 'tiny-lora', salt: 'secret' }, LORA_ROOT);
const loraChain = chainOf([LORA_ROOT[0]!, LORA_ROOT[1]!], prompt, [32]);

describe('kv-index service', () => {
  const bus = createMemoryBus();
  const bridge = new BridgeStandIn(bus, 'chat', workerId('a'));
  let folder: string;
  let running: RunningService;
  const get = async (path: string): Promise<{ status: number; body: Record<string, unknown> }> => {
    const response = await fetch(running.url + path);
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };
  const post = async (path: string, body: unknown = {}): Promise<{ status: number; body: Record<string, unknown> }> => {
    const headers = { 'content-type': 'application/json' };
    const response = await fetch(running.url + path, { method: 'POST', headers, body: JSON.stringify(body) });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };
  const caughtUp = async (): Promise<void> => {
    for (let i = 0; i < 500; i++) {
      if ((await get('/workers/a')).body['seq'] === bridge.seq - 1) return;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    throw new Error('the index did not catch up');
  };

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kv-index-'));
    await writeFile(join(folder, 'fleet.yaml'), FLEET);
    const name = 'kv-index';
    const logger = createLogger({ service: name, level: 'silent' });
    const metrics = createMetrics({ service: name, process: false });
    const context = { service: name, bus, store: createMemoryStore(), logger, metrics };
    const config = {
      natsServers: [],
      redisUrl: '',
      fleet: join(folder, 'fleet.yaml'),
      host: '127.0.0.1',
      adminPort: 0,
      tokens: { token: null, tokenFile: null, readToken: null },
      logLevel: 'silent' as const,
      maxNodes: 10_000,
      writeDelayMs: 20,
      storeWaitMs: 0,
    };
    const service = createKvIndexService(config, context);
    running = await runService({ host: '127.0.0.1', port: 0, context, service, title: 'KV index' });
    bridge.begin();
    bridge.store(0, chain);
    bridge.store(1, chain.slice(0, 4));
    bridge.store(0, loraChain);
    bridge.remove(0, chain.slice(0, 2));
    await caughtUp();
  });
  afterAll(async () => {
    await running.close();
    await rm(folder, { recursive: true });
  });

  it('is ready and says whom it believes', async () => {
    expect(await get('/readyz')).toMatchObject({
      status: 200,
      body: { ready: true, checks: { workers: { ok: true, detail: '1 of 2 workers are believed' } } },
    });
  });

  it('shows workers with what they hold', async () => {
    const { body } = await get('/workers');
    expect(body['workers']).toEqual([
      expect.objectContaining({
        worker: 'a',
        confidence: 'live',
        epoch: bridge.epoch,
        seq: 4,
        blocks: { hbm: 8 + 20, cpu: 4, disk: 0, remote: 0 },
        lagMs: expect.any(Number),
      }),
      {
        worker: 'b',
        pool: 'chat',
        confidence: 'none',
        epoch: null,
        seq: null,
        blocks: { hbm: 0, cpu: 0, disk: 0, remote: 0 },
        lagMs: null,
        idleMs: null,
      },
    ]);
    expect((await get('/workers/c')).body).toMatchObject({ error: { code: 'unknown_worker' } });
    expect((await get('/workers/..a')).status).toBe(404);
  });

  it('pages through the blocks of a worker, parents first', async () => {
    const pages: Record<string, unknown>[] = [];
    for (let offset: unknown = 0; offset !== null; offset = pages.at(-1)!['next'])
      pages.push((await get(`/workers/a/blocks?offset=${String(offset)}&limit=12`)).body);
    expect(pages.map((page) => [page['total'], page['seq'], page['next']])).toEqual([
      [30, 4, 12],
      [30, 4, 24],
      [30, 4, null],
    ]);
    const blocks = pages.flatMap((page) => page['blocks'] as { key: string; parent: string; tiers: string[] }[]);
    expect(new Set(blocks.map(({ key }) => key)).size).toBe(30);
    const at = new Map(blocks.map(({ key }, i) => [key, i]));
    for (const [i, { parent }] of blocks.entries()) expect(at.get(parent) ?? -1).toBeLessThan(i);
    const hex = (word: number): string => word.toString(16).padStart(8, '0');
    const first = chain[0]!;
    expect(blocks.find(({ key }) => key === hex(first.keyHi) + hex(first.keyLo))).toEqual({
      key: hex(first.keyHi) + hex(first.keyLo),
      parent: hex(first.parentHi) + hex(first.parentLo),
      spanBytes: 64,
      tokens: 16,
      tiers: ['cpu'],
    });
    expect((await get('/workers/a/blocks?limit=100000')).status).toBe(400);
    expect((await get('/workers/nobody/blocks')).status).toBe(404);
  });

  it('answers lookups over REST', async () => {
    const { status, body } = await post('/lookup', { model: 'tiny', prompt: text });
    expect([status, body]).toEqual([
      200,
      {
        kind: 'matches',
        pool: 'chat',
        promptBytes: 640,
        workers: [
          { worker: 'a', cachedTokens: 160, cachedBytes: 640, confidence: 'live' },
          { worker: 'b', cachedTokens: 0, cachedBytes: 0, confidence: 'none' },
          { worker: 'c', cachedTokens: 0, cachedBytes: 0, confidence: 'none' },
        ],
      },
    ]);
    expect(
      (await post('/lookup', { model: 'tiny-lora', prompt: text.slice(0, 100), cacheSalt: 'secret' })).body,
    ).toMatchObject({ workers: [{ worker: 'a', cachedBytes: 96, cachedTokens: 24 }, {}, {}] });
  });

  it.each([
    [{ model: 'huge', prompt: 'x' }, 404, 'unknown_model'],
    [{ model: 'tiny' }, 400, 'invalid_request'],
    [{ model: 'tiny', prompt: 'x', messages: [{}] }, 400, 'invalid_request'],
    [{ model: 'tiny', prompt: 'x', salt: 'y' }, 400, 'invalid_request'],
    [{ model: 'tiny', messages: [{ role: 'user', content: 'hi' }] }, 400, 'unrenderable'],
    [{ model: 'huge', messages: [{ role: 'user', content: 'hi' }] }, 404, 'unknown_model'],
  ])('refuses the lookup %j', async (body, status, code) => {
    expect(await post('/lookup', body)).toMatchObject({ status, body: { error: { code } } });
  });

  it('answers lookups and snapshots over the bus', async () => {
    const lookup = await bus.request(kvLookup, { model: 'tiny', prompt: text });
    expect(lookup).toMatchObject({
      kind: 'reply',
      value: { kind: 'matches', workers: [{ cachedTokens: 160 }, {}, {}] },
    });
    expect(await bus.request(kvLookup, { model: 'huge', prompt: text })).toEqual({
      kind: 'reply',
      value: { kind: 'unknown-model', models: ['tiny', 'tiny-lora'] },
    });
    const snapshot = await bus.request(kvSnapshot, { pool: 'chat', worker: 'a', cursor: null });
    if (snapshot.kind !== 'reply' || snapshot.value.kind !== 'page') throw new Error(JSON.stringify(snapshot));
    const { epoch, seq, incomplete, cursor, batch } = snapshot.value;
    expect([epoch, seq, incomplete, cursor]).toEqual([bridge.epoch, 4, false, null]);
    const header = kvBatchCodec.header(Buffer.from(batch, 'base64'));
    expect(header).toMatchObject({ begin: true, operations: 8 + 4 + 20, epoch, seq });
    for (const worker of ['b', 'nobody', '..'])
      expect(await bus.request(kvSnapshot, { pool: 'chat', worker, cursor: null })).toMatchObject({
        value: { kind: 'unknown' },
      });
  });

  it('counts no worker as live whose engine is disconnected', async () => {
    const told = async (state: 'live' | 'disconnected'): Promise<void> => {
      bridge.report(state);
      for (let i = 0; (await get('/workers/a')).body['confidence'] !== state; i++)
        if (i === 500) throw new Error(`never ${state}`);
    };
    await told('disconnected');
    const metrics = await (await fetch(`${running.url}/metrics`)).text();
    expect(metrics).toContain('sluice_index_workers{confidence="live",service="kv-index"} 0');
    expect(metrics).toContain('sluice_index_workers{confidence="disconnected",service="kv-index"} 1');
    expect(metrics).toContain('sluice_index_worker_believed{worker="a",service="kv-index"} 0.5');
    const detail = '0 of 2 workers are believed, 1 disconnected';
    expect((await get('/readyz')).body).toMatchObject({ ready: true, checks: { workers: { ok: true, detail } } });
    await told('live');
  });

  it('asks for a resync on demand', async () => {
    const { epoch } = bridge;
    expect(await post('/workers/a/resync')).toEqual({ status: 202, body: { requested: 'a' } });
    await caughtUp();
    expect([bridge.epoch, bridge.resyncs]).toEqual([epoch + 1, ['asked by an administrator']]);
    expect((await get('/workers/a')).body).toMatchObject({ epoch: epoch + 1, blocks: { hbm: 28, cpu: 4 } });
    expect((await post('/workers/c/resync')).status).toBe(404);
  });

  it('counts', async () => {
    expect((await get('/stats')).body).toMatchObject({
      index: { nodes: 30, memberships: 32, evictedNodes: 0 },
      batches: { gaps: 0 },
    });
    const metrics = await (await fetch(`${running.url}/metrics`)).text();
    expect(metrics).toContain('sluice_index_nodes{service="kv-index"} 30');
    expect(metrics).toContain('sluice_index_blocks{worker="a",tier="cpu",service="kv-index"} 4');
    expect(metrics).toMatch(/sluice_index_lookups_total\{service="kv-index"\} [1-9]/);
  });
});
