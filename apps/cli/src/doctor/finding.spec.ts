import { readFile } from 'node:fs/promises';
import { describe, expect, it } from '@jest/globals';
import { SEVERITY_OF } from './finding.ts';

describe('docs/doctor.md', () => {
  it('has every code with its severity, and no other', async () => {
    const page = await readFile(new URL('../../../../docs/doctor.md', import.meta.url), 'utf8');
    const rows = [...page.matchAll(/^\| (`[^|]+`) \| (error|warning) \|/gm)];
    const documented = rows.flatMap(([, codes, severity]) =>
      [...codes!.matchAll(/`([\w-]+)`/g)].map(([, code]) => [code!, severity!]),
    );
    expect(Object.fromEntries(documented)).toEqual(SEVERITY_OF);
    expect(documented).toHaveLength(Object.keys(SEVERITY_OF).length);
  });
});
