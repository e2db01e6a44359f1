import { describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { isDict } from './values.ts';
import { parseJson } from './json.ts';
import { compileTemplate } from './template.ts';

interface Cases {
  /** JSON text, since numbers like 1.0 would be lost in parsed JSON. */
  readonly variables: string;
  readonly cases: readonly { readonly template: string; readonly expected?: string; readonly error?: string }[];
}
const { variables, cases } = JSON.parse(
  readFileSync(new URL('../../testdata/jinja.json', import.meta.url), 'utf8'),
) as Cases;
const now = (): Date => new Date(2026, 2, 5, 14, 7, 9);

describe('templates render as in Jinja2', () => {
  const given = parseJson(variables);
  if (!isDict(given)) throw new Error('testdata/jinja.json has no variables');

  it.each(cases.filter((one) => one.expected !== undefined))('$template', ({ template, expected }) => {
    expect(compileTemplate(template).render(given, now).join('')).toBe(expected);
  });

  it.each(cases.filter((one) => one.error !== undefined))('$template: $error', ({ template }) => {
    expect(() => compileTemplate(template).render(given, now)).toThrow();
  });

  it('leaves long texts alone, also the terms of a sum, and writes the rest together', () => {
    const long = 'x'.repeat(2000);
    const variables = [['long', long]] as const;
    const pieces = (source: string): readonly string[] => compileTemplate(source).render(variables, now);
    expect(pieces("a{{ 'b' + long + 'c' + 'd' }}e{{ long }}")).toEqual(['ab', long, 'cde', long]);
    expect(pieces("{{ 1 + 2 }}{{ 'a' + ('b' + long) }}")).toEqual(['3a', `b${long}`]);
    expect(pieces('{% macro m() %}<{{ long }}>{% endmacro %}a{{ m() }}{% set s %}{{ m() }}{% endset %}b')).toEqual([
      'a',
      `<${long}>`,
      'b',
    ]);
    expect(() => pieces("{{ 'a' + 1 + long }}")).toThrow();
    expect(() => pieces("{{ long + 1 + 'a' }}")).toThrow();
  });

  it('keeps nothing from one rendering to the next', () => {
    const template = compileTemplate('{% set x = x | default(0) + 1 %}{{ x }}');
    expect([template.render([], now), template.render([], now)]).toEqual([['1'], ['1']]);
  });
});
