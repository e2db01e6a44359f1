import { describe, expect, it } from '@jest/globals';
import { againstEach, comparatorClaims, compareToBest } from './comparators.ts';
import { cell, meanOf, pairedRatio, short, TTFT_P99_S } from './intervals.ts';
import type { RunOutcome } from './run-scenario.ts';
import { policyTable } from './table.ts';

const latency = (ms: number | null) => ({ mean: ms, p50: ms, p90: ms, p99: ms, p999: ms });
/** A run of which all latencies are `ms`. */
const run = (arm: string, ms: number | null, seed = 1, scenario = 's'): RunOutcome => ({
  policy: 'random',
  arm,
  scenario,
  seed,
  requests: 10,
  failed: ms === null ? 1 : 0,
  ttftMs: latency(ms),
  tpotMs: latency(ms),
  e2eMs: latency(ms),
  outputTokensPerS: 1,
  cachedTokenShare: 0,
  capturedReuse: null,
  imbalance: 1,
  preemptions: 0,
  goodput: null,
  engineSteps: 1,
  virtualMs: 1,
  cpuMs: 1,
});

describe('intervals', () => {
  it('shows the mean and the half width over seeds, and inf where one is infinite', () => {
    expect(cell([run('a', 1000, 1), run('a', 3000, 2)], TTFT_P99_S)).toBe('2 ±12.7');
    expect(cell([run('a', 1000, 1)], TTFT_P99_S)).toBe('1');
    expect(cell([run('a', 1000, 1), run('a', null, 2)], TTFT_P99_S)).toBe('inf');
    expect(meanOf([run('a', null)], TTFT_P99_S)).toBeNull();
    expect(meanOf([], TTFT_P99_S)).toBeNull();
  });

  it('writes three digits', () => {
    expect([0, 0.0044, 0.0996, 1.2345, 99.96, 130, 12_345.6].map(short)).toEqual([
      '0',
      '0.004',
      '0.0996',
      '1.23',
      '100',
      '130',
      '12346',
    ]);
  });

  it('pairs seeds: the geometric mean of their ratios', () => {
    const slow = [run('b', 4000, 1), run('b', 1000, 2)];
    const fast = [run('a', 100, 2), run('a', 1000, 1)];
    const ratio = pairedRatio(slow, fast, TTFT_P99_S)!;
    expect(ratio.mean).toBeCloseTo(Math.sqrt(4 * 10), 9);
    expect(ratio.low).toBeLessThan(ratio.mean);
    expect(ratio.high * ratio.low).toBeCloseTo(ratio.mean ** 2, 6);
    expect(pairedRatio([run('b', null)], [run('a', 1)], TTFT_P99_S)).toBeNull();
    expect(pairedRatio([run('b', 1, 7)], [run('a', 1, 8)], TTFT_P99_S)).toBeNull();
  });
});

describe('comparators', () => {
  const runs = [
    run('expected-latency', 100),
    run('oracle', 80),
    run('random', 400),
    run('least-request', 200),
    run('expected-latency', 300, 1, 't'),
    run('random', 150, 1, 't'),
    run('least-request', null, 1, 't'),
  ];

  it('compares with the best of each scenario, in which the oracle does not count', () => {
    const [first, , , last] = compareToBest(runs);
    expect(first).toMatchObject({
      scenario: 's',
      metric: 'ttft-mean',
      best: 'least-request',
      ratio: 0.5,
      toOracle: 1.25,
    });
    expect(last).toMatchObject({ scenario: 't', best: 'random', ratio: 2, toOracle: null });
  });

  it('claims the geometric mean and names the worst', () => {
    const claims = comparatorClaims('x', compareToBest(runs));
    expect(claims.find(({ id }) => id === 'x-ttft-p99-vs-best')).toMatchObject({ value: 1 });
    expect(claims.find(({ id }) => id === 'x-ttft-p99-vs-best-worst')).toMatchObject({ value: 2, unit: 'x, at t' });
    const failed = compareToBest([run('expected-latency', null), run('random', 1)]);
    expect(comparatorClaims('x', failed)[0]).toMatchObject({ value: 1000 });
  });

  it('compares with single policies over the scenarios that they survive', () => {
    expect(againstEach(runs)).toEqual([
      { policy: 'expected-latency', ratio: 1 },
      { policy: 'oracle', ratio: 0.8 },
      { policy: 'least-request', ratio: 2 },
      { policy: 'random', ratio: Number(Math.sqrt(4 * 0.5).toFixed(3)) },
    ]);
  });
});

describe('policyTable', () => {
  it('has policies as rows and scenarios as columns, without those that did not run', () => {
    const arms = ['a', 'b', 'c'].map((label) => ({ label, policy: 'random' as const }));
    const runs = [run('a', 1000), run('b', 2000), run('a', 500, 1, 't')];
    const scenarios = [
      ['s', 'S'],
      ['t', 'T'],
      ['u', 'U'],
    ] as const;
    expect(policyTable(runs, arms, scenarios, [TTFT_P99_S, TTFT_P99_S])).toBe(
      '| policy | S | T |\n|---|---|---|\n| a | 1 / 1 | 0.5 / 0.5 |\n| b | 2 / 2 | - |',
    );
  });
});
