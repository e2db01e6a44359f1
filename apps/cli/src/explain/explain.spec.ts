import { afterEach, describe, expect, it } from '@jest/globals';
import { AdminError } from '../admin-client.ts';
import { recorder, startAdminServer } from '../testing/admin-server.ts';
import type { AdminServer } from '../testing/admin-server.ts';
import { decision } from '../testing/decisions.ts';
import { explain } from './explain.ts';

const READY = { ready: true, checks: {} };
const GONE = { ready: false, checks: { reached: { ok: false, detail: 'refused' } } };
const first = decision({ id: 'ab12cd34-6', worker: 'w2', followedBy: 'ab12cd34-7' });
const last = decision({ retryOf: first.id });

let server: AdminServer | null = null;
afterEach(async () => {
  await server?.close();
  server = null;
});

/** Serves the routes, below /router/ or for a router of its own, and returns what `sluice explain ID` says. */
async function explained(id: string, routes: Record<string, unknown>, base = '/router', json = false): Promise<string> {
  const own = { '/readyz': READY, '/healthz': { service: 'router' } };
  const all = base === '' ? own : { '/readyz': { ready: true, services: { router: READY, 'kv-index': READY } } };
  const below = Object.fromEntries(Object.entries(routes).map(([path, body]) => [`${base}${path}`, body]));
  server = await startAdminServer({ ...all, ...below });
  const speaker = recorder();
  await explain(id, { admin: server.origin, token: null, all: false, sameAdmin: '', json }, speaker, last.atMs);
  return speaker.said.out;
}

