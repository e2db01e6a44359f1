import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { adminFields } from './config.ts';
import { choicesField, describeSettings, integerField, liveSetting, setting } from './index.ts';

describe('describeSettings', () => {
  it('says of every setting what it means, takes and falls back to, and when a change counts', () => {
    const schema = z.object({
      A: liveSetting(integerField(0, 9).default(3), 'a number'),
      B: setting(choicesField(['x', 'y']).default(['x', 'y']), 'some letters'),
      C: setting(z.string(), 'needed'),
      D: adminFields.SLUICE_ADMIN_TOKEN,
    });
    const common = { isRequired: false, isSecret: false, reload: 'restart' };
    expect(describeSettings(schema)).toEqual([
      {
        ...common,
        name: 'A',
        meaning: 'a number',
        allowed: 'a whole number from 0 to 9',
        fallback: '3',
        reload: 'live',
      },
      { ...common, name: 'B', meaning: 'some letters', allowed: 'of x, y, separated by commas', fallback: 'x,y' },
      { ...common, name: 'C', meaning: 'needed', allowed: 'text', fallback: null, isRequired: true },
      {
        ...common,
        name: 'D',
        meaning: expect.stringContaining('Bearer token'),
        allowed: 'at least 16 printable characters without blanks',
        fallback: null,
        isSecret: true,
      },
    ]);
  });

  it('refuses one that does not say what it means', () => {
    expect(() => describeSettings(z.object({ A: integerField(0, 1) }))).toThrow(/setting A does not say/);
  });
});
