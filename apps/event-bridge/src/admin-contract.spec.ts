import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createMemoryBus } from '@sluice/bus';
import { runService } from '@sluice/nest-kit';
import { contractSuite } from '@sluice/nest-kit/testing';
import { createMemoryStore } from '@sluice/store';
import { createLogger, createMetrics } from '@sluice/telemetry';
import { createEventBridgeService, parseEventBridgeConfig } from './index.ts';
import { FakeRank } from './testing/fake-rank.ts';
import { writeByteTokenizer } from './testing/tokenizer-folder.ts';

const change = { settings: { SLUICE_LOG_LEVEL: 'fatal' } };

contractSuite('event-bridge', {
  async start(token) {
    const folder = await mkdtemp(join(tmpdir(), 'event-bridge-contract-'));
    writeByteTokenizer(join(folder, 'tokenizer'));
    const rank = await FakeRank.start('chat');
    const kvEvents = { mode: 'connect', endpoint: rank.endpoint, replay: rank.replayEndpoint, topic: '' };
    const read = { id: 'a', url: 'http://127.0.0.1:1', kvEvents };
    const elsewhere = { mode: 'connect', endpoint: 'tcp://127.0.0.1:9', replay: null, topic: '' };
    const unread = { id: 'b', url: 'http://127.0.0.1:2', kvEvents: elsewhere };
    const fleet = {
      version: 1,
      pools: [
        { id: 'chat', models: ['tiny'], tokenizer: 'tokenizer', engines: [read] },
        { id: 'blind', models: ['other'], tokenizer: null, engines: [unread] },
      ],
    };
    const path = join(folder, 'fleet.json');
    await writeFile(path, JSON.stringify(fleet));
    const env = { SLUICE_FLEET: path, SLUICE_LOG_LEVEL: 'silent' };
    const parsed = parseEventBridgeConfig(env);
    if (!parsed.ok) throw new Error(parsed.errors.join());
    const name = 'event-bridge';
    const logger = createLogger({ service: name, level: 'silent' });
    const metrics = createMetrics({ service: name, process: false });
    const settings = { env, file: null };
    const store = createMemoryStore();
    const context = { service: name, bus: createMemoryBus(), store, logger, metrics, settings };
    const service = createEventBridgeService(parsed.config, context);
    const tokens = { token, tokenFile: null, readToken: null };
    const running = await runService({ host: '127.0.0.1', port: 0, tokens, context, service, title: 'Event bridge' });
    const close = async (): Promise<void> => {
      await running.close();
      await rank.close();
      await rm(folder, { recursive: true });
    };
    return { ...running, close };
  },
  parameters: { worker: 'a', file: 'swagger-ui.css' },
  bodies: { 'PATCH /config': change, 'PUT /config': change, 'POST /config/rollback': { version: 0 } },
  otherStatus: { 'GET /traces/{traceId}': 404 },
});
