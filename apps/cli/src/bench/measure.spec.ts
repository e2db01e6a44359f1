import { describe, expect, it } from '@jest/globals';
import { seededRng } from '@sluice/numerics';
import { distribution, measure } from './measure.ts';
import type { Sample } from './run-load.ts';

const sample = (dueMs: number, rest: Partial<Sample> = {}): Sample => ({
  dueMs,
  outputTokens: 11,
  sentMs: dueMs + 1,
  firstMs: dueMs + 100,
  lastMs: dueMs + 200,
  endMs: dueMs + 201,
  failure: null,
  usage: { prompt_tokens: 50, completion_tokens: 11, prompt_tokens_details: { cached_tokens: 32 } },
  worker: 'w1',
  ...rest,
});
const LOAD = { requests: [], warmUpMs: 1000, measuredMs: 10_000, name: 'x' };
const SLO = { ttftMs: 150, tpotMs: 20 };
const run = (samples: Sample[], rest: object = {}) =>
  measure({ samples, loopDelayMs: { p99: 5, max: 9 }, stopped: false, ...rest }, LOAD, SLO);

describe('measure', () => {
  it('counts from when a request was due, leaves the warm-up out, and judges by both limits', () => {
    const measured = run([
      sample(500),
      sample(1000),
      sample(2000, { sentMs: 2060, firstMs: 2160, lastMs: 2260 }),
      sample(3000, { lastMs: 3900, worker: 'w2' }),
    ]);
    expect(measured.requests).toEqual({ sent: 3, completed: 3, failed: 0 });
    expect(measured.ttftMs).toMatchObject({ p50: 100, max: 160 });
    expect(measured.tpotMs).toMatchObject({ p50: 10, max: 80 });
    expect(measured.e2eMs!.max).toBe(900);
    expect([measured.goodputPerS, measured.goodShare]).toEqual([0.1, 1 / 3]);
    expect([measured.requestsPerS, measured.outputTokensPerS]).toEqual([0.3, 3.3]);
    expect([measured.promptTokens, measured.cachedTokens, measured.workers]).toEqual([150, 96, { w1: 2, w2: 1 }]);
    expect(measured.client.latenessMs!.max).toBe(60);
    expect(measured.client.behind).toBe(true);
  });

  it('counts failures by reason, as not good, and an answer without usage among them', () => {
    const measured = run([
      sample(1000),
      sample(2000, { failure: '429: overloaded', firstMs: null, lastMs: null, usage: null }),
      sample(3000, { failure: '429: overloaded', firstMs: null, lastMs: null, usage: null }),
      sample(4000, { usage: null }),
    ]);
    expect(measured.requests).toEqual({ sent: 4, completed: 1, failed: 3 });
    expect(measured.failures).toEqual({ '429: overloaded': 2, 'answer without usage': 1 });
    expect(measured.goodShare).toBe(0.25);
  });

  it('has no cached tokens where nobody tells them, and no TPOT of one token', () => {
    const usage = { prompt_tokens: 50, completion_tokens: 1 };
    const measured = run([sample(1000, { usage })]);
    expect([measured.cachedTokens, measured.tpotMs, measured.goodShare]).toEqual([null, null, 1]);
    expect(run([]).ttftMs).toBeNull();
  });

  it('knows a client that is behind by its event loop', () => {
    expect(run([sample(1000)]).client.behind).toBe(false);
    expect(run([sample(1000)], { loopDelayMs: { p99: 150, max: 150 } }).client.behind).toBe(true);
  });

  it('measures a run that was stopped up to where it came', () => {
    expect(run([sample(1000), sample(6000)], { stopped: true }).measuredS).toBe(5);
  });
});

describe('distribution', () => {
  it('is the nearest rank of a plain sort', () => {
    const rng = seededRng(7);
    for (let size = 1; size < 300; size += 13) {
      const values = Array.from({ length: size }, () => rng() * 1000);
      const sorted = [...values].sort((a, b) => a - b);
      const naive = (percent: number): number => {
        const rank = sorted.findIndex((_, i) => 100 * (i + 1) >= percent * size);
        return sorted[rank]!;
      };
      const { p50, p90, p95, p99, max } = distribution(values)!;
      expect([p50, p90, p95, p99, max]).toEqual([50, 90, 95, 99, 100].map(naive));
    }
  });
});
