import { describe, expect, it } from '@jest/globals';
import { formatValue } from './page.ts';

describe('formatValue', () => {
  it.each([
    [0, '0.0'],
    [24, '24.0'],
    [0.5413533834586466, '0.5413533834586466'],
    [999_999, '999999.0'],
    [1_073_741_824, '1.073741824e+09'],
    [1795408814.6964254, '1.7954088146964254e+09'],
    [2_000_000, '2e+06'],
    [6.239000003915862e-5, '6.239000003915862e-05'],
    [4e-7, '4e-07'],
    [Infinity, '+Inf'],
    [NaN, 'NaN'],
  ])('writes %d as Python does: %s', (value, text) => {
    expect(formatValue(value)).toBe(text);
  });
});
