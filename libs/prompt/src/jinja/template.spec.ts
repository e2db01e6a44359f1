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
    expect(compileTemplate(template).render(given, now)).toBe(expected);
  });

  it.each(cases.filter((one) => one.error !== undefined))('$template: $error', ({ template }) => {
    expect(() => compileTemplate(template).render(given, now)).toThrow();
  });

  it('keeps nothing from one rendering to the next', () => {
    const template = compileTemplate('{% set x = x | default(0) + 1 %}{{ x }}');
    expect([template.render([], now), template.render([], now)]).toEqual(['1', '1']);
  });
});
