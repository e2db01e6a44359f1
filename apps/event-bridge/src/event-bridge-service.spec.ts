import { afterEach, describe, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createMemoryBus } from '@sluice/bus';
import { runService } from '@sluice/nest-kit';
import type { RunningService, ServiceContext } from '@sluice/nest-kit';
import { createMemoryStore } from '@sluice/store';
import { createLogger, createMetrics } from '@sluice/telemetry';
import { createEventBridgeService, parseEventBridgeConfig } from './index.ts';
import { stored } from './testing/events.ts';
import { FakeRank } from './testing/fake-rank.ts';
import { writeByteTokenizer } from './testing/tokenizer-folder.ts';

const cleanup: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of cleanup.splice(0).reverse()) await close();
});

async function start(fleet: (folder: string) => object): Promise<RunningService> {
  const folder = mkdtempSync(join(tmpdir(), 'event-bridge-'));
  cleanup.push(() => rmSync(folder, { recursive: true, force: true }));
  writeByteTokenizer(join(folder, 'tokenizer'));
  const path = join(folder, 'fleet.json');
  writeFileSync(path, JSON.stringify(fleet(folder)));
  const parsed = parseEventBridgeConfig({ SLUICE_FLEET: path, SLUICE_LOG_LEVEL: 'silent' });
  if (!parsed.ok) throw new Error(parsed.errors.join());
  const service = 'event-bridge';
  const context: ServiceContext = {
    service,
    bus: createMemoryBus(),
    store: createMemoryStore(),
    logger: createLogger({ service, level: 'silent' }),
    metrics: createMetrics({ service, process: false }),
  };
  const bridge = createEventBridgeService(parsed.config, context);
  const running = await runService({ host: '127.0.0.1', port: 0, context, service: bridge, title: 'Event bridge' });
  cleanup.push(() => running.close());
  return running;
}

const json = async (url: string, method = 'GET'): Promise<{ status: number; body: Record<string, unknown> }> => {
  const answer = await fetch(url, { method });
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
};

async function eventually(check: () => Promise<void>): Promise<void> {
  const deadline = Date.now() + 4_000;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

describe('the event bridge as a service', () => {
  it('shows every rank, resyncs on request, counts what it sees', async () => {
    const engine = await FakeRank.start('p');
    cleanup.push(() => engine.close());
    engine.step(stored({ sequence: [1, 2] }));
    const kvEvents = { mode: 'connect', endpoint: engine.endpoint, replay: engine.replayEndpoint, topic: '' };
    const elsewhere = { mode: 'connect', endpoint: 'tcp://127.0.0.1:9', replay: null, topic: '' };
    const { url } = await start(() => ({
      version: 1,
      pools: [
        { id: 'p', models: ['m'], tokenizer: 'tokenizer', engines: [{ id: 'w', url: 'http://127.0.0.1:1', kvEvents }] },
        {
          id: 'q',
          models: ['n'],
          tokenizer: null,
          engines: [{ id: 'x', url: 'http://127.0.0.1:2', kvEvents: elsewhere }],
        },
      ],
    }));
    const unread = { state: 'unread', worker: 'x', pool: 'q', reason: 'pool q has no tokenizer' };
    await eventually(async () => {
      const { body } = await json(`${url}/ranks`);
      const read = { state: 'live', worker: 'w', pool: 'p', blocks: 2, engineSeq: 0 };
      expect(body).toEqual({ ranks: [expect.objectContaining(read), unread] });
    });
    const epochOf = async () => (await json(`${url}/ranks`)).body['ranks'] as { epoch: number }[];
    const [before] = await epochOf();
    expect(await json(`${url}/ranks/w/resync`, 'POST')).toEqual({
      status: 202,
      body: { worker: 'w', requested: true },
    });
    await eventually(async () => expect((await epochOf())[0]!.epoch).toBeGreaterThan(before!.epoch));
    expect(await json(`${url}/ranks/x/resync`, 'POST')).toMatchObject({
      status: 404,
      body: { error: { code: 'unknown_worker' } },
    });
    const metrics = await (await fetch(`${url}/metrics`)).text();
    expect(metrics).toContain('sluice_bridge_events_total{kind="stored",service="event-bridge"} 1');
    expect(metrics).toContain('sluice_bridge_blocks{worker="w",service="event-bridge"} 2');
    expect(metrics).toContain('sluice_bridge_ranks{state="unread",service="event-bridge"} 1');
    expect((await json(`${url}/readyz`)).status).toBe(200);
    expect((await fetch(`${url}/openapi.json`)).status).toBe(200);
    await engine.close();
    await eventually(async () => {
      expect((await json(`${url}/ranks`)).body).toMatchObject({
        ranks: [{ state: 'disconnected', blocks: 2 }, unread],
      });
    });
    const after = await (await fetch(`${url}/metrics`)).text();
    expect(after).toContain('sluice_bridge_ranks{state="disconnected",service="event-bridge"} 1');
    expect(after).toContain('sluice_bridge_ranks{state="live",service="event-bridge"} 0');
    const detail = '0 live, 0 incomplete, 1 disconnected, 0 waiting, 1 unread';
    expect((await json(`${url}/readyz`)).body).toMatchObject({ ready: true, checks: { ranks: { ok: true, detail } } });
  });

  it('says which fleet file is wrong', async () => {
    await expect(start(() => ({ version: 2 }))).rejects.toThrow(/fleet/);
  });
});
