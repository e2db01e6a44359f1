import { describe, expect, it } from '@jest/globals';
import { parseKvIndexConfig } from './config.ts';

describe('parseKvIndexConfig', () => {
  it('needs the fleet alone', () => {
    expect(parseKvIndexConfig({ SLUICE_FLEET: 'fleet.yaml' })).toEqual({
      ok: true,
      config: {
        natsServers: ['nats://127.0.0.1:4222'],
        redisUrl: 'redis://127.0.0.1:6379',
        fleet: 'fleet.yaml',
        host: '127.0.0.1',
        tokens: { token: null, tokenFile: null, readToken: null },
        adminPort: 8083,
        logLevel: 'info',
        maxNodes: 4_194_304,
        writeDelayMs: 200,
        storeWaitMs: 5000,
      },
    });
  });

  it('reports every error at once, unknown keys included', () => {
    const parsed = parseKvIndexConfig({ KV_INDEX_MAX_NODES: '12', KV_INDEX_WRITE_DELAY: '5', SLUICE_REDIS_URL: 'x' });
    expect(parsed.ok ? [] : parsed.errors.map((error) => error.split(':')[0]).sort()).toEqual([
      'KV_INDEX_MAX_NODES',
      'KV_INDEX_WRITE_DELAY',
      'SLUICE_FLEET',
      'SLUICE_REDIS_URL',
    ]);
  });
});
