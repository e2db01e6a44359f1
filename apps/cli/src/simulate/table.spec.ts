import { describe, expect, it } from '@jest/globals';
import { METRICS } from './metrics.ts';
import type { RunOutcome } from './outcome.ts';
import { resultTable } from './table.ts';
import { outcomeWith } from './testing/results.ts';

const OUTCOMES: RunOutcome[] = [1, 2].flatMap((seed) => [
  outcomeWith('expected-latency', seed, 1, 2, { goodput: 5 }),
  outcomeWith('sticky-until-saturated', seed, 1, 2, { goodput: 4 }),
  outcomeWith('oracle', seed, 1, 2, { goodput: 6 }),
]);
const PLAIN = { all: false, colour: false };
const lengths = (text: string): number[] => text.split('\n').map((line) => line.length);

describe('resultTable', () => {
  it.each([60, 80, 100, 120, 160])('fits %d columns with the most telling first', (width) => {
    const { text, hidden } = resultTable(OUTCOMES, { ...PLAIN, width });
    expect(Math.max(...lengths(text))).toBeLessThanOrEqual(width);
    expect(text).toContain('TTFT ms');
    expect(hidden).toBeGreaterThan(0);
    const wider = resultTable(OUTCOMES, { ...PLAIN, width: width + 20 });
    expect(wider.hidden).toBeLessThanOrEqual(hidden);
  });

  it('has every column at any width, in tables below each other', () => {
    for (const width of [60, 80, 160, 1000]) {
      const { text, hidden } = resultTable(OUTCOMES, { width, all: true, colour: false });
      expect(hidden).toBe(0);
      expect(Math.max(...lengths(text))).toBeLessThanOrEqual(width);
      const heads = text.split('\n').filter((line) => line.startsWith('policy'));
      const shown = heads.flatMap((line) => line.split(/ {2,}/).slice(1));
      expect(shown).toEqual(METRICS.map(({ head }) => head));
    }
  });

  it('marks the best of a column on a colour terminal, never the oracle', () => {
    const { text } = resultTable(OUTCOMES, { width: 160, all: true, colour: true });
    const marked = text.split('\n').filter((line) => line.includes('\x1b[1;32m'));
    expect(marked).toHaveLength(1);
    expect(marked[0]).toMatch(/^expected-latency.*\x1b\[1;32m +5\.00\x1b\[0m/);
    expect(resultTable(OUTCOMES, { width: 160, all: true, colour: false }).text).not.toContain('\x1b');
  });

  it('shows failures as soon as there are any, and dashes for what they made infinite', () => {
    const none = { mean: null, p50: 80, p90: null, p99: null, p999: null };
    const outcomes = [outcomeWith('random', 1, 1, 2, { failed: 7, ttftMs: none }), ...OUTCOMES];
    expect(resultTable(OUTCOMES, { ...PLAIN, width: 80 }).text).not.toContain('failed');
    const { text } = resultTable(outcomes, { ...PLAIN, width: 80 });
    expect(text).toContain('failed');
    expect(text.split('\n').find((line) => line.startsWith('random'))).toMatch(/^random +80 +- .* 7$/);
  });

  it('has no intervals with one seed', () => {
    const { text } = resultTable(OUTCOMES.slice(0, 3), { ...PLAIN, width: 120 });
    expect(text).not.toContain('±');
    expect(text.trimEnd().split('\n')).toHaveLength(2 + 3);
  });
});