describe('explain', () => {
  it.each(['/router', ''])('finds the decision and those before and after it, below %j', async (base) => {
    const routes = { '/decisions/ab12cd34-6': first, '/decisions/ab12cd34-7': last };
    const text = await explained(last.id, routes, base);
    expect(text).toMatch(/^decision ab12cd34-7\n/);
    expect(text).toContain('first    ab12cd34-6 on w2');
    await server!.close();
    expect(await explained(first.id, routes, base)).toContain('retried  ab12cd34-7 on w1');
  });

  it('asks for the last one, and prints the record itself', async () => {
    const text = await explained('last', { '/decisions?limit=1': { decisions: [last] } }, '/router', true);
    expect(JSON.parse(text)).toEqual(last);
  });

  it('asks for the slowest one, and says when no request showed its first token', async () => {
    const routes = { '/requests?by=ttft&limit=1': { requests: [{ id: last.id }] }, '/decisions/ab12cd34-7': last };
    expect(await explained('slowest', routes)).toMatch(/^decision ab12cd34-7\n/);
    await server!.close();
    const none = { '/requests?by=ttft&limit=1': { requests: [] } };
    await expect(explained('slowest', none)).rejects.toThrow(/knows of no streamed answer/);
  });

  it('shows what is left of a chain whose other decisions have gone', async () => {
    expect(await explained('last', { '/decisions?limit=1': { decisions: [last] } })).not.toContain('All decisions');
  });

  it('says how long decisions are kept, or whose they are', async () => {
    const about = {
      '/config': { settings: [{ name: 'ROUTER_DECISIONS', value: '1000' }] },
      '/siblings': { router: 'ab12cd34' },
    };
    await expect(explained('ab12cd34-1', about)).rejects.toThrow(/no decision 'ab12cd34-1': it keeps its last 1000/);
    await server!.close();
    await expect(explained('ffffffff-1', about)).rejects.toThrow(
      /its ids begin with ab12cd34-: another router made it/,
    );
    await server!.close();
    await expect(explained('last', { '/decisions?limit=1': { decisions: [] } })).rejects.toThrow(/no decision yet/);
  });

  describe('of several routers', () => {
    const ofB = decision({ id: 'bb-2', atMs: last.atMs + 5, retryOf: 'bb-1' });
    const before = decision({ id: 'bb-1', followedBy: 'bb-2' });
    const about = (life: string) => ({
      config: { settings: [{ name: 'ROUTER_DECISIONS', value: '1000' }] },
      siblings: { router: life },
    });
    const start = async (services: object = {}) => {
      const routes: Record<string, object> = {
        'router-a/decisions?limit=1': { decisions: [last] },
        'router-b/decisions?limit=1': { decisions: [ofB] },
        'router-a/requests?by=ttft&limit=1': { requests: [{ id: last.id, ttftMs: 900 }] },
        'router-b/requests?by=ttft&limit=1': { requests: [{ id: ofB.id, ttftMs: 100 }] },
        [`router-a/decisions/${last.id}`]: last,
        'router-b/decisions/bb-2': ofB,
        'router-b/decisions/bb-1': before,
      };
      for (const [name, life] of [
        ['a', 'ab12cd34'],
        ['b', 'bb'],
      ] as const) {
        for (const [path, body] of Object.entries(about(life))) routes[`router-${name}/${path}`] = body;
      }
      const all = { 'router-a': READY, 'router-b': READY, 'router-c': GONE, ...services };
      server = await startAdminServer({
        '/readyz': { ready: true, checks: {} },
        '/healthz': { service: 'console' },
        '/services': { services: all },
        ...Object.fromEntries(Object.entries(routes).map(([path, body]) => [`/${path}`, body])),
      });
    };
    const say = async (id: string, rest: { router?: string; json?: boolean } = {}) => {
      const speaker = recorder();
      const options = { admin: server!.origin, token: null, all: false, sameAdmin: '', json: false, ...rest };
      await explain(id, options, speaker, last.atMs);
      return speaker.said;
    };

    it('asks the one that made it, also of the others of its request, and says who that was', async () => {
      await start();
      const { out, err } = await say('bb-2');
      expect(out).toMatch(/^decision bb-2\nmade .*, by router-b\n/);
      expect(out).toContain('bb-1 on w1');
      expect(err).toBe('without router-c: router-c cannot be reached: refused\n');
      expect(JSON.parse((await say('bb-2', { json: true })).out)).toEqual({ router: 'router-b', ...ofB });
    });

    it('knows the last and the slowest of all, and of one alone', async () => {
      await start();
      expect((await say('last')).out).toMatch(/^decision bb-2\n/);
      expect((await say('slowest')).out).toMatch(/^decision ab12cd34-7\n/);
      expect((await say('last', { router: 'router-a' })).out).toMatch(/^decision ab12cd34-7\nmade [^,]*, 0 ms ago\n/);
      await expect(say('last', { router: 'x' })).rejects.toThrow(
        /has no router 'x': it has router-a, router-b, router-c/,
      );
      await expect(say('last', { router: 'router-c' })).rejects.toThrow(/router-c cannot be reached: refused/);
    });

    it('says who made one that nobody keeps, or that nobody did', async () => {
      await start();
      await expect(say('bb-77')).rejects.toThrow(
        /none of .* has decision 'bb-77': router-b made it and keeps its last/,
      );
      await expect(say('zz-1')).rejects.toThrow(
        /router-a with ab12cd34-, those of router-b with bb-: another .*\. router-c was not asked: router-c cannot be reached/,
      );
    });

    it('is refused as a whole when one of them refuses the token', async () => {
      await start();
      await server!.close();
      const refused = [401, { error: { message: 'no' } }];
      server = await startAdminServer({
        '/readyz': { ready: true, services: { 'router-a': READY, 'router-b': READY } },
        '/router-a/decisions/x': refused,
        '/router-b/decisions/x': refused,
      });
      await expect(say('x')).rejects.toThrow(/answers 401: no\. Give its token/);
    });
  });

  it('says what is wrong with the address', async () => {
    const speaker = recorder();
    const at = (admin: string) =>
      explain('last', { admin, token: null, all: false, sameAdmin: '', json: false }, speaker, 0);
    server = await startAdminServer({ '/readyz': READY, '/healthz': { service: 'kv-index' } });
    await expect(at(server.origin)).rejects.toThrow(/is the admin API of kv-index, not of a router/);
    const { origin } = server;
    await server.close();
    await expect(at(origin)).rejects.toThrow(/cannot reach http:.*: connection refused\. Is Sluice running\?/);
    server = await startAdminServer({ '/readyz': [200, '<html>'] });
    await expect(at(server.origin)).rejects.toThrow(/does not speak as an admin API/);
    await server.close();
    server = await startAdminServer({});
    await expect(at(server.origin)).rejects.toThrow(/Is it the data plane, or another server/);
    await server.close();
    server = await startAdminServer({ '/readyz': [500, { error: { message: 'broken' } }] });
    await expect(at(server.origin)).rejects.toThrow(AdminError);
    await expect(at(server.origin)).rejects.toThrow(/answers 500: broken/);
  });
});
