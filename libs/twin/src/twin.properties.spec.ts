import { describe, expect, it } from '@jest/globals';
import { PROFILES } from '@sluice/engine-model';
import { POLICY_IDS, SIMULATED_POLICY_IDS } from '@sluice/routing';
import fc from 'fast-check';
import type { FleetChange, SimulatedRequest, TwinOptions } from './api.ts';
import { runTwin } from './twin.ts';

const profile = PROFILES['llama-3.1-8b-h100'];
const KV_TOKENS = 2048;

const shape = fc.record({
  gapMs: fc.integer({ min: 0, max: 60 }),
  // few ids, so that prefixes are shared
  blocks: fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 6 }),
  promptTokens: fc.integer({ min: 1, max: 600 }),
  // some exceed the KV cache
  outputTokens: fc.oneof(
    { weight: 9, arbitrary: fc.integer({ min: 1, max: 40 }) },
    { weight: 1, arbitrary: fc.constant(KV_TOKENS) },
  ),
  session: fc.option(fc.nat(4)),
});

const requestsOf = fc.array(shape, { minLength: 1, maxLength: 24 }).map((shapes) => {
  let arrivalMs = 0;
  return shapes.map(({ gapMs, ...rest }): SimulatedRequest => {
    arrivalMs += gapMs;
    return { arrivalMs, blockTokens: 100, ...rest };
  });
});

const options: fc.Arbitrary<TwinOptions> = fc.record({
  requests: requestsOf,
  engines: fc.array(
    fc.record({ profile: fc.constant(profile), kvTokens: fc.constant(KV_TOKENS), slowdown: fc.constantFrom(1, 2.5) }),
    { minLength: 1, maxLength: 3 },
  ),
  policy: fc.constantFrom(...POLICY_IDS),
  seed: fc.nat(100),
  eventLagMs: fc.constantFrom(0, 10, 2000),
  pollMs: fc.constantFrom(50, 1000),
  latency: fc.constantFrom('exact' as const, 'learned' as const),
});

const check = (name: string, property: (given: TwinOptions) => void, of = options): void =>
  it(name, () => fc.assert(fc.property(of, property), { seed: 20261123, numRuns: 25 }));

/** Everything at once: engines that die, return and join, routers that see little, jitter, and all that can be watched. */
const eventful: fc.Arbitrary<TwinOptions> = fc
  .record({
    given: options,
    downMs: fc.array(fc.tuple(fc.integer({ min: 0, max: 400 }), fc.integer({ min: 1, max: 400 })), { maxLength: 3 }),
    joinsMs: fc.integer({ min: 0, max: 300 }),
    routers: fc.record({
      count: fc.integer({ min: 1, max: 3 }),
      shared: fc.constantFrom('none' as const, 'ledgers' as const),
      shareLagMs: fc.constantFrom(0, 5, 500),
    }),
    lostEventShare: fc.constantFrom(0, 0.2, 1),
    resyncMs: fc.constantFrom(0, 300),
    jitter: fc.record({ sigma: fc.constantFrom(0, 0.3) }),
    failureDetectMs: fc.constantFrom(0, 100),
    policy: fc.constantFrom(...SIMULATED_POLICY_IDS),
  })
  .map(({ given, downMs, joinsMs, ...rest }) => {
    // engine k is down once, the last one joins late
    const failures = downMs.slice(0, given.engines.length).flatMap(([atMs, forMs], engine): FleetChange[] => [
      { atMs: 300 + atMs, engine, kind: 'kill' },
      { atMs: 300 + atMs + forMs, engine, kind: 'return' },
    ]);
    failures.sort((a, b) => a.atMs - b.atMs);
    const engines = given.engines.map((engine, row) =>
      row > 0 && row === given.engines.length - 1 ? { ...engine, joinsMs } : engine,
    );
    return { ...given, ...rest, engines, failures, keepRecords: true, sampleMs: 20 };
  });

/** One block of the cache is a placeholder. */
const fits = ({ promptTokens, outputTokens }: SimulatedRequest): boolean =>
  promptTokens + outputTokens <= KV_TOKENS - profile.blockSize;

