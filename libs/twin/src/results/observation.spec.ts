import { describe, expect, it } from '@jest/globals';
import { PROFILES } from '@sluice/engine-model';
import type { PolicyId } from '@sluice/routing';
import type { TwinOptions } from '../api.ts';
import { summarize } from './summary.ts';
import { ENGINE, engines, request, sharing } from '../testing/requests.ts';
import { runTwin } from '../twin.ts';

const requests = Array.from({ length: 80 }, (_, i) =>
  request(40 * i, 200 + 10 * (i % 7), 1 + 37 * (i % 5), { blocks: [i % 3], blockTokens: 160, session: i % 4 }),
);
const run = (options: Partial<TwinOptions>) =>
  runTwin({ requests, engines: engines(3), policy: 'expected-latency', seed: 1, ...options });

describe('records', () => {
  it('are what the result sums up', () => {
    const { records, ...result } = run({ keepRecords: true, warmUpMs: 400 });
    const measured = (values: Float64Array): number[] => [...values.subarray(10)];
    expect(summarize(measured(records!.ttftMs))).toEqual(result.ttftMs);
    expect(summarize(measured(records!.e2eMs))).toEqual(result.e2eMs);
    expect(summarize(measured(records!.tpotMs).filter((tpot) => !Number.isNaN(tpot)))).toEqual(result.tpotMs);
    expect([...records!.arrivalMs]).toEqual(requests.map(({ arrivalMs }) => arrivalMs));
    expect(Math.max(...records!.endMs)).toBe(result.virtualMs);
    expect(new Set(records!.engine)).toEqual(new Set([0, 1, 2]));
    expect(result).toEqual(run({ warmUpMs: 400 }));
  });
});

describe('onDecision', () => {
  it('tells where each request goes, when', () => {
    const seen: number[][] = [];
    const { records } = run({ keepRecords: true, routerLagMs: 3, onDecision: (...decision) => seen.push(decision) });
    expect(seen).toEqual(requests.map(({ arrivalMs }, index) => [index, records!.engine[index], arrivalMs + 3]));
  });
});

describe('timelines', () => {
  it('show the engines at regular times until all is over', () => {
    const lone = [request(100, 1000, 50), request(120, 1000, 50)];
    const { timelines, virtualMs } = runTwin({
      requests: lone,
      engines: [{ ...ENGINE, kvTokens: 16 * 201 }, ENGINE],
      policy: 'round-robin',
      seed: 1,
      sampleMs: 50,
    });
    const { timesMs, engines: samples } = timelines!;
    expect(timesMs).toEqual(timesMs.map((_, k) => 50 * k));
    expect(timesMs.at(-1)).toBeGreaterThanOrEqual(virtualMs);
    const [first] = samples;
    expect(first!.running.slice(0, 3)).toEqual([0, 0, 0]);
    expect(first!.running.slice(3, 8)).toEqual([1, 1, 1, 1, 1]);
    expect(Math.max(...first!.kvUsage)).toBeCloseTo(66 / 200, 2);
    expect(samples.map(({ waiting }) => Math.max(...waiting))).toEqual([0, 0]);
  });

  it('say how much of what was scheduled lay in the cache, and nothing where nothing was', () => {
    const repeated = [0, 200, 400].map((atMs) => sharing(1, 640, atMs, 641));
    const { timelines } = runTwin({
      requests: repeated,
      engines: engines(1),
      policy: 'random',
      seed: 1,
      sampleMs: 200,
      failures: [
        { atMs: 650, engine: 0, kind: 'kill' },
        { atMs: 660, engine: 0, kind: 'return' },
      ],
    });
    expect(timelines!.engines[0]!.cachedShare).toEqual([null, 0, 640 / 641, 640 / 641]);
  });

  it('show an engine that is gone as empty', () => {
    const { timelines } = run({ sampleMs: 100, failures: [{ atMs: 1000, engine: 1, kind: 'kill' }] });
    const { running, kvUsage } = timelines!.engines[1]!;
    expect(Math.max(...running.slice(0, 10))).toBeGreaterThan(0);
    expect(Math.max(...running.slice(11), ...kvUsage.slice(11))).toBe(0);
  });

  it('change nothing', () => {
    const { timelines, ...result } = run({ sampleMs: 7 });
    expect(timelines!.timesMs.length).toBeGreaterThan(100);
    expect(result).toEqual(run({}));
  });
});

