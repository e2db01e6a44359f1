import { describe, expect, it } from '@jest/globals';
import { parseJson, toJson } from './jinja/json.ts';
import { KnownTools, toolsOf } from './tools.ts';

const STYLE = { ensureAscii: false, indent: null, itemSeparator: ', ', keySeparator: ': ', sortKeys: false };
const STYLES = [STYLE, { ...STYLE, indent: '  ', itemSeparator: ',' }, { ...STYLE, ensureAscii: true, sortKeys: true }];
const text = (name: string, chars = 0): string =>
  `[{"type":"function","function":{"parameters":{"10":1.0,"2":{"é":[]}},"name":"${name}","description":"${'x'.repeat(chars)}"}}]`;

describe('KnownTools', () => {
  it('gives what reading anew gives, and its JSON in every style, however often and in whatever order', () => {
    const known = new KnownTools();
    for (const name of ['a', 'b', 'a', 'a', 'b']) {
      const fresh = toolsOf(parseJson(text(name)))!;
      const tools = known.read(text(name))!;
      expect(tools).toEqual(fresh);
      for (const style of STYLES) expect(toJson(tools[0], style)).toBe(toJson(fresh[0], style));
      for (const style of STYLES) expect(toJson(tools, style)).toBe(toJson(fresh, style));
    }
    expect(known.read(text('a'))).toBe(known.read(text('a')));
  });

  it('keeps the texts used last, up to its bound', () => {
    const known = new KnownTools();
    const texts = ['a', 'b', 'c'].map((name) => text(name, 800_000));
    const [a, b] = texts.slice(0, 2).map((one) => known.read(one));
    expect(known.read(texts[0]!)).toBe(a);
    known.read(texts[2]!);
    expect(known.read(texts[0]!)).toBe(a);
    expect(known.read(texts[1]!)).not.toBe(b);
  });

  it('says the same of tools that are none, every time', () => {
    const known = new KnownTools();
    for (let i = 0; i < 2; i++) {
      expect(known.read('"none"')).toBeNull();
      expect(() => known.read('[{"type":"custom"}]')).toThrow('a tool is not of type function');
      expect(() => known.read('[')).toThrow(SyntaxError);
    }
  });
});
