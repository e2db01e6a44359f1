import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createMemoryBus } from '@sluice/bus';
import { workerId } from '@sluice/model';
import { runService } from '@sluice/nest-kit';
import { contractSuite } from '@sluice/nest-kit/testing';
import { chainOf, testRoot } from '@sluice/prefix-index/testing';
import { createMemoryStore } from '@sluice/store';
import { createLogger, createMetrics } from '@sluice/telemetry';
import { parseKvIndexConfig } from './config.ts';
import { createKvIndexService } from './service.ts';
import { BridgeStandIn } from './testing/bridge-stand-in.ts';

const FLEET = `
version: 1
pools:
  - id: chat
    models: [tiny]
    tokenizer: null
    engines:
      - { id: a, url: 'http://127.0.0.1:1', kvEvents: { mode: connect, endpoint: 'tcp://127.0.0.1:1' } }
`;
const TEXT = 'a prompt of some length, which makes a block or two of sixteen';
const change = { settings: { SLUICE_LOG_LEVEL: 'fatal' } };

contractSuite('kv-index', {
  async start(token) {
    const folder = await mkdtemp(join(tmpdir(), 'kv-index-contract-'));
    const fleet = join(folder, 'fleet.yaml');
    await writeFile(fleet, FLEET);
    const env = { SLUICE_FLEET: fleet, SLUICE_LOG_LEVEL: 'silent', KV_INDEX_STORE_WAIT_MS: '0' };
    const parsed = parseKvIndexConfig(env);
    if (!parsed.ok) throw new Error(parsed.errors.join());
    const name = 'kv-index';
    const bus = createMemoryBus();
    const logger = createLogger({ service: name, level: 'silent' });
    const metrics = createMetrics({ service: name, process: false });
    const settings = { env, file: null };
    const context = { service: name, bus, store: createMemoryStore(), logger, metrics, settings };
    const service = createKvIndexService(parsed.config, context);
    const tokens = { token, tokenFile: null, readToken: null };
    const running = await runService({ host: '127.0.0.1', port: 0, tokens, context, service, title: 'KV index' });
    const bridge = new BridgeStandIn(bus, 'chat', workerId('a'));
    bridge.begin();
    bridge.store(0, chainOf(testRoot('chat'), new TextEncoder().encode(TEXT), [16]));
    const close = async (): Promise<void> => {
      await running.close();
      await rm(folder, { recursive: true });
    };
    return { ...running, close };
  },
  parameters: { id: 'a', file: 'swagger-ui.css' },
  bodies: {
    'POST /lookup': { model: 'tiny', prompt: TEXT },
    'PATCH /config': change,
    'PUT /config': change,
    'POST /config/rollback': { version: 0 },
  },
  otherStatus: { 'GET /traces/{traceId}': 404 },
});