describe('any run', () => {
  check('gives the same bytes for the same options', (given) => {
    expect(JSON.stringify(runTwin(given))).toBe(JSON.stringify(runTwin(given)));
  });

  check(
    'gives the same bytes for the same options when much happens',
    (given) => {
      const decisions: number[][] = [[], []];
      const bytes = decisions.map((seen) =>
        JSON.stringify(runTwin({ ...given, onDecision: (...decision) => seen.push(...decision) })),
      );
      expect(bytes[0]).toBe(bytes[1]);
      expect(decisions[0]).toEqual(decisions[1]);
    },
    eventful,
  );

  check(
    'ends every request, after one attempt or up to three, whatever happens',
    (given) => {
      const attempts = new Uint8Array(given.requests.length);
      const { requests, failed, records, imbalance } = runTwin({ ...given, onDecision: (index) => attempts[index]!++ });
      expect(requests).toBe(given.requests.length);
      expect(failed).toBe(records!.endMs.filter((endMs) => endMs === Infinity).length);
      expect(Math.max(...attempts)).toBeLessThanOrEqual(3);
      records!.engine.forEach((row, index) => expect(attempts[index] === 0).toBe(row === -1));
      const { firstTokenMs, endMs, arrivalMs } = records!;
      firstTokenMs.forEach((atMs, index) => {
        expect(atMs).toBeGreaterThan(arrivalMs[index]!);
        expect(endMs[index]).toBeGreaterThanOrEqual(atMs);
      });
      expect(imbalance).toBeLessThanOrEqual(given.engines.length + 1e-9);
    },
    eventful,
  );

  check(
    'fails nothing that fits for what routers do not know',
    (given) => {
      const engines = given.engines.map((engine) => ({ ...engine, joinsMs: 0 }));
      const { failed, capturedReuse } = runTwin({ ...given, engines, failures: [] });
      expect(failed).toBe(given.requests.filter((request) => !fits(request)).length);
      if (capturedReuse !== null) expect(capturedReuse).toBeGreaterThanOrEqual(0);
    },
    eventful,
  );

  check('ends every request: those that fit complete, the others fail', (given) => {
    const result = runTwin(given);
    expect(result.requests).toBe(given.requests.length);
    expect(result.failed).toBe(given.requests.filter((request) => !fits(request)).length);
  });

  check('conserves tokens, whatever the policy', (given) => {
    const wanted = given.requests.filter(fits).reduce((sum, { outputTokens }) => sum + outputTokens, 0);
    for (const policy of POLICY_IDS) {
      const { requests, outputTokensPerS, virtualMs, failed, cachedTokenShare } = runTwin({ ...given, policy });
      // without failures the last end is the end of what was measured
      if (failed === 0) expect((outputTokensPerS * virtualMs) / 1000).toBeCloseTo(wanted, 6);
      expect(requests).toBe(given.requests.length);
      expect(cachedTokenShare).toBeLessThan(1);
    }
  });

  check('is never faster than the API and one step', (given) => {
    const alone = given.requests.filter(fits).slice(0, 1);
    const { ttftMs, tpotMs, e2eMs } = runTwin({ ...given, requests: given.requests.filter(fits) });
    if (alone.length === 0) return;
    const { apiBaseMs, t0Ms, twMs } = profile.step;
    expect(ttftMs.p50!).toBeGreaterThan(apiBaseMs + t0Ms + twMs);
    expect(e2eMs.p50!).toBeGreaterThanOrEqual(ttftMs.p50!);
    if (tpotMs.p50 !== null) expect(tpotMs.p50).toBeGreaterThanOrEqual(t0Ms + twMs);
  });

  check('keeps its bounds', (given) => {
    const { imbalance, engineSteps, virtualMs, failed, requests, ttftMs } = runTwin(given);
    if (failed < requests) {
      expect(imbalance).toBeGreaterThanOrEqual(1 - 1e-9);
      expect(engineSteps).toBeGreaterThan(0);
    }
    expect(imbalance).toBeLessThanOrEqual(given.engines.length + 1e-9);
    expect(virtualMs).toBeGreaterThanOrEqual(given.requests.at(-1)!.arrivalMs);
    if (ttftMs.p999 !== null) expect(ttftMs.p999).toBeGreaterThanOrEqual(ttftMs.p50!);
  });
});
