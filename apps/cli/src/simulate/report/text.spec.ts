import { describe, expect, it } from '@jest/globals';
import { compactNumber, duration, escapeHtml, percent } from './text.ts';

describe('text', () => {
  it('escapes what would end a text or a quoted attribute', () => {
    expect(escapeHtml(`<a title="x" id='y'>&`)).toBe('&lt;a title=&quot;x&quot; id=&#39;y&#39;&gt;&amp;');
  });

  it.each([
    [0, '0'],
    [0.12345, '0.123'],
    [12.3456, '12.3'],
    [1234.5, '1235'],
    [12_345, '12.3k'],
    [999_600, '1M'],
    [-15_000, '−15k'],
    [NaN, '–'],
    [Infinity, '–'],
  ])('writes %d as %s', (value, text) => {
    expect(compactNumber(value)).toBe(text);
  });

  it.each([
    [0.5, '0.5 ms'],
    [42.42, '42.4 ms'],
    [1000, '1 s'],
    [83_000, '83 s'],
    [1_200_000, '20 min'],
    [Infinity, '–'],
  ])('writes %d ms as %s', (ms, text) => {
    expect(duration(ms)).toBe(text);
  });

  it('writes shares as per cent', () => {
    expect([percent(0.999), percent(1), percent(NaN)]).toEqual(['99.9 %', '100 %', '–']);
  });
});
