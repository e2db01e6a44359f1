import { describe, expect, it } from '@jest/globals';
import { testConfig } from '../testing/harness.ts';
import { parseRouterConfig } from '../config.ts';
import { serviceLevelOf } from './service-level.ts';

const config = { ...testConfig().flow, objectives: { batch: -5 } };
const level = (headers: Record<string, string>) => serviceLevelOf(headers, config);

describe('service level', () => {
  it('is unconstrained without headers', () => {
    expect(level({})).toEqual({ tenant: 'default', priority: 0, ttftSloMs: null, tpotSloMs: null, deadlineMs: null });
  });

  it('is read by our names first, then by those of llm-d', () => {
    expect(
      level({ 'x-llm-d-slo-ttft-ms': '800', 'x-llm-d-slo-tpot-ms': '40', 'x-llm-d-inference-objective': 'batch' }),
    ).toMatchObject({ ttftSloMs: 800, tpotSloMs: 40, priority: -5 });
    expect(level({ 'x-sluice-slo-ttft-ms': '300', 'x-llm-d-slo-ttft-ms': '800' }).ttftSloMs).toBe(300);
    expect(level({ 'x-sluice-priority': '3', 'x-llm-d-inference-objective': 'batch' }).priority).toBe(3);
    expect(level({ 'x-sluice-deadline-ms': '1500.5' }).deadlineMs).toBe(1500.5);
  });

  it('takes what is no number as absent', () => {
    for (const bad of ['soon', '-1', '0', '', 'Infinity', 'NaN']) {
      expect([bad, level({ 'x-sluice-slo-ttft-ms': bad, 'x-sluice-deadline-ms': bad })]).toMatchObject([
        bad,
        { ttftSloMs: null, deadlineMs: null },
      ]);
    }
    for (const bad of ['high', '1.5', '', '99999999999']) expect(level({ 'x-sluice-priority': bad }).priority).toBe(0);
    expect(level({ 'x-sluice-priority': '-12' }).priority).toBe(-12);
    expect(level({ 'x-llm-d-inference-objective': 'unknown' }).priority).toBe(0);
    expect(level({ 'x-llm-d-inference-objective': 'toString' }).priority).toBe(0);
  });

  it('knows a tenant by header, fairness id or key, and never shows the key', () => {
    expect(level({ 'x-sluice-tenant': 'acme', authorization: 'Bearer k' }).tenant).toBe('acme');
    expect(level({ 'x-llm-d-inference-fairness-id': 'team' }).tenant).toBe('team');
    const { tenant } = level({ authorization: 'Bearer sk-secret' });
    expect(tenant).toMatch(/^key-[0-9a-f]{12}$/);
    expect(level({ authorization: 'Bearer sk-secret' }).tenant).toBe(tenant);
    expect(level({ authorization: 'Bearer sk-other' }).tenant).not.toBe(tenant);
    expect(level({ 'x-sluice-tenant': 'x'.repeat(500) }).tenant).toHaveLength(64);
  });
});

describe('flow configuration', () => {
  const parse = (env: Record<string, string>) => parseRouterConfig({ SLUICE_FLEET: 'f', ...env });

  it('reads bands, weights and objectives', () => {
    const parsed = parse({
      ROUTER_PRIORITY_BANDS: '-10, 0,10',
      ROUTER_TENANT_WEIGHTS: 'acme=2, a=b=0.5',
      ROUTER_OBJECTIVES: 'batch=-10,chat=10',
      ROUTER_TENANT_HEADER: 'X-Team',
      ROUTER_QUEUE_REQUESTS: '0',
      ROUTER_HOLD: 'false',
    });
    expect(parsed).toMatchObject({
      ok: true,
      config: {
        flow: {
          hold: false,
          tenantHeader: 'x-team',
          objectives: { batch: -10, chat: 10 },
          limits: { bands: [-10, 0, 10], weights: { acme: 2, 'a=b': 0.5 }, maxRequests: 0 },
        },
      },
    });
  });

  it.each([
    ['ROUTER_PRIORITY_BANDS', '1,high'],
    ['ROUTER_TENANT_WEIGHTS', 'acme=0'],
    ['ROUTER_TENANT_WEIGHTS', 'acme'],
    ['ROUTER_TENANT_WEIGHTS', '=2'],
    ['ROUTER_OBJECTIVES', 'batch=1.5'],
    ['ROUTER_TENANT_HEADER', 'x team'],
    ['ROUTER_QUEUE_BYTES', '-1'],
  ])('rejects %s=%s', (name, value) => {
    expect(parse({ [name]: value })).toMatchObject({ ok: false, errors: [expect.stringContaining(name)] });
  });
});
