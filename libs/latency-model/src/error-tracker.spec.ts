import { describe, expect, it } from '@jest/globals';
import { normal, seededRng } from '@sluice/numerics';
import { ErrorTracker } from './error-tracker.ts';
import type { Judgement } from './error-tracker.ts';
import { regimeOf } from './regime.ts';
import type { Regime } from './regime.ts';

describe('regimeOf', () => {
  const load = { queuedPrefillTokens: 0, decodesRunning: 0, decodeContextTokens: 0, inflightRequests: 0 };

  it('names what a request meets, the worst first', () => {
    expect(regimeOf(load)).toBe('idle');
    expect(regimeOf({ ...load, decodesRunning: 1 })).toBe('loaded');
    expect(regimeOf({ ...load, decodesRunning: 1, queuedPrefillTokens: 1 })).toBe('queued');
    expect(regimeOf({ ...load, queuedPrefillTokens: 1, kvForecast: 0.94 })).toBe('queued');
    expect(regimeOf({ ...load, kvForecast: 0.95 })).toBe('full');
  });
});

/** Predicted by the constants of now, and nobody knows when. */
const judgement = (regime: Regime, modelMs: number, measuredMs: number): Judgement => ({
  regime,
  predictedMs: modelMs,
  modelMs,
  measuredMs,
  sentMs: null,
  endedMs: null,
});

describe('ErrorTracker', () => {
  /** Log residuals of each regime: mean and deviation. */
  const SHAPES: Record<Regime, readonly [number, number]> = {
    idle: [0, 0.05],
    loaded: [0, 0.2],
    queued: [0.4, 0.2],
    full: [0.8, 0.6],
  };

  it('covers 90 % in every regime by itself, and corrects the ones that are off, judged before it learns', () => {
    const rng = seededRng(3);
    const tracker = new ErrorTracker();
    const counts = { idle: [0, 0], loaded: [0, 0], queued: [0, 0], full: [0, 0] };
    const regimes = Object.keys(SHAPES) as Regime[];
    for (let i = 0; i < 16_000; i++) {
      const regime = regimes[Math.floor(4 * rng())]!;
      const [mean, deviation] = SHAPES[regime];
      const measuredMs = 100 * Math.exp(mean + deviation * normal(rng));
      if (i > 4000) {
        counts[regime][0]!++;
        if (measuredMs <= 100 * tracker.factors(regime).tailFactor) counts[regime][1]!++;
      }
      tracker.observe(judgement(regime, 100, measuredMs));
    }
    for (const regime of regimes) {
      const [all, covered] = counts[regime];
      expect(Math.abs(covered! / all! - 0.9)).toBeLessThan(0.03);
    }
    expect(tracker.factors('idle').factor).toBe(1);
    expect(Math.abs(Math.log(tracker.factors('queued').factor) - 0.4)).toBeLessThan(0.1);
  });

  it('corrects to the least relative error, and gives a correction up that no longer wins', () => {
    const tracker = new ErrorTracker();
    for (let i = 0; i < 900; i++) tracker.observe(judgement('queued', 100, i % 3 === 0 ? 100 : 300));
    // 300 twice as often as 100: 300 would be off by 200 % in every third, 100 by 67 % in the others
    expect(tracker.factors('queued').factor).toBe(1);
    for (let i = 0; i < 900; i++) tracker.observe(judgement('queued', 100, i % 3 === 0 ? 180 : 200));
    expect(tracker.factors('queued').factor).toBeCloseTo(2, 0);
    for (let i = 0; i < 300; i++) tracker.observe(judgement('queued', 100, 100));
    expect(tracker.factors('queued').factor).toBe(1);
  });

  it('counts a correction little while samples are few: they were all sent into the same lull or burst', () => {
    const tracker = new ErrorTracker();
    const corrections = [20, 100, 900].map((count) => {
      while (tracker.errors().samples < count) tracker.observe(judgement('loaded', 100, 130));
      return Math.log(tracker.factors('loaded').factor) / Math.log(1.3);
    });
    expect(corrections.map((share) => share.toFixed(1))).toEqual(['0.3', '0.7', '0.9']);
  });

  it('judges what was said, by the tail that was in force then', () => {
    const tracker = new ErrorTracker();
    const said = { regime: 'loaded', modelMs: 100, measuredMs: 140 } as const;
    // the tail of the start, 1.5 times
    tracker.observe({ ...said, predictedMs: 100, sentMs: 0, endedMs: 1000 });
    expect(tracker.errors()).toMatchObject({ mape: expect.closeTo(1 - 100 / 140), coverage: 1 });
    tracker.observe({ ...said, predictedMs: 90, sentMs: 0, endedMs: 2000 });
    expect(tracker.errors().coverage).toBeCloseTo(0.5, 1);
  });

  it('takes no residual of a prediction that would not be made any more', () => {
    const tracker = new ErrorTracker();
    for (let i = 0; i < 200; i++) tracker.observe({ ...judgement('loaded', 100, 110), predictedMs: 50 });
    expect(tracker.factors('loaded').factor).toBeLessThan(1.1);
    expect(tracker.factors('loaded').tailFactor).toBeLessThan(1.3);
    // but it was wrong, and its tail was
    expect(tracker.errors().mape).toBeGreaterThan(0.4);
    expect(tracker.errors().coverage).toBeLessThan(0.1);
  });

  it('goes on from its stored state, and starts over without losing the errors made', () => {
    const tracker = new ErrorTracker();
    for (let i = 0; i < 100; i++) tracker.observe(judgement('loaded', 100, 130));
    const copy = new ErrorTracker();
    copy.restore(JSON.parse(JSON.stringify(tracker.toState())) as ReturnType<ErrorTracker['toState']>);
    expect(copy.toState()).toEqual(tracker.toState());
    const { samples, mape } = tracker.errors();
    tracker.restartTail();
    expect(tracker.factors('loaded')).toEqual({ factor: 1, tailFactor: expect.closeTo(1.5) });
    expect(tracker.errors()).toMatchObject({ samples, mape });
  });
});
