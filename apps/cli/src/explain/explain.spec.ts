import { afterEach, describe, expect, it } from '@jest/globals';
import { AdminError } from '../admin-client.ts';
import { recorder, startAdminServer } from '../testing/admin-server.ts';
import type { AdminServer } from '../testing/admin-server.ts';
import { decision } from '../testing/decisions.ts';
import { explain } from './explain.ts';

const READY = { ready: true, checks: {} };
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
  await explain(id, { admin: server.origin, token: null, all: false, json }, speaker, last.atMs);
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

  it('says what is wrong with the address', async () => {
    const speaker = recorder();
    const at = (admin: string) => explain('last', { admin, token: null, all: false, json: false }, speaker, 0);
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
