import { describe, expect, it } from '@jest/globals';
import { createFleetTable, POLICY_IDS } from '@sluice/routing';
import { createRouterService } from '../router-service.ts';
import { settableFleet, testConfig, testContext } from '../testing/harness.ts';
import { FILLED_SIGNALS, fleetPolicy } from './fleet-policy.ts';

describe('policies of a fleet', () => {
  it('all run on what the router fills, which are columns of the table', () => {
    for (const id of POLICY_IDS)
      expect(fleetPolicy(id, FILLED_SIGNALS)).toMatchObject({ kind: 'policy', policy: { id } });
    expect(Object.keys(createFleetTable().columns)).toEqual(expect.arrayContaining([...FILLED_SIGNALS]));
    expect(new Set(FILLED_SIGNALS).size).toBe(FILLED_SIGNALS.length);
  });

  it('do not run without what they need, and say what that is', () => {
    const filled = FILLED_SIGNALS.filter((signal) => signal !== 'cachedTokens' && signal !== 'step');
    expect(fleetPolicy('expected-latency', filled)).toEqual({
      kind: 'error',
      message:
        'policy expected-latency needs cachedTokens, which nothing fills; policy expected-latency needs step, which nothing fills',
    });
    expect(fleetPolicy('round-robin', filled)).toMatchObject({ kind: 'policy' });
    expect(fleetPolicy('nope', filled)).toMatchObject({
      kind: 'error',
      message: expect.stringMatching(/unknown policy/),
    });
  });

  it('fail at boot, before anything listens', () => {
    const make = (signals: typeof FILLED_SIGNALS) =>
      createRouterService(testConfig(), testContext(), settableFleet({ pools: [], workers: [] }), signals);
    expect(() => make(FILLED_SIGNALS)).not.toThrow();
    expect(() => make(FILLED_SIGNALS.filter((signal) => signal !== 'kvUsage'))).toThrow(
      'policy expected-latency needs kvUsage, which nothing fills',
    );
  });
});
