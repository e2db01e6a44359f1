import { describe, expect, it } from '@jest/globals';
import { createFlowControl, FLOW_CONTROL_DEFAULTS } from '@sluice/flow-control';
import { PRIORS } from '@sluice/latency-model';
import { workerId } from '@sluice/model';
import { createMetrics } from '@sluice/telemetry';
import { FILLED_SIGNALS, fleetPolicy } from '../fleet/fleet-policy.ts';
import { Pool } from '../fleet/pool.ts';
import { createRouterMetrics } from '../metrics.ts';
import { pool as poolSpec } from '../testing/harness.ts';
import { createShadowMetrics } from './shadow-metrics.ts';
import { Shadows } from './shadows.ts';

const QUERY = { promptTokens: 100, expectedOutputTokens: 10, sessionHash: null };

function policyOf(id: string) {
  const made = fleetPolicy(id, FILLED_SIGNALS);
  if (made.kind === 'error') throw new Error(made.message);
  return made.policy;
}

/** A pool of `count` workers; the one in row i is predicted to need i milliseconds to the first token, and no more. */
function poolOf(id: string, count: number): Pool {
  const metrics = createMetrics({ service: 'router', process: false });
  const pool = new Pool(
    poolSpec(id),
    policyOf('expected-latency'),
    createRouterMetrics(metrics).ofPool(id, id),
    createFlowControl(FLOW_CONTROL_DEFAULTS),
  );
  for (let row = 0; row < count; row++) {
    pool.table.addWorker(workerId(`${id}${row}`), PRIORS.default);
    pool.table.setUp(row, true);
    pool.table.columns.predictedTtftMs[row] = row;
    pool.table.columns.predictedTpotMs[row] = 0;
  }
  pool.ids = [...pool.table.columns.ids];
  return pool;
}

function shadowsOf(policies: readonly string[], sample: number, seed = 1) {
  const metrics = createMetrics({ service: 'router', process: false });
  const observerOf = createShadowMetrics(metrics);
  const shadows = new Shadows({ policies, sample, policyOptions: {}, filled: FILLED_SIGNALS, observerOf, seed });
  const metric = async (series: string): Promise<number> => {
    const [name, ...labels] = series.split(' ');
    const line = (await metrics.text())
      .split('\n')
      .find((each) => each.startsWith(`${name}{`) && labels.every((label) => each.includes(label)));
    return line === undefined ? NaN : Number(line.split(' ').at(-1));
  };
  return { shadows, metric };
}

describe('Shadows', () => {
  it('asks about the share of decisions that is configured', () => {
    const pool = poolOf('a', 3);
    const share = (sample: number): number => {
      const { shadows } = shadowsOf(['least-request'], sample);
      const asked = Array.from({ length: 2000 }, () => shadows.consider(pool, QUERY, 0)).filter(({ length }) => length);
      expect(shadows.talliesOf(pool)?.tallies[0]!.decisions ?? 0).toBe(asked.length);
      return asked.length / 2000;
    };
    expect([share(0), share(1)]).toEqual([0, 1]);
    expect(share(0.1)).toBeGreaterThan(0.07);
    expect(share(0.1)).toBeLessThan(0.13);
  });

  it('shows and counts what each would have done, by the sign of its regret', async () => {
    const pool = poolOf('a', 4);
    const { shadows, metric } = shadowsOf(['round-robin'], 1);
    const views = [2, 2, 2, 2].map((chosen) => shadows.consider(pool, QUERY, chosen)[0]!);
    expect(views.map(({ worker, agrees, ttftRegretMs }) => [worker, agrees, ttftRegretMs])).toEqual([
      ['a0', false, -2],
      ['a1', false, -1],
      ['a2', true, 0],
      ['a3', false, 1],
    ]);
    const decisions = (choice: string) => metric(`sluice_router_shadow_decisions_total choice="${choice}"`);
    expect([await decisions('agree'), await decisions('differ')]).toEqual([1, 3]);
    const regret = (what: string, direction: string) =>
      metric(`sluice_router_shadow_regret_seconds_${what} of="ttft" direction="${direction}" policy="round-robin"`);
    expect([await regret('count', 'sooner'), await regret('count', 'later')]).toEqual([2, 1]);
    expect(await regret('sum', 'sooner')).toBeCloseTo(0.003, 9);
    expect(shadows.talliesOf(pool)).toMatchObject({
      against: 'expected-latency',
      tallies: [{ decisions: 4, agreed: 1, compared: 4 }],
    });
    expect(shadows.talliesOf(pool)!.tallies[0]!.meanTtftRegretMs).toBe(-0.5);
  });

  it('keeps the pools apart, and begins anew when another policy decides', () => {
    const [a, b] = [poolOf('a', 3), poolOf('b', 3)];
    const { shadows } = shadowsOf(['round-robin'], 1);
    const turns = (pool: Pool, count: number) =>
      Array.from({ length: count }, () => shadows.consider(pool, QUERY, 0)[0]!.worker);
    expect(turns(a, 2)).toEqual(['a0', 'a1']);
    expect(turns(b, 1)).toEqual(['b0']);
    expect(turns(a, 1)).toEqual(['a2']);
    a.policy = policyOf('token-load');
    expect(turns(a, 1)).toEqual(['a0']);
    expect(shadows.talliesOf(a)).toMatchObject({ against: 'token-load', tallies: [{ decisions: 1 }] });
    expect(shadows.talliesOf(b)).toMatchObject({ against: 'expected-latency', tallies: [{ decisions: 1 }] });
  });

  it('refuses what cannot run here, and stays as it was', () => {
    const { shadows } = shadowsOf(['p2c'], 0.5);
    expect(shadows.set(['random', 'nope'], 1, {})).toMatch(/unknown policy 'nope'/);
    expect(shadows.set(['random', 'random'], 1, {})).toMatch(/twice/);
    expect([shadows.ids, shadows.sample]).toEqual([['p2c'], 0.5]);
    const options = { sample: 1, policyOptions: {}, filled: [], observerOf: () => () => undefined, seed: 1 };
    expect(() => new Shadows({ ...options, policies: ['least-request'] })).toThrow(/needs inflightRequests/);
  });

  it('draws equal samples and choices from equal seeds', () => {
    const played = (seed: number) => {
      const { shadows } = shadowsOf(['random', 'p2c'], 0.5, seed);
      const pool = poolOf('a', 9);
      return Array.from({ length: 60 }, () => shadows.consider(pool, QUERY, 0).map(({ worker }) => worker));
    };
    expect(played(4)).toEqual(played(4));
    expect(played(4)).not.toEqual(played(5));
  });
});
