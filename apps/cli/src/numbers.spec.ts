import { describe, expect, it } from '@jest/globals';
import { count, decimal, duration, percent, signed } from './numbers.ts';

describe('numbers for people', () => {
  it('have three significant digits or more', () => {
    expect([0, 0.1234, 5.678, 41.06, 123.4, 12345.6].map(decimal)).toEqual([
      '0',
      '0.12',
      '5.68',
      '41.1',
      '123',
      '12,346',
    ]);
    expect([decimal(null), decimal(undefined), decimal(-5.678)]).toEqual(['-', '-', '-5.68']);
    expect([count(1984), count(null), signed(3.14159), signed(-3), signed(null)]).toEqual([
      '1,984',
      '-',
      '+3.14',
      '-3.00',
      '-',
    ]);
    expect([percent(0.426), percent(null)]).toEqual(['43 %', '-']);
  });

  it('say times in the unit that fits', () => {
    expect([240.4, 1500, 42_000, 300_000, 9_000_000].map(duration)).toEqual([
      '240 ms',
      '1.5 s',
      '42 s',
      '5 min',
      '3 h',
    ]);
  });
});
