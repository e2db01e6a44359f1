import { describe, expect, it } from '@jest/globals';
import { PROFILES } from '@sluice/engine-model';
import { seededRng } from '@sluice/numerics';
import type { SimulatedRequest, TwinOptions, TwinResult } from '../api.ts';
import { bareEngine } from '../engines/bare-engine.ts';
import { summarize } from '../results/summary.ts';
import { runTwin } from '../twin.ts';

const ENGINE = { profile: bareEngine(PROFILES['qwen3-32b-tp2-h100']), kvTokens: 40_960 };
const LASTS_MS = 60_000;

/** Unique prompts of some 1,500 tokens that write some 150, at a Poisson rate. */
function load(qps: number, seed: number, rest: Partial<SimulatedRequest> = {}): SimulatedRequest[] {
  const rng = seededRng(seed);
  const requests: SimulatedRequest[] = [];
  for (let atMs = 0; atMs < LASTS_MS; atMs += (-Math.log(1 - rng()) * 1000) / qps) {
    const promptTokens = 1000 + Math.floor(rng() * 1000);
    const outputTokens = 100 + Math.floor(rng() * 100);
    requests.push({ arrivalMs: atMs, blocks: [], blockTokens: 16, promptTokens, outputTokens, session: null, ...rest });
  }
  return requests;
}

function run(requests: readonly SimulatedRequest[], flowControl?: TwinOptions['flowControl'], rest = {}): TwinResult {
  const engines = [ENGINE, ENGINE];
  return runTwin({
    requests,
    engines,
    policy: 'expected-latency',
    seed: 1,
    keepRecords: true,
    ...(flowControl && { flowControl }),
    ...rest,
  });
}

/** 99th percentile of the TTFT of some of the requests, those that failed as infinitely late; null: infinite. */
function p99(requests: readonly SimulatedRequest[], result: TwinResult, some: (it: SimulatedRequest) => boolean) {
  const ttftMs = [...result.records!.ttftMs].filter((_, index) => some(requests[index]!));
  return summarize(ttftMs).p99;
}
const together = (...loads: readonly SimulatedRequest[][]): SimulatedRequest[] =>
  loads.flat().sort((a, b) => a.arrivalMs - b.arrivalMs);

describe('flow control in the twin', () => {
  it('keeps a tenant near its solo run while another floods ten to one', () => {
    const quiet = load(2, 1, { tenant: 'quiet' });
    const both = together(quiet, load(20, 2, { tenant: 'flood' }));
    const isQuiet = ({ tenant }: SimulatedRequest): boolean => tenant === 'quiet';
    const alone = p99(quiet, run(quiet), isQuiet)!;
    const without = p99(both, run(both), isQuiet)!;
    const protectedRun = run(both, {});
    const beside = p99(both, protectedRun, isQuiet)!;
    expect(without).toBeGreaterThan(20 * alone);
    expect(beside).toBeLessThan(3 * alone);
    expect(p99(both, protectedRun, (it) => !isQuiet(it))).toBeGreaterThan(20 * alone);
  });

  it('gives workers of its own to a tenant beside a flood, and the flood all of them once it is gone', () => {
    const engines = [ENGINE, ENGINE, ENGINE, ENGINE];
    // the flood goes on for twice as long
    const quiet = load(2, 8, { tenant: 'quiet' });
    const flood = load(50, 9, { tenant: 'flood' }).map((it) => ({ ...it, arrivalMs: 2 * it.arrivalMs }));
    const both = together(quiet, flood);
    const isQuiet = ({ tenant, arrivalMs }: SimulatedRequest): boolean => tenant === 'quiet' && arrivalMs > 20_000;
    const alone = p99(quiet, run(quiet, {}, { engines }), isQuiet)!;
    const { records, failed } = run(both, { maxRequests: 10_000 }, { engines });
    const besideMs = both.flatMap((it, index) => (isQuiet(it) ? [records!.ttftMs[index]!] : []));
    expect(failed).toBe(0);
    expect(summarize(besideMs).p99! / alone).toBeLessThan(1.2);
    const floodAlone = run(flood, { maxRequests: 10_000 }, { engines }).records!;
    const endedIn = (of: typeof floodAlone, all: readonly SimulatedRequest[], fromMs: number, toMs: number): number =>
      all.filter((it, index) => it.tenant === 'flood' && of.endMs[index]! > fromMs && of.endMs[index]! <= toMs).length;
    const share = (fromMs: number, toMs: number): number =>
      endedIn(records!, both, fromMs, toMs) / endedIn(floodAlone, flood, fromMs, toMs);
    expect(share(20_000, 60_000)).toBeGreaterThan(0.4);
    expect(share(100_000, 120_000)).toBeGreaterThan(0.9);
  });

  it('keeps urgent requests fast at twice the capacity, and sheds only others', () => {
    const urgent = load(4, 3, { priority: 1 });
    const all = together(urgent, load(18, 4, { priority: -1 }));
    const isUrgent = ({ priority }: SimulatedRequest): boolean => priority === 1;
    const alone = p99(urgent, run(urgent), isUrgent)!;
    const crowded = run(all, { maxRequests: 100 });
    expect(p99(all, crowded, isUrgent)).toBeLessThan(3 * alone);
    expect(crowded.shed).toBeGreaterThan(50);
    expect(crowded.failed).toBe(crowded.shed);
    all.forEach((request, index) => {
      if (isUrgent(request)) expect(crowded.records!.endMs[index]).toBeLessThan(Infinity);
    });
  });

  it('by holding for memory spares engines their preemptions', () => {
    const requests = load(11, 5).map((request) => ({ ...request, outputTokens: 4 * request.outputTokens }));
    const off = run(requests);
    const on = run(requests, { maxRequests: 100_000, overcommitShare: 0 });
    expect(off.preemptions).toBeGreaterThan(20);
    expect(on.preemptions).toBeLessThan(0.7 * off.preemptions);
    expect([on.failed, on.shed, off.failed]).toEqual([0, 0, 0]);
    expect(on.ttftMs.mean!).toBeLessThan(1.05 * off.ttftMs.mean!);
  });

  it('lets every request end in one way when engines die, routers are several and deadlines pass', () => {
    const requests = together(
      load(8, 6, { tenant: 'a', deadlineMs: 4000 }),
      load(8, 7, { tenant: 'b', priority: 1, ttftSloMs: 3000 }),
    );
    const failures = [
      { atMs: 20_000, engine: 0, kind: 'kill' as const },
      { atMs: 30_000, engine: 0, kind: 'return' as const },
    ];
    const rest = { failures, routers: { count: 2, shared: 'ledgers' as const } };
    const result = run(requests, {}, rest);
    const ended = [...result.records!.endMs].filter((endMs) => endMs < Infinity).length;
    expect(ended + result.failed).toBe(requests.length);
    expect(result.shed).toBeGreaterThan(0);
    expect(result.shed).toBeLessThanOrEqual(result.failed);
    expect(run(requests, {}, rest)).toEqual(result);
  });
});
