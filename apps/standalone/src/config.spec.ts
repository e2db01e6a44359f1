import { describe, expect, it } from '@jest/globals';
import { parseStandaloneConfig } from './config.ts';

describe('parseStandaloneConfig', () => {
  it('places the data plane and the shared admin port, and lets each service read its own variables', () => {
    const parsed = parseStandaloneConfig({
      SLUICE_FLEET: 'f.yaml',
      SLUICE_PORT: '1234',
      SLUICE_ADMIN_PORT: '1235',
      ROUTER_POLICY: 'random',
    });
    expect(parsed).toMatchObject({ ok: true, config: { adminPort: 1235, router: { port: 1234, policy: 'random' } } });
  });

  it('says every error of every service, and what they share once', () => {
    const parsed = parseStandaloneConfig({ SLUICE_PORT: 'x', ROUTER_POLICY: 'best', KV_INDEX_COLOUR: 'red' });
    expect(parsed.ok ? [] : parsed.errors.map((error) => error.split(':')[0]).sort()).toEqual([
      'KV_INDEX_COLOUR',
      'ROUTER_POLICY',
      'SLUICE_FLEET',
      'SLUICE_PORT',
    ]);
  });
});
