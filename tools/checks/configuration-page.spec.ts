import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { configurationPage } from './configuration-page.ts';

describe('docs/configuration.md', () => {
  it('is what the schemas say; else run `npm run docs:configuration`', async () => {
    const page = await readFile(join(import.meta.dirname, '../../docs/configuration.md'), 'utf8');
    expect(page).toBe(configurationPage());
  });
});
