import { describe, expect, it } from '@jest/globals';
import { ALL_ARMS, EXPECTED } from './arms.ts';
import { runScenario } from './run-scenario.ts';
import { MissingTrace, scenarioOf } from './scenario.ts';

const SETTINGS = { traces: '/nowhere', smoke: true };
const run = (id: string) => runScenario(id, scenarioOf(id, SETTINGS), EXPECTED, 1, () => undefined);

describe('scenarioOf', () => {
  it.each([
    'verbatim:3',
    'unique:3:output-not-cached',
    'unequal:2',
    'first-block:3',
    'hot-prefix:2',
    'lag:2:100',
    'chat:12',
  ])('makes %s, which runs', async (id) => {
    const outcome = await run(id);
    expect(outcome).toMatchObject({ scenario: id, arm: 'expected-latency', failed: 0 });
    expect(outcome.requests).toBeGreaterThan(5);
  });

  it('summarises ladders by stage and as a whole', async () => {
    const { stages, requests, ttftMs } = await run('ladder:b2b');
    expect(stages!.map((stage) => stage.requests)).toEqual([15, 40]);
    expect(requests).toBe(55);
    const pooled = (15 * stages![0]!.ttftMs.mean! + 40 * stages![1]!.ttftMs.mean!) / 55;
    expect(ttftMs.mean).toBeCloseTo(pooled, 6);
  });

  it('says how long a fleet takes to be itself again after a death', async () => {
    expect(await run('kill:3')).toHaveProperty('recoveryMs');
  });

  it('says what each of several tenants got, whose own requests are the same alone and beside others', async () => {
    const [alone, both] = [await run('fairness:light:alone'), await run('fairness:light:both')];
    expect(alone.tenants!.map(({ tenant }) => tenant)).toEqual(['own']);
    expect(both.tenants!.map(({ tenant }) => tenant).sort()).toEqual(['flood', 'own']);
    const own = both.tenants!.find(({ tenant }) => tenant === 'own')!;
    expect(own.requests).toBe(alone.requests);
    expect(both.tenants!.reduce((sum, { requests }) => sum + requests, 0)).toBe(both.requests);
    expect([own.failed, alone.failed]).toEqual([0, 0]);
  });

  it('tells a trace that is missing from anything else', async () => {
    await expect(run('conversation:1:307k')).rejects.toThrow(MissingTrace);
    expect(() => scenarioOf('nonsense:1', SETTINGS)).toThrow(/no scenario is called 'nonsense:1'/);
  });
});

describe('arms', () => {
  it('have labels of their own', () => {
    expect(new Set(ALL_ARMS.map(({ label }) => label)).size).toBe(ALL_ARMS.length);
  });
});
