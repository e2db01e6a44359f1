import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { fromJavaScript, parseJson, toJson } from './json.ts';

const PLAIN = { ensureAscii: false, indent: null, itemSeparator: ',', keySeparator: ':', sortKeys: false };

describe('parseJson', () => {
  it('reads any JSON that JavaScript writes', () => {
    // whole numbers beyond 2^53 are written differently, and have a test of their own
    const safe = (_key: string, value: unknown): unknown =>
      Number.isInteger(value) && !Number.isSafeInteger(value) ? 0 : value;
    fc.assert(
      fc.property(fc.json(), fc.constantFrom(0, 2), (text, indent) => {
        const value = JSON.parse(text, safe) as unknown;
        expect(parseJson(JSON.stringify(value, null, indent))).toEqual(fromJavaScript(value));
      }),
      { seed: 11, numRuns: 300 },
    );
  });

  it('keeps what a JavaScript value loses', () => {
    const json = '{"b": 1.0, "10": -0.0, "2": [12345678901234567890, 1e400, 1E2], "a\\u00e9": "\\ud83d\\ude00"}';
    expect(toJson(parseJson(json), PLAIN)).toBe(
      '{"b":1.0,"10":-0.0,"2":[12345678901234567890,Infinity,100.0],"aé":"😀"}',
    );
    expect(toJson(parseJson('[NaN, -Infinity, -0, true]'), PLAIN)).toBe('[NaN,-Infinity,0,true]');
    expect(toJson(parseJson('{"a": 1, "b": 2, "a": 3}'), PLAIN)).toBe('{"a":3,"b":2}');
  });

  it.each([
    '',
    '{',
    '[1,]',
    '{"a":}',
    '{"a" 1}',
    '[1 2]',
    '"\n"',
    '"\\x"',
    '01',
    '1.',
    'tru',
    "{'a': 1}",
    '{} x',
    '{,}',
  ])('refuses %s as JSON.parse does', (json) => {
    expect(() => JSON.parse(json) as unknown).toThrow(SyntaxError);
    expect(() => parseJson(json)).toThrow(SyntaxError);
  });
});
