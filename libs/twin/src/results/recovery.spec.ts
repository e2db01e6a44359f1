import { describe, expect, it } from '@jest/globals';
import type { TwinRecords } from '../api.ts';
import { ttftRecoveryMs, workRecoveryMs } from './recovery.ts';

/** One request every 10 ms for 60 s, on two engines in turn. */
function records(ttftOf: (arrivalMs: number) => number, engineOf = (index: number): number => index % 2): TwinRecords {
  const arrivalMs = Float64Array.from({ length: 6000 }, (_, index) => 10 * index);
  const ttftMs = arrivalMs.map(ttftOf);
  const none = new Float64Array(6000);
  const engine = Int32Array.from({ length: 6000 }, (_, index) => engineOf(index));
  return { arrivalMs, ttftMs, engine, firstTokenMs: none, endMs: none, e2eMs: none, tpotMs: none, cachedTokens: none };
}

describe('ttftRecoveryMs', () => {
  const slowFrom = (fromMs: number, untilMs: number, ms = 1000) =>
    records((atMs) => (atMs >= fromMs && atMs < untilMs ? ms : 100));

  it('is the time until late arrivals are fewer than one in a hundred for a whole window', () => {
    // of the 500 arrivals of the next 5 s the last 5 slow ones may be late
    expect(ttftRecoveryMs(slowFrom(30_000, 34_000), 30_000)).toBe(3950);
    expect(ttftRecoveryMs(slowFrom(30_000, 34_000), 30_000, { windowMs: 900 })).toBe(4000);
  });

  it('is 0 when it never left, and allows for the factor', () => {
    expect(ttftRecoveryMs(slowFrom(0, 0), 30_000)).toBe(0);
    expect(ttftRecoveryMs(slowFrom(30_000, 34_000, 140), 30_000)).toBe(0);
    expect(ttftRecoveryMs(slowFrom(30_000, 34_000, 140), 30_000, { factor: 1.2 })).toBe(3950);
  });

  it('does not count what failed before, and looks back as far as it is told', () => {
    expect(ttftRecoveryMs(slowFrom(0, 20_000, Infinity), 30_000)).toBe(0);
    const worse = records((atMs) => (atMs < 20_000 ? 1000 : atMs < 30_000 ? 100 : 400));
    expect(ttftRecoveryMs(worse, 30_000)).toBe(0);
    expect(ttftRecoveryMs(worse, 30_000, { sinceMs: 20_000 })).toBeNull();
  });

  it('is null when it does not come back, or there was nothing before', () => {
    expect(ttftRecoveryMs(slowFrom(30_000, 60_000), 30_000)).toBeNull();
    expect(ttftRecoveryMs(slowFrom(30_000, 60_000, Infinity), 30_000)).toBeNull();
    expect(ttftRecoveryMs(slowFrom(0, 0), 0)).toBeNull();
    expect(ttftRecoveryMs(slowFrom(0, 30_000, Infinity), 30_000)).toBeNull();
  });
});

describe('workRecoveryMs', () => {
  it('is the time until the engine gets half of its even share', () => {
    // nothing for it from 30 s to 33 s
    const away = records(
      () => 100,
      (index) => (index >= 3000 && index < 3300 ? 0 : index % 2),
    );
    // 250 of a window of 1000 are due: half of the last 500
    expect(workRecoveryMs(away, 1, 2, 30_000, { windowMs: 10_000 })).toBe(0);
    expect(workRecoveryMs(away, 1, 2, 30_000, { windowMs: 2000 })).toBe(2000);
    expect(workRecoveryMs(away, 0, 2, 30_000)).toBe(0);
    expect(
      workRecoveryMs(
        records(
          () => 100,
          () => 0,
        ),
        1,
        2,
        30_000,
      ),
    ).toBeNull();
  });
});