describe('jitter', () => {
  it('spreads the steps around the same mean, differently for another seed', () => {
    const e2eMs = (sigma: number, seed = 1): number =>
      run({ jitter: { sigma }, policy: 'round-robin', seed }).e2eMs.mean!;
    expect(e2eMs(0)).toBe(run({ policy: 'round-robin' }).e2eMs.mean);
    expect(e2eMs(0.2)).not.toBe(e2eMs(0));
    expect(e2eMs(0.2) / e2eMs(0)).toBeCloseTo(1, 1);
    expect(e2eMs(0.2)).toBe(e2eMs(0.2));
    expect(e2eMs(0.2, 2)).not.toBe(e2eMs(0.2));
  });
});

describe('the oracle', () => {
  it('knows everything as it happens, whatever the routers do not', () => {
    const texts = Array.from({ length: 60 }, (_, i) => sharing(i % 4, 1600, 60 * i));
    const hindered = { eventLagMs: 2000, pollMs: 1000, lostEventShare: 0.5, latency: 'learned' } as const;
    const ofPolicy = (policy: PolicyId, options: Partial<TwinOptions> = {}) =>
      run({ requests: texts, policy, routers: { count: 3, shared: 'none' }, ...options });
    expect(ofPolicy('oracle', hindered)).toEqual(ofPolicy('oracle'));
    expect(ofPolicy('oracle').policy).toBe('oracle');
    expect(ofPolicy('expected-latency', hindered).e2eMs).not.toEqual(ofPolicy('expected-latency').e2eMs);
  });

  it('knows how long outputs will be: long ones do not end up on the engine with little memory', () => {
    const [small, large] = [{ ...ENGINE, kvTokens: 6400 }, ENGINE];
    const mixed = Array.from({ length: 60 }, (_, i) => request(120 * i, 400, i % 4 === 0 ? 2000 : 20));
    const longOnSmall = (policy: 'oracle' | 'expected-latency'): number =>
      run({ requests: mixed, engines: [small, large], policy, keepRecords: true }).records!.engine.filter(
        (row, index) => row === 0 && index % 4 === 0,
      ).length;
    expect(longOnSmall('oracle')).toBeLessThan(longOnSmall('expected-latency'));
  });
});

describe('a pool of unlike engines', () => {
  it('knows the prefixes of each, whatever their profile, memory and block size, and gives the faster one more', () => {
    const slow = PROFILES['qwen3-32b-tp2-h100'];
    const mixed = [ENGINE, { profile: slow }, { ...ENGINE, blockSize: 32 }, { profile: slow, kvTokens: 50_000 }];
    const texts = Array.from({ length: 320 }, (_, i) => sharing(i % 16, 1600, 5 * i));
    const { records, failed, cachedTokenShare } = run({ requests: texts, engines: mixed, keepRecords: true });
    const sent = [0, 0, 0, 0];
    for (const row of records!.engine) sent[row]!++;
    expect(failed).toBe(0);
    expect(cachedTokenShare).toBeGreaterThan(0.8);
    expect(Math.min(...sent)).toBeGreaterThan(0);
    expect(sent[0]! + sent[2]!).toBeGreaterThan(1.2 * (sent[1]! + sent[3]!));
  });

  it('learns each variant by itself, and gives the faster one more', () => {
    const mixed = [
      ENGINE,
      { ...ENGINE, slowdown: 4, variant: 'old' },
      ENGINE,
      { ...ENGINE, slowdown: 4, variant: 'old' },
    ];
    const busy = Array.from({ length: 200 }, (_, i) => request(40 * i, 1500, 30));
    const { records, failed } = run({ requests: busy, engines: mixed, latency: 'learned', keepRecords: true });
    const sent = [0, 0, 0, 0];
    for (const row of records!.engine.subarray(100)) sent[row]!++;
    expect(failed).toBe(0);
    expect(sent[0]! + sent[2]!).toBeGreaterThan(2 * (sent[1]! + sent[3]!));
  });
});
