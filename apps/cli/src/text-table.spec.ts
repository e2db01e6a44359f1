import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { textTable, wrapped } from './text-table.ts';

const name = { head: 'name', cells: ['a', 'bbbbbb'], align: 'left' } as const;
const number = (head: string) => ({ head, cells: ['1', '22222'], align: 'right' }) as const;

describe('textTable', () => {
  it('aligns words to the left and numbers to the right', () => {
    expect(textTable([name, number('n')], 80)).toEqual(['name        n', 'a           1', 'bbbbbb  22222']);
  });

  it('goes on below with the first column again where the width is used up, and loses no column', () => {
    fc.assert(
      fc.property(fc.integer({ min: 13, max: 60 }), fc.integer({ min: 1, max: 9 }), (width, count) => {
        const heads = Array.from({ length: count }, (_, i) => `c${i}`);
        const lines = textTable([name, ...heads.map(number)], width);
        expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(width);
        const shown = lines.filter((line) => line.startsWith('name')).flatMap((line) => line.split(/ +/).slice(1));
        expect(shown).toEqual(heads);
      }),
    );
  });

  it('cuts no cell, however narrow it is', () => {
    expect(textTable([name, number('n')], 3)).toContain('bbbbbb  22222');
    expect(textTable([], 80)).toEqual([]);
  });
});

describe('wrapped', () => {
  it('breaks at blanks only and indents what follows', () => {
    expect(wrapped('one two three four', 9, 2)).toEqual(['one two', '  three', '  four']);
    expect(wrapped('unbreakable', 4, 2)).toEqual(['unbreakable']);
    expect(wrapped('a  b', 80, 2)).toEqual(['a  b']);
  });
});
