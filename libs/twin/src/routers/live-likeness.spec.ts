import { describe, expect, it } from '@jest/globals';
import type { SimulatedRequest, TwinOptions } from '../api.ts';
import { engines, request, sharing } from '../testing/requests.ts';
import { runTwin } from '../twin.ts';

/** Engine of each request. */
const enginesOf = (requests: readonly SimulatedRequest[], options: Partial<TwinOptions> = {}): number[] => {
  const run = { requests, engines: engines(8), policy: 'least-request' as const, seed: 3, keepRecords: true };
  return [...runTwin({ ...run, ...options }).records!.engine];
};

describe('draws by decision', () => {
  /** Requests to an idle fleet; number 20 may be long enough for the next one to find its engine busy. */
  const requests = (outputTokens: number): SimulatedRequest[] =>
    Array.from({ length: 80 }, (_, i) => request(1000 * i, 300, i === 20 ? outputTokens : 4));
  const rest = (rows: number[]): number[] => rows.filter((_, i) => i !== 21);

  it('leave later decisions as they are when one of them has fewer ties', () => {
    const [short, long] = [4, 150].map((tokens) => enginesOf(requests(tokens), { draws: 'by-decision' }));
    expect(rest(long!)).toEqual(rest(short!));
    expect(long![21]).not.toBe(long![20]);
  });

  it('differ from those in turn, which do not', () => {
    const [short, long] = [4, 150].map((tokens) => enginesOf(requests(tokens)));
    expect(rest(long!)).not.toEqual(rest(short!));
  });

  it('are not the same for two routers', () => {
    const pairs = Array.from({ length: 400 }, (_, i) => request(1000 * i, 300, 4));
    const routers = { count: 2, shared: 'none' } as const;
    const counts = new Array<number>(8).fill(0);
    for (const row of enginesOf(pairs, { draws: 'by-decision', routers, policy: 'random' })) counts[row]!++;
    // routers that drew alike would send 400 requests by some 200 draws; four standard deviations of 400 draws
    for (const count of counts) expect(Math.abs(count - 50)).toBeLessThan(4 * Math.sqrt(43.75));
  });
});

describe('a limit that requests name', () => {
  const limited = (outputLimit?: number): SimulatedRequest[] =>
    Array.from({ length: 120 }, (_, i) => ({
      ...sharing(i % 5, 3200, 20 * i),
      outputTokens: 40,
      ...(outputLimit !== undefined && { outputLimit }),
    }));
  // an output's length decides at this price
  const policyOptions = { expectedLatency: { laterStepsPrice: 50 } };
  const options = { policy: 'expected-latency', engines: engines(3), policyOptions } as const;

  it('is read by the router where it is below the mean', () => {
    expect(enginesOf(limited(1e6), options)).toEqual(enginesOf(limited(), options));
    expect(enginesOf(limited(1), options)).not.toEqual(enginesOf(limited(), options));
  });
});
