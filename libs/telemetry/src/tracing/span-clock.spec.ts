import { describe, expect, it } from '@jest/globals';
import { SpanClock } from './span-clock.ts';

describe('SpanClock', () => {
  it('is as fine as the steady clock and never far from the wall clock, also when that is put right', () => {
    let steadyMs = 1000.25;
    let aheadMs = 1_795_000_000_000;
    const clock = new SpanClock(
      () => Math.floor(steadyMs + aheadMs),
      () => steadyMs,
    );
    let before = clock.now();
    for (let i = 0; i < 1000; i++) {
      steadyMs += 0.37;
      const now = clock.now();
      expect(now - before).toBeCloseTo(0.37, 3);
      expect(Math.abs(now - (steadyMs + aheadMs))).toBeLessThan(1.6);
      expect(clock.at(steadyMs)).toBe(now);
      before = now;
    }
    aheadMs += 5000;
    expect(Math.abs(clock.now() - (steadyMs + aheadMs))).toBeLessThan(1.6);
    expect(clock.at(aheadMs)).toBe(aheadMs);
  });
});
