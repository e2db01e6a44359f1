import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { checkOutput, OutputError, writeOutput } from './output-file.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-output-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('output files', () => {
  it('are written and replaced as a whole, and nothing is left beside them', async () => {
    const path = join(folder, 'report.json');
    for (const text of ['one', 'two']) {
      checkOutput('--json', path);
      writeOutput('--json', path, text);
      expect(await readFile(path, 'utf8')).toBe(text);
    }
    expect(await readdir(folder)).toEqual(['report.json']);
  });

  it('are written through a link, which stays one', async () => {
    const [target, link] = [join(folder, 'target'), join(folder, 'link')];
    await writeFile(target, 'old');
    await symlink(target, link);
    writeOutput('--html', link, 'new');
    expect(await readFile(target, 'utf8')).toBe('new');
  });

  it('are refused before the work is done, with option, path and reason', async () => {
    const missing = join(folder, 'missing/report.json');
    expect(() => checkOutput('--json', missing)).toThrow(OutputError);
    expect(() => checkOutput('--json', missing)).toThrow(`--json ${missing}: ENOENT`);
    expect(() => checkOutput('--html', folder)).toThrow(`--html ${folder}: it is a folder`);
  });

  it('leave nothing behind when writing fails', async () => {
    const closed = join(folder, 'closed');
    await mkdir(closed);
    const path = join(closed, 'report');
    await mkdir(path);
    expect(() => writeOutput('--json', path, 'text')).toThrow(`--json ${path}: `);
    expect(await readdir(closed)).toEqual(['report']);
  });
});
