import { describe, expect, it } from '@jest/globals';
import type { RoutersSetup, TwinOptions } from '../api.ts';
import { engines, request, sharing } from '../testing/requests.ts';
import { runTwin } from '../twin.ts';

/** Twenty bursts of eight requests, which are over before the next: whoever sees what is in flight gives each engine one. */
const requests = Array.from({ length: 160 }, (_, i) => request(5000 * Math.floor(i / 8) + 10 * (i % 8), 300, 200));
const run = (routers: RoutersSetup, options: Partial<TwinOptions> = {}) =>
  runTwin({
    requests,
    engines: engines(8),
    policy: 'least-request',
    seed: 3,
    pollMs: 1e6,
    keepRecords: true,
    routers,
    ...options,
  });
/** Mean over the bursts of the most requests that one engine got. */
function crowding(routers: RoutersSetup): number {
  const { engine } = run(routers).records!;
  let sum = 0;
  for (let burst = 0; burst < 20; burst++) {
    const counts = new Float64Array(8);
    for (const row of engine.subarray(8 * burst, 8 * burst + 8)) counts[row]!++;
    sum += Math.max(...counts);
  }
  return sum / 20;
}

describe('several routers', () => {
  it('see only their own requests, and overbook engines that others use', () => {
    expect(crowding({ count: 1, shared: 'none' })).toBe(1);
    expect(crowding({ count: 4, shared: 'none' })).toBeGreaterThan(1.5);
  });

  it('decide as one when they share their ledgers', () => {
    expect(crowding({ count: 4, shared: 'ledgers' })).toBe(1);
  });

  it('learn of their siblings late when it takes long', () => {
    expect(crowding({ count: 4, shared: 'ledgers', shareLagMs: 15 })).toBeGreaterThan(1);
    const never = run({ count: 4, shared: 'ledgers', shareLagMs: 1e9 });
    expect(never).toEqual(run({ count: 4, shared: 'none' }));
  });

  it('share nothing when there is one', () => {
    expect(run({ count: 1, shared: 'ledgers' })).toEqual(run({ count: 1, shared: 'none' }));
  });

  it('all hear of what the engines hold', () => {
    const repeated = Array.from({ length: 60 }, (_, i) => sharing(i % 3, 2000, 200 * i));
    const share = (count: number): number =>
      run({ count, shared: 'none' }, { requests: repeated, policy: 'expected-latency' }).cachedTokenShare;
    expect(share(4)).toBeCloseTo(share(1), 9);
  });

  it('all decide by what the outcomes at any of them taught', () => {
    const slow = engines(2).map((engine, row) => ({ ...engine, slowdown: row === 0 ? 4 : 1, variant: `${row}` }));
    const steady = Array.from({ length: 200 }, (_, i) => request(80 * i, 1500, 30));
    const toSlow = (count: number): number =>
      run(
        { count, shared: 'ledgers' },
        { requests: steady, engines: slow, policy: 'expected-latency', latency: 'learned', pollMs: 50 },
      ).records!.engine.filter((row, index) => row === 0 && index >= 100).length;
    // each of twenty sees ten outcomes in all, too few to learn from alone
    expect(toSlow(20)).toBeLessThan(10);
  });
});
