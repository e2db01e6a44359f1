import { describe, expect, it } from '@jest/globals';
import type { RouteQuery } from '@sluice/model';
import { normal, seededRng } from '@sluice/numerics';
import { createSloTerms, DEFAULT_SPREAD, sloTerms } from './slo-terms.ts';

const query = (limits: Partial<RouteQuery>): RouteQuery => ({
  promptTokens: 1000,
  expectedOutputTokens: 100,
  sessionHash: null,
  ...limits,
});
const terms = (limits: Partial<RouteQuery>, ttftMs: number, tpotMs: number, spread = DEFAULT_SPREAD) => ({
  ...sloTerms(query(limits), ttftMs, tpotMs, spread, createSloTerms()),
});

describe('service level terms', () => {
  it('are zero without a level, or without a prediction', () => {
    const none = { ttftViolation: 0, tpotViolation: 0, deadlineViolation: 0, costMs: 0 };
    expect(terms({}, 500, 20)).toEqual(none);
    expect(terms({ ttftSloMs: null, tpotSloMs: null, deadlineMs: null }, 500, 20)).toEqual(none);
    expect(terms({ ttftSloMs: 100, deadlineMs: 100 }, NaN, NaN)).toEqual(none);
    expect(terms({ ttftSloMs: 100 }, Infinity, 20)).toEqual(none);
  });

  it('agree with counting draws of the outcome', () => {
    const rng = seededRng(3);
    for (const [predicted, limit, sigma] of [
      [300, 400, 0.25],
      [500, 400, 0.25],
      [390, 400, 0.6],
      [100, 400, 0.1],
    ] as const) {
      let late = 0;
      let excess = 0;
      const draws = 50_000;
      for (let i = 0; i < draws; i++) {
        const outcome = predicted * Math.exp(sigma * normal(rng));
        if (outcome > limit) late++;
        excess += Math.max(0, outcome - limit);
      }
      const found = terms({ ttftSloMs: limit }, predicted, 20, { ttftSigma: sigma, tpotSigma: 0.1 });
      expect(found.ttftViolation).toBeCloseTo(late / draws, 2);
      expect(found.costMs).toBeCloseTo((late / draws) * limit + excess / draws, -1);
    }
  });

  it('rise with the prediction, also where everything is too late', () => {
    let before = -1;
    for (let ttftMs = 10; ttftMs < 100_000; ttftMs *= 1.2) {
      const { costMs } = terms({ ttftSloMs: 400 }, ttftMs, 20);
      expect(costMs).toBeGreaterThanOrEqual(before);
      before = costMs;
    }
    expect(terms({ ttftSloMs: 400 }, 20_000, 20).costMs).toBeGreaterThan(20_000);
    expect(terms({ ttftSloMs: 400 }, 40, 20).costMs).toBeLessThan(1e-3);
  });

  it('price TPOT over the answer, and the deadline over its end', () => {
    const sure = { ttftSigma: 0, tpotSigma: 0 };
    expect(terms({ tpotSloMs: 25 }, 500, 30, sure)).toMatchObject({ tpotViolation: 1, costMs: 100 * (25 + 5) });
    expect(terms({ tpotSloMs: 30 }, 500, 25, sure)).toMatchObject({ tpotViolation: 0, costMs: 0 });
    expect(terms({ deadlineMs: 3000 }, 500, 30, sure)).toMatchObject({ deadlineViolation: 1, costMs: 3000 + 500 });
    expect(terms({ deadlineMs: 4000 }, 500, 30, sure)).toMatchObject({ deadlineViolation: 0, costMs: 0 });
  });

  it('know that a limit can be used up before the decision', () => {
    const found = terms({ ttftSloMs: -200 }, 300, 20, { ttftSigma: 0, tpotSigma: 0 });
    expect(found).toMatchObject({ ttftViolation: 1, costMs: 500 });
  });
});
