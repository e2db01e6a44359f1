import { afterEach, describe, expect, it } from '@jest/globals';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openConfigFile, parseConfigFile } from './index.ts';
import type { ConfigFile, ConfigFileContent } from './index.ts';

describe('parseConfigFile', () => {
  it('reads YAML and JSON, and writes values as the environment would have them', () => {
    const yaml = 'ROUTER_POLICY: p2c\nROUTER_PRIORITY_BANDS: [-1, 0]\nROUTER_TENANT_WEIGHTS: {a: 2, b: 0.5}\nA: null\n';
    expect(parseConfigFile(yaml)).toEqual({
      ok: true,
      settings: { ROUTER_POLICY: 'p2c', ROUTER_PRIORITY_BANDS: '-1,0', ROUTER_TENANT_WEIGHTS: 'a=2,b=0.5' },
    });
    expect(parseConfigFile('{"ROUTER_HOLD": false}')).toEqual({ ok: true, settings: { ROUTER_HOLD: 'false' } });
    expect(parseConfigFile('# nothing yet\n')).toEqual({ ok: true, settings: {} });
  });

  it('says every setting that is no setting, and what is no mapping', () => {
    expect(parseConfigFile('A: [[1]]\nB: {c: {d: 1}}\nC: 1\n')).toEqual({
      ok: false,
      errors: [expect.stringMatching(/^A: /), expect.stringMatching(/^B: /)],
    });
    for (const text of ['- a\n', 'text', 'a: b: c']) expect(parseConfigFile(text).ok).toBe(false);
  });
});

describe('openConfigFile', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-config-'));
  const path = join(folder, 'sluice.yaml');
  let file: ConfigFile | null = null;
  afterEach(() => {
    file?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('follows the file through replacement by rename, and says when it breaks', async () => {
    writeFileSync(path, 'A: 1\n');
    file = openConfigFile(path);
    expect(file.first).toEqual({ ok: true, settings: { A: '1' } });
    const contents: ConfigFileContent[] = [];
    const heard: (() => void)[] = [];
    file.follow((content) => {
      contents.push(content);
      heard.shift()?.();
    });
    const next = (): Promise<void> => new Promise((resolve) => heard.push(resolve));

    const renamed = next();
    writeFileSync(join(folder, 'new'), 'A: 2\n');
    renameSync(join(folder, 'new'), path);
    await renamed;
    const broken = next();
    writeFileSync(path, 'A: [[2]]\n');
    await broken;
    expect(contents).toEqual([
      { ok: true, settings: { A: '2' } },
      { ok: false, errors: [expect.any(String)] },
    ]);
  });
});
