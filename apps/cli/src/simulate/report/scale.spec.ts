import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { linearScale, logScale, shareScale } from './scale.ts';
import type { Range } from './scale.ts';

const range: Range = [40, 400];
const labels = (scale: { ticks: readonly { label: string }[] }): string[] => scale.ticks.map(({ label }) => label);

describe('linearScale', () => {
  it('steps by 1, 2 or 5 and ends at a tick', () => {
    const scale = linearScale({ min: 0, max: 23, range, format: String });
    expect(labels(scale)).toEqual(['0', '5', '10', '15', '20', '25']);
    expect([scale.position(0), scale.position(25)]).toEqual([40, 400]);
    expect(labels(linearScale({ min: 0, max: 0.3, range, format: String }))).toEqual(['0', '0.1', '0.2', '0.3']);
  });

  it('ends at the maximum itself where it is told to', () => {
    const scale = linearScale({ min: 0, max: 23, range, format: String, exact: true });
    expect(labels(scale).at(-1)).toBe('20');
    expect(scale.position(23)).toBe(400);
  });

  it('counts in whole steps, and gives an empty span room', () => {
    expect(labels(linearScale({ min: 0, max: 2, range, format: String, leastStep: 1 }))).toEqual(['0', '1', '2']);
    const empty = linearScale({ min: 5, max: 5, range, format: String });
    expect(empty.position(5)).toBe(40);
    expect(empty.position(6)).toBe(400);
  });

  it('has between 2 and 7 ticks, all within the range', () => {
    fc.assert(
      fc.property(fc.double({ min: 1e-6, max: 1e9, noNaN: true }), (max) => {
        const { ticks, position } = linearScale({ min: 0, max, range, format: String });
        expect(ticks.length).toBeGreaterThanOrEqual(2);
        expect(ticks.length).toBeLessThanOrEqual(7);
        for (const { value } of ticks) {
          expect(position(value)).toBeGreaterThanOrEqual(39.99);
          expect(position(value)).toBeLessThanOrEqual(400.01);
        }
      }),
      { seed: 4 },
    );
  });
});

describe('logScale', () => {
  it('has powers of ten on a long axis, and more on a short one', () => {
    expect(labels(logScale({ min: 1, max: 10_000, range, format: String }))).toEqual([
      '1',
      '10',
      '100',
      '1000',
      '10000',
    ]);
    expect(labels(logScale({ min: 8, max: 400, range, format: String }))).toEqual(['10', '30', '100', '300']);
    expect(labels(logScale({ min: 20, max: 24, range, format: String })).length).toBeGreaterThanOrEqual(3);
  });

  it('puts equal ratios at equal distances', () => {
    const { position } = logScale({ min: 10, max: 1000, range, format: String });
    expect(position(100)).toBeCloseTo(220);
    expect([position(10), position(1000)]).toEqual([40, 400]);
  });

  it('has ticks within the range wherever the ends are', () => {
    const positive = fc.double({ min: 1e-3, max: 1e8, noNaN: true });
    fc.assert(
      fc.property(positive, positive, (a, b) => {
        const { ticks, position } = logScale({ min: Math.min(a, b), max: Math.max(a, b), range, format: String });
        expect(ticks.length).toBeGreaterThanOrEqual(1);
        expect(ticks.length).toBeLessThanOrEqual(16);
        for (const { value } of ticks) {
          expect(position(value)).toBeGreaterThanOrEqual(39.9);
          expect(position(value)).toBeLessThanOrEqual(400.1);
        }
      }),
      { seed: 4 },
    );
  });
});

describe('shareScale', () => {
  it('is symmetric, and stretches the tail', () => {
    const { position, ticks } = shareScale(0.01, 0.99, [0, 100]);
    expect(labels({ ticks })).toEqual(['1 %', '10 %', '25 %', '50 %', '75 %', '90 %', '99 %']);
    expect(position(0.5)).toBeCloseTo(50);
    expect(position(0.99)).toBeCloseTo(100);
    // quantiles of the normal distribution by table: 1.2816 at 0.9, 2.3263 at 0.99
    expect(position(0.9)).toBeCloseTo(50 + (50 * 1.2816) / 2.3263, 1);
  });
});
