import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { PROFILES } from '@sluice/engine-model';
import { POLICY_IDS } from '@sluice/routing';
import type { SimulatedRequest, TwinOptions } from './api.ts';
import { bareEngine } from './engines/bare-engine.ts';
import { goldenResults } from './testing/golden.ts';
import { runTwin } from './twin.ts';

const profile = PROFILES['llama-3.1-8b-h100'];
const request = (arrivalMs: number, promptTokens: number, outputTokens: number): SimulatedRequest => ({
  arrivalMs,
  blocks: [],
  blockTokens: 16,
  promptTokens,
  outputTokens,
  session: null,
});
const base = { engines: [{ profile }], policy: 'round-robin', seed: 1 } as const;

describe('runTwin', () => {
  it('gives the golden results', () => {
    const golden = JSON.parse(readFileSync(new URL('../testdata/golden.json', import.meta.url), 'utf8')) as unknown;
    expect(goldenResults()).toEqual(golden);
  });

  it('takes the API time and one prefill step for a lone request, and a decode step for each further token', () => {
    const { ttftMs, e2eMs, tpotMs, virtualMs } = runTwin({ ...base, requests: [request(5, 100, 3)] });
    const { t0Ms, twMs, kAttMs, kKvMs, kSeqMs, apiBaseMs, apiPerTokenMs } = profile.step;
    const api = apiBaseMs + 100 * apiPerTokenMs;
    const prefill = t0Ms + twMs + kAttMs * 100 * 50 + kSeqMs;
    const decode = t0Ms + twMs + kKvMs * 100.5 + kSeqMs;
    expect(ttftMs.p50).toBeCloseTo(api + prefill, 9);
    expect(tpotMs.mean).toBeCloseTo(decode, 9);
    expect(e2eMs.p999).toBeCloseTo(api + prefill + 2 * decode, 9);
    expect(virtualMs).toBeCloseTo(5 + api + prefill + 2 * decode, 9);
  });

  it('delays the dispatch by the router lag, and leaves the API out of a bare engine', () => {
    const requests = [request(0, 100, 3)];
    const plain = runTwin({ ...base, requests });
    const lagging = runTwin({ ...base, requests, routerLagMs: 7 });
    const bare = runTwin({ ...base, requests, engines: [{ profile: bareEngine(profile) }] });
    expect(lagging.ttftMs.mean! - plain.ttftMs.mean!).toBeCloseTo(7, 9);
    expect(plain.ttftMs.mean! - bare.ttftMs.mean!).toBeCloseTo(15 + 100 * 0.012, 9);
  });

  it('counts what can never fit as failed and infinitely late', () => {
    const requests = [request(0, 4500, 3), request(60, 100, 3)];
    const result = runTwin({
      ...base,
      requests,
      engines: [{ profile, kvTokens: 4096 }],
      slo: { ttftMs: 1e6, tpotMs: 1e6 },
    });
    expect(result).toMatchObject({ requests: 2, failed: 1 });
    expect(result.ttftMs.p50).not.toBeNull();
    expect(result.ttftMs).toMatchObject({ mean: null, p99: null });
    expect(result.tpotMs.p99).toBeNull();
    const spanS = result.virtualMs / 1000;
    expect(result.outputTokensPerS).toBeCloseTo(3 / spanS, 6);
    expect(result.goodput).toBeCloseTo(1 / spanS, 6);
  });

  it('measures only what arrives after the warm-up', () => {
    const requests = [request(0, 100, 3), request(1000, 100, 3)];
    const result = runTwin({ ...base, requests, warmUpMs: 500 });
    expect(result.requests).toBe(1);
    expect(result.outputTokensPerS).toBeCloseTo(3000 / (result.virtualMs - 500), 6);
  });

  it('finds shared blocks in the cache, and follows them with a policy that knows the prefix', () => {
    const requests = Array.from({ length: 40 }, (_, i) => ({
      ...request(i * 400, 2048, 4),
      blocks: [0, 1, 2].map((block) => (i % 4) * 3 + block),
      blockTokens: 512,
    }));
    // one group a worker would also be round robin's luck: three workers for four groups
    const engines = Array.from({ length: 3 }, () => ({ profile }));
    const shares = (['round-robin', 'expected-latency'] as const).map(
      (policy) => runTwin({ ...base, requests, engines, policy }).cachedTokenShare,
    );
    expect(shares[1]).toBeCloseTo((36 * 1536) / (40 * 2048), 6);
    expect(shares[0]).toBeCloseTo((28 * 1536) / (40 * 2048), 6);
  });

  it('sends a slow engine less when its speed is known, and when it is learned', () => {
    const requests = Array.from({ length: 150 }, (_, i) => request(i * 60, 1000, 20));
    const engines = [{ profile }, { profile, slowdown: 3 }];
    const run = (options: Partial<TwinOptions>) => runTwin({ ...base, requests, engines, ...options }).imbalance;
    expect(run({ policy: 'round-robin' })).toBeCloseTo(1, 2);
    expect(run({ policy: 'expected-latency' })).toBeGreaterThan(1.2);
    expect(run({ policy: 'expected-latency', latency: 'learned' })).toBeGreaterThan(1.2);
  });

  it.each(['round-robin', 'random', 'least-request', 'p2c', 'session-hash'] as const)(
    'decides the same under %s with the index kept as without it',
    (policy) => {
      const requests = Array.from({ length: 60 }, (_, i) => ({
        ...request(i * 15, 600, 30),
        blocks: [i % 3],
        blockTokens: 512,
        session: i % 7,
      }));
      const engines = [{ profile }, { profile, slowdown: 2 }, { profile }];
      // learning needs the index; these policies do not look at what is learned
      const kept = runTwin({ ...base, requests, engines, policy, latency: 'learned' });
      expect(kept).toEqual(runTwin({ ...base, requests, engines, policy }));
    },
  );

  it('knows what an engine holds once its events have arrived, and not before', () => {
    const requests = Array.from({ length: 40 }, (_, i) => ({
      ...request(i * 600, 1600, 4),
      blocks: [0],
      blockTokens: 1600,
    }));
    const engines = Array.from({ length: 8 }, () => ({ profile }));
    const share = (eventLagMs: number) =>
      runTwin({ ...base, requests, engines, policy: 'token-load', eventLagMs }).cachedTokenShare;
    // all but the first, and but for the last block, which is always computed
    expect(share(10)).toBeCloseTo((39 * 1584) / (40 * 1600), 6);
    expect(share(1e6)).toBeLessThan(share(10) - 0.05);
  });

  it('reports progress up to the last request', () => {
    const seen: number[] = [];
    const requests = Array.from({ length: 250 }, (_, i) => request(i, 50, 2));
    runTwin({ ...base, requests, onProgress: (done, total) => seen.push(done / total) });
    expect(seen.length).toBeGreaterThanOrEqual(100);
    expect(seen.at(-1)).toBe(1);
  });

  it.each(POLICY_IDS)('runs %s', (policy) => {
    const requests = Array.from({ length: 30 }, (_, i) => ({ ...request(i * 20, 300, 20), session: i % 5 }));
    const engines = Array.from({ length: 3 }, () => ({ profile }));
    expect(runTwin({ ...base, requests, engines, policy })).toMatchObject({ policy, requests: 30, failed: 0 });
  });

  it('refuses what it cannot run', () => {
    const requests = [request(10, 100, 3), request(5, 100, 3)];
    expect(() => runTwin({ ...base, requests })).toThrow(RangeError);
    expect(() => runTwin({ ...base, requests: [], engines: [] })).toThrow('at least one engine');
    expect(() => runTwin({ ...base, requests: [], pollMs: 0 })).toThrow('pollMs');
    const policyOptions = { expectedLatency: { memoryPrice: -1 } };
    expect(() => runTwin({ ...base, requests: [], policyOptions })).toThrow('memoryPrice');
  });

  it('has an empty result without requests', () => {
    const result = runTwin({ ...base, requests: [] });
    expect(result).toMatchObject({ requests: 0, failed: 0, engineSteps: 0, outputTokensPerS: 0, virtualMs: 0 });
    expect(result.ttftMs).toEqual({ mean: null, p50: null, p90: null, p99: null, p999: null });
  });
});
