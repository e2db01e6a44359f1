import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { Child, freePort, freePorts } from '@sluice/process';
import { post, repoRoot, Sluice, waitFor } from '@sluice/testkit';
import { cli } from './cli.ts';
import { chatUrl, env, missingPrograms, MODEL, poolOf, startSims, stopSims } from './setup.ts';

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
      expect((await cli('index', 'lookup', 'Hello', '--admin', ready.console)).out).toMatch(
        /^sim-1 +0 +0 +0 % +live$/m,
      );
      const refused = await cli('config', 'set', 'ROUTER_RETRIES=1', '--admin', ready.console);
      expect(refused).toMatchObject({ code: 1, out: '' });
      expect(refused.err).toContain(`ask router itself, at ${ready.admin['router']}`);
    } finally {
      await up.stop();
    }
  }, 120_000);
});

describe('the command line through a console in front of two routers', () => {
  it('asks both as one, finds what either decided, and goes on when one is gone', async () => {
    const sims = await startSims(2, { profile: 'llama-3.1-8b-h100', speed: 4 });
    // The second one has a wrong address of the last engine.
    const astray = sims.map(({ name, entry }) => (name === 'sim-2' ? { ...entry, url: 'http://127.0.0.1:9' } : entry));
    const pools = [poolOf(sims), { ...poolOf(sims), engines: astray }];
    const routers = await Promise.all(pools.map((pool) => Sluice.start({ pools: [pool], services: false, env })));
    const [a, b] = routers.map((router) => new URL(router.admin('router')).origin);
    const admin = `http://127.0.0.1:${await freePort()}`;
    const page = new Child({
      name: 'console',
      command: process.execPath,
      args: [join(repoRoot, 'apps/console/dist/main.js')],
      env: {
        ...env,
        CONSOLE_PORT: new URL(admin).port,
        CONSOLE_SERVICES: `router-a=${a}/router,router-b=${b}/router,kv-index=${a}/kv-index`,
      },
    });
    try {
      await waitFor('the console', 20_000, async () => (await fetch(`${admin}/readyz`)).ok);
      const ask = (...args: string[]) => cli(...args, '--admin', admin);
      const body = { model: MODEL, max_tokens: 8, stream: true, messages: [{ role: 'user', content: 'who?' }] };
      const ids: string[] = [];
      for (const router of routers) {
        const answer = await post(chatUrl(router), body);
        ids.push(answer.headers.get('x-sluice-decision-id')!);
      }
      const workers = await ask('workers');
      expect(workers).toMatchObject({ code: 0, err: '' });
      expect(workers.out).toMatch(/^sim-1 +up .*\nsim-2 +differs .*\nsim-2 takes no requests of router-b: .*REFUSED$/m);
      expect((await ask('workers', '--router', 'router-a')).out).toMatch(/^sim-2 +up /m);
      expect((await ask('status')).out).toMatch(/^router-a: ready\n.*^router-b: ready\n.*^kv-index: ready\n/ms);
      const { requests } = JSON.parse((await ask('requests', '--by', 'newest', '--json')).out) as {
        requests: { id: string; router: string }[];
      };
      expect(requests.map(({ id, router }) => [id, router])).toEqual([
        [ids[1], 'router-b'],
        [ids[0], 'router-a'],
      ]);
      for (const [i, name] of ['router-a', 'router-b'].entries()) {
        expect((await ask('explain', ids[i]!)).out).toMatch(new RegExp(`^decision ${ids[i]!}\nmade .*, by ${name}\n`));
      }
      expect((await ask('explain', 'last')).out).toContain(`decision ${ids[1]!}\n`);
      expect((await ask('index', 'lookup', 'Hello')).out).toMatch(/^sim-2 +0 +0 +0 % +live$/m);
      expect((await ask('config', 'get', 'SLUICE_FLEET')).out).toMatch(
        /^value .* at router-a\nvalue .* at router-b$/ms,
      );

      await routers[1]!.stop();
      const rest = await ask('workers');
      expect(rest).toMatchObject({ code: 1, out: expect.stringMatching(/^sim-2 +up /m) });
      expect(rest.err).toMatch(/^without router-b: router-b cannot be reached: /);
      expect((await ask('explain', ids[0]!)).code).toBe(0);
      expect((await ask('explain', ids[1]!)).err).toContain('router-b was not asked');
    } finally {
      await page.stop();
      await Promise.all(routers.map((router) => router.stop()));
      await stopSims(sims);
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
