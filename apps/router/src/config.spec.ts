import { describe, expect, it } from '@jest/globals';
import { parseRouterConfig } from './config.ts';

describe('parseRouterConfig', () => {
  it('has a default for everything but the fleet', () => {
    expect(parseRouterConfig({ SLUICE_FLEET: 'fleet.yaml', ROUTER_PORT: '9000', PATH: '/bin' })).toMatchObject({
      ok: true,
      config: {
        fleet: 'fleet.yaml',
        port: 9000,
        policy: 'expected-latency',
        maxBodyBytes: 8388608,
        scrapeMs: 500,
        seed: null,
        latency: 'learned',
        host: '127.0.0.1',
      },
    });
  });

  it('takes a seed of decisions', () => {
    const parsed = parseRouterConfig({ SLUICE_FLEET: 'fleet.yaml', ROUTER_SEED: '0' });
    expect(parsed).toMatchObject({ ok: true, config: { seed: 0 } });
  });

  it('takes shadow policies, each once', () => {
    const env = { SLUICE_FLEET: 'fleet.yaml', ROUTER_SHADOW_POLICIES: 'p2c, random' };
    expect(parseRouterConfig(env)).toMatchObject({
      ok: true,
      config: { shadowPolicies: ['p2c', 'random'], shadowSample: 0.1 },
    });
    expect(parseRouterConfig({ ...env, ROUTER_SHADOW_POLICIES: 'p2c,p2c', ROUTER_SHADOW_SAMPLE: '2' })).toMatchObject({
      errors: [
        expect.stringMatching(/^ROUTER_SHADOW_POLICIES: .*once/),
        expect.stringMatching(/^ROUTER_SHADOW_SAMPLE/),
      ],
    });
  });

  it('names every error at once, unknown keys included', () => {
    const parsed = parseRouterConfig({
      ROUTER_PORT: '70000',
      ROUTER_POLICY: 'fastest',
      ROUTER_SCRAPE_MS: 'soon',
      ROUTER_PROT: '1',
    });
    expect(parsed.ok).toBe(false);
    const errors = parsed.ok ? [] : parsed.errors;
    for (const name of ['SLUICE_FLEET', 'ROUTER_PORT', 'ROUTER_POLICY', 'ROUTER_SCRAPE_MS', 'ROUTER_PROT']) {
      expect(errors.filter((error) => error.startsWith(`${name}:`))).toHaveLength(1);
    }
  });
});
