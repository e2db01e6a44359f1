import { describe, expect, it } from '@jest/globals';
import { PROFILES } from '@sluice/engine-model';
import { bareEngine } from '@sluice/twin';
import { accuracyByRegime, accuracyOf, replay, secondsUntilBack } from './prediction-replay.ts';
import type { Judged, Sample } from './prediction-replay.ts';

const judged = (sentMs: number, error: number): Judged => ({
  sentMs,
  regime: 'loaded',
  ttftError: error,
  ttftCovered: error < 0.5,
  tpotError: error,
  tpotCovered: true,
  tpotHindsightError: null,
});

describe('secondsUntilBack', () => {
  it('is where three good windows in a row begin', () => {
    const errors = [0.5, 0.1, 0.5, 0.1, 0.1, 0.1, 0.5];
    const run = errors.map((error, window) => judged(1000 + 10_000 * window, error));
    expect(secondsUntilBack(run, 0, 15)).toBe(30);
    expect(secondsUntilBack(run, 0, 5)).toBeNull();
    expect(secondsUntilBack(run, 0, 60)).toBe(0);
  });
});

describe('accuracyOf', () => {
  it('is in percent, and says nothing where there is nothing', () => {
    const run = [judged(0, 0.1), judged(1, 0.7), { ...judged(2, 0.1), tpotError: null }];
    const { requests, ttftMape, ttftCoverage, tpotMape, tpotHindsightMape } = accuracyOf(run);
    expect(requests).toBe(3);
    expect(ttftMape).toBeCloseTo(30);
    expect(ttftCoverage).toBeCloseTo(200 / 3);
    expect(tpotMape).toBeCloseTo(40);
    expect(tpotHindsightMape).toBeNull();
    expect(accuracyByRegime(run).map(([regime]) => regime)).toEqual(['loaded']);
  });
});

describe('replay', () => {
  const engine = { profile: bareEngine(PROFILES['qwen3-32b-tp2-h100']) };
  /** Requests on an idle engine that takes twice as long as its profile says. */
  const samples = Array.from({ length: 200 }, (_, i): Sample => {
    const { t0Ms, twMs, aMsPerToken, kAttMs } = engine.profile.step;
    const promptTokens = 1000 + 20 * i;
    const ttftMs = 2 * (t0Ms + Math.max(twMs, aMsPerToken * promptTokens) + (kAttMs * promptTokens ** 2) / 2);
    const tpotMs = 2 * (t0Ms + twMs);
    const outcome = {
      worker: 'engine-0',
      streamed: true,
      result: 'completed' as const,
      promptTokens,
      outputTokens: 101,
      predictedCachedTokens: 0,
      cachedTokens: 0,
      ttftMs,
      tpotMs,
      e2eMs: ttftMs + 100 * tpotMs,
      load: { queuedPrefillTokens: 0, decodesRunning: 0, decodeContextTokens: 0, inflightRequests: 0 },
    };
    return { row: 0, outcome, sentMs: 10_000 * i, endMs: 10_000 * i + ttftMs + 100 * tpotMs };
  });

  it('predicts with what had ended by then, and no more', () => {
    const run = replay(samples, [engine]);
    expect(run).toHaveLength(200);
    expect(run[0]!.ttftError).toBeCloseTo(0.5, 1);
    expect(accuracyOf(run.slice(100)).ttftMape).toBeLessThan(3);
    // all at once: nothing has ended when they are sent
    const together = samples.map((sample) => ({ ...sample, sentMs: 0 }));
    expect(accuracyOf(replay(together, [engine])).ttftMape).toBeGreaterThan(45);
  });
});
