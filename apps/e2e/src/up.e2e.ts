import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { Child, freePort, freePorts } from '@sluice/process';
import { repoRoot } from '@sluice/testkit';
import { cli } from './cli.ts';
import { env, missingPrograms } from './setup.ts';

interface Ready {
  readonly data: string;
  readonly admin: Readonly<Record<string, string>>;
  readonly console: string;
}

describe('sluice up --services', () => {
  it('starts every service and the console as processes of their own, and says where they are', async () => {
    const skip = await missingPrograms('nats-server', 'redis-server');
    if (skip !== null) return console.log(`skipped: ${skip}`);
    const [port, adminPort] = await freePorts(2);
    const up = new Child({
      name: 'up',
      command: process.execPath,
      args: [join(repoRoot, 'apps/cli/dist/main.js'), 'up', '--services', '--json', '--engines', '1'].concat(
        ['--port', String(port)],
        ['--admin-port', String(adminPort)],
      ),
      env,
    });
    try {
      const ready = JSON.parse(await up.waitForLine(/^\{"ready":true/, 60_000)) as Ready;
      expect(Object.keys(ready.admin).sort()).toEqual(['event-bridge', 'kv-index', 'latency-predictor', 'router']);
      expect(ready.admin['router']).toBe(`http://127.0.0.1:${adminPort}`);
      const page = await fetch(ready.console);
      expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
      for (const [service, admin] of Object.entries(ready.admin)) {
        const answers = await Promise.all([`${ready.console}${service}/healthz`, `${admin}/healthz`].map(serviceOf));
        expect(answers).toEqual([service, service]);
      }
      const status = await cli('status', '--admin', ready.console);
      expect(status).toMatchObject({ code: 0, err: '' });
      for (const service of Object.keys(ready.admin)) expect(status.out).toContain(`${service}: ready\n`);
      expect((await cli('workers', '--admin', ready.console)).out).toMatch(/^sim-1 +up /m);
    } finally {
      await up.stop();
    }
  }, 120_000);
});

describe('sluice up', () => {
  it('says which port is taken before it starts anything', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const port = String((taken.address() as AddressInfo).port);
    const { code, out, err } = await cli(
      'up',
      '--engines',
      '1',
      '--port',
      String(await freePort()),
      '--admin-port',
      port,
    );
    taken.close();
    expect([code, out]).toEqual([1, '']);
    expect(err).toContain(`port ${port} is taken, perhaps by another 'sluice up': choose another with --admin-port`);
  }, 30_000);
});

const serviceOf = async (url: string): Promise<string> =>
  ((await (await fetch(url)).json()) as { service: string }).service;
