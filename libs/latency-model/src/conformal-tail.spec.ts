import { describe, expect, it } from '@jest/globals';
import { normal, seededRng } from '@sluice/numerics';
import { ConformalTail, LEVEL_STEP, TAIL_QUANTILE } from './conformal-tail.ts';
import { ResidualWindow } from './residual-window.ts';

interface Result {
  readonly coverage: number;
  readonly levelChange: number;
  readonly highest: number;
  readonly lowest: number;
  /** Outcomes that the level was adapted by. */
  readonly judged: number;
  readonly missed: number;
}

/**
 * One request a second, each ending `delay` seconds later. `residualAt` may look at the tail in force, as an adversary.
 * @param timed whether outcomes say when they were sent
 */
function follow(count: number, delay: number, residualAt: (i: number, tail: number) => number, timed = true): Result {
  const window = new ResidualWindow();
  const tail = new ConformalTail(window);
  const said: number[] = [];
  const residuals: number[] = [];
  let [judged, missed, highest, lowest] = [0, 0, tail.level, tail.level];
  let covered = 0;
  for (let i = 0; i < count + delay; i++) {
    if (i < count) {
      said.push(tail.value);
      residuals.push(residualAt(i, tail.value));
    }
    const ended = i - delay;
    if (ended < 0) continue;
    const isMissed = residuals[ended]! > (timed ? tail.valueAt(1000 * ended) : tail.value);
    window.add(residuals[ended]!, ended + 1);
    const before = tail.level;
    tail.observe(isMissed, timed ? 1000 * i : null);
    if (tail.level !== before) {
      judged++;
      missed += Number(isMissed);
    }
    highest = Math.max(highest, tail.level);
    lowest = Math.min(lowest, tail.level);
    if (ended >= count / 2 && residuals[ended]! <= said[ended]!) covered++;
  }
  const levelChange = tail.level - TAIL_QUANTILE;
  return { coverage: covered / (count / 2), levelChange, highest, lowest, judged, missed };
}

describe('ConformalTail', () => {
  const COUNT = 20_000;
  const rng = seededRng(11);
  let walk = 0;
  /** Name, residuals, and how far the share that is missed may be off one in ten after COUNT outcomes. */
  const ADVERSARIES: readonly (readonly [string, (i: number, tail: number) => number, number])[] = [
    ['noise', () => 0.2 * normal(rng), 0.01],
    ['a walk', () => (walk = Math.max(-2, Math.min(2, walk + 0.02 * normal(rng)))) + 0.1 * normal(rng), 0.03],
    ['a trend', (i) => (3 * i) / COUNT + 0.1 * normal(rng), 0.03],
    ['jumps', (i) => (Math.floor(i / 700) % 2) + 0.1 * normal(rng), 0.03],
    ['bursts', (i) => (i % 400 < 60 ? 2 + 0.3 * normal(rng) : 0.1 * normal(rng)), 0.03],
    ['one that knows the tail and stays above it while it can', (_, tail) => Math.min(2, tail + 0.01), 0.06],
    ['one that knows the tail and is just below it, or far above', (i, tail) => (i % 5 === 0 ? 2 : tail - 0.01), 0.06],
  ];

  it.each(ADVERSARIES)('covers 90 %% in the long run of %s', (_, residualAt, most) => {
    const found = follow(COUNT, 150, residualAt);
    // the identity that the guarantee comes from: what the level did is what was missed
    expect(found.levelChange).toBeCloseTo(LEVEL_STEP * (found.missed - (1 - TAIL_QUANTILE) * found.judged), 6);
    // and the level stays where residuals are, so the share that was missed tends to one in ten
    expect(found.highest).toBeLessThan(2);
    expect(found.lowest).toBeGreaterThan(-1);
    expect(Math.abs(found.missed / found.judged - (1 - TAIL_QUANTILE))).toBeLessThan(most);
  });

  it('makes up for answers that tell late when they tell when they were sent', () => {
    const rising = (i: number): number => i / 1000 + 0.1 * normal(rng);
    const [timed, untimed] = [follow(6000, 200, rising), follow(6000, 200, rising, false)];
    expect(Math.abs(timed.coverage - TAIL_QUANTILE)).toBeLessThan(0.04);
    expect(untimed.coverage).toBeLessThan(timed.coverage - 0.04);
  });

  it('remembers what was in force', () => {
    const window = new ResidualWindow();
    const tail = new ConformalTail(window);
    const start = tail.value;
    const values: number[] = [];
    for (let i = 0; i < 300; i++) {
      window.add(i / 100, i + 1);
      tail.observe(false, 10_000 * (i + 1));
      values.push(tail.value);
    }
    expect(tail.valueAt(0)).toBe(start);
    expect(tail.valueAt(10_000 * 100 + 5000)).toBe(values[99]);
    expect(tail.valueAt(1e9)).toBe(tail.value);
    expect(tail.valueAt(null)).toBe(tail.value);
  });
});
