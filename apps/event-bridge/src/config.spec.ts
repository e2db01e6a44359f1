import { describe, expect, it } from '@jest/globals';
import { parseEventBridgeConfig } from './config.ts';

describe('parseEventBridgeConfig', () => {
  it('needs only the fleet', () => {
    expect(parseEventBridgeConfig({ SLUICE_FLEET: 'fleet.yaml' })).toEqual({
      ok: true,
      config: {
        host: '127.0.0.1',
        tokens: { token: null, tokenFile: null, readToken: null },
        adminPort: 8084,
        fleet: 'fleet.yaml',
        natsServers: ['nats://127.0.0.1:4222'],
        logLevel: 'info',
        feedMs: 2_000,
        replaySilenceMs: 2_000,
        idleCheckMs: 10_000,
        maxBlocksPerRank: 2_000_000,
      },
    });
  });

  it('names every error at once', () => {
    const parsed = parseEventBridgeConfig({
      EVENT_BRIDGE_FEED_MS: '0',
      EVENT_BRIDGE_ADMIN_PORT: 'x',
      EVENT_BRIDGE_FEED: '2000',
    });
    expect(parsed.ok).toBe(false);
    const errors = parsed.ok ? [] : parsed.errors;
    for (const name of ['SLUICE_FLEET', 'EVENT_BRIDGE_FEED_MS', 'EVENT_BRIDGE_ADMIN_PORT', 'EVENT_BRIDGE_FEED:']) {
      expect(errors.join('\n')).toContain(name);
    }
    expect(errors).toHaveLength(4);
  });
});
