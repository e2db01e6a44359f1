import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Fleet } from '@sluice/model';
import { mkdtemp, rename, rm, symlink, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { FleetFileError, staticFleet, watchFleet } from './index.ts';
import type { FleetSource } from './index.ts';

const fileWith = (...engines: string[]): string =>
  JSON.stringify({
    version: 1,
    pools: [
      {
        id: 'p',
        models: ['m'],
        tokenizer: 'tok',
        engines: engines.map((id, i) => ({ id, url: `http://127.0.0.1:${8000 + i}` })),
      },
    ],
  });

async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 500 && !condition(); i++) await sleep(10);
  expect(condition()).toBe(true);
}

describe('watchFleet', () => {
  let folder: string;
  let path: string;
  let source: FleetSource | null;
  let changes: Fleet[];
  let errors: (readonly string[])[];
  /** No polling within a test unless it asks: the watcher itself must see the change. */
  const open = (pollMs = 60_000): FleetSource =>
    (source = watchFleet({
      path,
      pollMs,
      onChange: (fleet) => changes.push(fleet),
      onError: (told) => errors.push(told),
    }));
  const ids = (fleet: Fleet): string[] => fleet.workers.map((worker) => worker.id);

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sluice-fleet-'));
    path = join(folder, 'fleet.yaml');
    changes = [];
    errors = [];
    source = null;
    await writeFile(path, fileWith('a'));
  });
  afterEach(async () => {
    source?.close();
    await rm(folder, { recursive: true });
  });

  it('has the fleet at once, with folders relative to the file', () => {
    const fleet = open().current();
    expect(ids(fleet)).toEqual(['a']);
    expect(fleet.version).toBe(1);
    expect(fleet.pools[0]!.tokenizer).toBe(join(folder, 'tok'));
  });

  it('follows a file that is written', async () => {
    const fleet = open();
    const subscribed: number[] = [];
    const end = fleet.subscribe(({ version }) => subscribed.push(version));
    await writeFile(path, fileWith('a', 'b'));
    await until(() => changes.length === 1);
    expect(ids(fleet.current())).toEqual(['a', 'b']);
    expect(fleet.current().version).toBe(2);
    end();
    await writeFile(path, fileWith('c'));
    await until(() => changes.length === 2);
    expect(subscribed).toEqual([2]);
    expect(errors).toEqual([]);
  });

  it('follows a file that is replaced by rename, again and again', async () => {
    const fleet = open();
    for (const id of ['b', 'c', 'd']) {
      await writeFile(join(folder, 'next'), fileWith(id));
      await rename(join(folder, 'next'), path);
      await until(() => ids(fleet.current())[0] === id);
    }
    expect(changes).toHaveLength(3);
  });

  it('follows a file behind a link that is switched, as a ConfigMap does it', async () => {
    await writeFile(join(folder, 'v1'), fileWith('a'));
    await writeFile(join(folder, 'v2'), fileWith('b'));
    await symlink('v1', join(folder, '..data'));
    await unlink(path);
    await symlink('..data', path);
    const fleet = open();
    await symlink('v2', join(folder, '..data_tmp'));
    await rename(join(folder, '..data_tmp'), join(folder, '..data'));
    await until(() => ids(fleet.current())[0] === 'b');
  });

  it('polls where the watcher says nothing', async () => {
    // The watched folder is the link's; what changes lies in another one.
    const elsewhere = await mkdtemp(join(tmpdir(), 'sluice-fleet-'));
    await writeFile(join(elsewhere, 'real.yaml'), fileWith('a'));
    await unlink(path);
    await symlink(join(elsewhere, 'real.yaml'), path);
    const fleet = open(20);
    await writeFile(join(elsewhere, 'real.yaml'), fileWith('b'));
    await until(() => ids(fleet.current())[0] === 'b');
    await rm(elsewhere, { recursive: true });
  });

  it('keeps the last good fleet while the file is invalid or gone, and says so once', async () => {
    const fleet = open(20);
    await writeFile(path, '{version: 1, pools: []}');
    await until(() => errors.length === 1);
    expect(errors[0]).toEqual(['pools: [] must be a list of pools with at least one']);
    await unlink(path);
    await until(() => errors.length === 2);
    expect(errors[1]![0]).toContain('ENOENT');
    await sleep(100);
    expect(errors).toHaveLength(2);
    expect(ids(fleet.current())).toEqual(['a']);
    await writeFile(path, fileWith('b'));
    await until(() => changes.length === 1);
    expect(fleet.current().version).toBe(2);
  });

  it('tells nothing after it is closed', async () => {
    const fleet = open(20);
    fleet.close();
    await writeFile(path, fileWith('b'));
    await sleep(150);
    expect(changes).toEqual([]);
    expect(ids(fleet.current())).toEqual(['a']);
  });

  it('does not start from a file that is invalid or missing', async () => {
    await writeFile(path, '{version: 7, pools: []}');
    expect(() => open()).toThrow(FleetFileError);
    expect(() => open()).toThrow(/version: 7 must be 1\n.*pools: \[\]/);
    await unlink(path);
    expect(() => open()).toThrow(/ENOENT/);
  });
});

describe('staticFleet', () => {
  it('never changes', () => {
    const fleet: Fleet = { version: 1, pools: [], workers: [] };
    const source = staticFleet(fleet);
    expect(source.current()).toBe(fleet);
    source.subscribe(() => {
      throw new Error('called');
    })();
    source.close();
  });
});
