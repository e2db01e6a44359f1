import { describe, expect, it } from '@jest/globals';
import { normal, seededRng } from '@sluice/numerics';
import { ErrorTracker } from './error-tracker.ts';
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
      tracker.observe(regime, 100, measuredMs);
    }
    for (const regime of regimes) {
      const [all, covered] = counts[regime];
      expect(Math.abs(covered! / all! - 0.9)).toBeLessThan(0.03);
    }
    expect(tracker.factors('idle').factor).toBe(1);
    expect(Math.abs(Math.log(tracker.factors('queued').factor) - 0.4)).toBeLessThan(0.1);
  });

  it('gives a correction up that no longer wins', () => {
    const tracker = new ErrorTracker();
    for (let i = 0; i < 300; i++) tracker.observe('queued', 100, 150);
    expect(tracker.factors('queued').factor).toBeCloseTo(1.5, 1);
    // to either side in turn, as no median can tell
    for (let i = 0; i < 2000; i++) tracker.observe('queued', 100, i % 2 === 0 ? 60 : 100);
    expect(tracker.factors('queued').factor).toBeLessThanOrEqual(1);
  });

  it('goes on from its stored state, and starts over without losing the errors made', () => {
    const tracker = new ErrorTracker();
    for (let i = 0; i < 100; i++) tracker.observe('loaded', 100, 130);
    const copy = new ErrorTracker();
    copy.restore(JSON.parse(JSON.stringify(tracker.toState())) as ReturnType<ErrorTracker['toState']>);
    expect(copy.toState()).toEqual(tracker.toState());
    const { samples, mape } = tracker.errors();
    tracker.restartTail();
    expect(tracker.factors('loaded')).toEqual({ factor: 1, tailFactor: expect.closeTo(1.5) });
    expect(tracker.errors()).toMatchObject({ samples, mape });
  });
});
