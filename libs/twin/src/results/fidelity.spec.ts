import { readFile } from 'node:fs/promises';
import { describe, expect, it } from '@jest/globals';
import { FIDELITY } from './fidelity.ts';

describe('FIDELITY', () => {
  it('is what the README says', async () => {
    const readme = await readFile(new URL('../../README.md', import.meta.url), 'utf8');
    expect(readme.replaceAll(/\s+/g, ' ')).toContain(FIDELITY);
  });
});
