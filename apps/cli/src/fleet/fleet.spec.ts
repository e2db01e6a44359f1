import { afterEach, describe, expect, it } from '@jest/globals';
import { recorder, startAdminServer } from '../testing/admin-server.ts';
import type { AdminServer } from '../testing/admin-server.ts';
import { printStatus } from './status.ts';
import { printWorkers } from './workers.ts';

const servers: AdminServer[] = [];
const start = async (routes: Record<string, unknown>): Promise<string> => {
  servers.push(await startAdminServer(routes));
  return servers.at(-1)!.origin;
};
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

const OK = { ready: true, checks: { bus: { ok: true, detail: 'connected' } } };
const BAD = {
  ready: false,
  checks: { workers: { ok: false, detail: '0 of 4 up' }, bus: { ok: true, detail: 'connected' } },
};

describe('status', () => {
  it('shows every service of every address, and whether all are ready', async () => {
    const several = await start({ '/readyz': [503, { ready: false, services: { 'kv-index': OK, router: BAD } }] });
    const alone = await start({ '/readyz': OK, '/healthz': { service: 'event-bridge' } });
    const speaker = recorder();
    expect(await printStatus({ admin: [several, alone], token: null, json: false }, speaker)).toBe(false);
    expect(speaker.said.out).toBe(
      [
        'kv-index: ready',
        '  ok   bus  connected',
        'router: not ready',
        '  BAD  workers  0 of 4 up',
        '  ok   bus      connected',
        'event-bridge: ready',
        '  ok   bus  connected',
        '',
      ].join('\n'),
    );
    expect(await printStatus({ admin: [alone], token: null, json: false }, recorder())).toBe(true);
  });

  it('goes on where one address does not answer, and has all of it as JSON', async () => {
    const gone = await start({});
    await servers.pop()!.close();
    const alone = await start({ '/readyz': OK, '/healthz': { service: 'router' } });
    const speaker = recorder();
    expect(await printStatus({ admin: [gone, alone], token: null, json: true }, speaker)).toBe(false);
    expect(JSON.parse(speaker.said.out)).toEqual({
      ready: false,
      admins: [
        { admin: gone, services: {}, error: expect.stringMatching(/connection refused/) },
        { admin: alone, services: { router: OK }, error: null },
      ],
    });
  });
});

describe('workers', () => {
  const worker = (id: string, rest: object = {}) => ({
    worker: id,
    pool: 'main',
    up: true,
    state: 'up',
    reason: '',
    prefixes: 'live',
    signalAgeMs: 120,
    blockTokens: 16,
    inflightRequests: 3,
    queuedPrefillTokens: 1500,
    siblingRequests: 0,
    siblingQueuedPrefillTokens: 0,
    waitingRequests: 0,
    kvUsage: 0.5,
    ...rest,
  });
  const routes = (workers: object[]) => ({
    '/readyz': OK,
    '/healthz': { service: 'router' },
    '/workers': { fleetVersion: 1, workers },
    '/index': { workers: [{ worker: 'w10', confidence: 'live', blocks: 400 }] },
  });

  it('are a table in 80 columns, in the order of their names, with the reason of those that are down', async () => {
    const down = worker('w2', { up: false, state: 'down', reason: 'refused', signalAgeMs: null, blockTokens: null });
    const admin = await start(routes([worker('w10'), down]));
    const speaker = recorder();
    await printWorkers({ admin, token: null, json: false }, speaker);
    expect(speaker.said.out).toBe(
      [
        'worker  state  requests  queued tok  waiting    KV  cached tok  index     age',
        'w2      down          3       1,500        0  50 %           -  live    never',
        'w10     up            3       1,500        0  50 %       6,400  live   120 ms',
        'w2 takes no requests: down, refused',
        '',
      ].join('\n'),
    );
  });

  it("tell siblings' requests from the router's own, and are JSON with their part of the index", async () => {
    const admin = await start(routes([worker('w10', { siblingRequests: 1, siblingQueuedPrefillTokens: 500 })]));
    const [text, json] = [recorder(), recorder()];
    await printWorkers({ admin, token: null, json: false }, text);
    expect(text.said.out).toMatch(/w10 +up +2\+1 +1,000\+500 /);
    await printWorkers({ admin, token: null, json: true }, json);
    expect(JSON.parse(json.said.out)).toMatchObject({
      workers: [{ worker: 'w10', index: { confidence: 'live', blocks: 400 } }],
    });
  });

  it('are those of several routers as one fleet, with what each says where they differ', async () => {
    const view = (workers: object[]) => ({ fleetVersion: 1, workers });
    const refused = { up: false, state: 'down', reason: 'refused' };
    const admin = await start({
      '/readyz': { ready: true, services: { 'router-a': OK, 'router-b': OK } },
      '/router-a/workers': view([worker('w1'), worker('w2', { kvUsage: 0.7 }), worker('w3', refused), worker('w4')]),
      '/router-b/workers': view([worker('w1', { inflightRequests: 2 }), worker('w2', refused), worker('w3', refused)]),
      '/router-a/index': { workers: [{ worker: 'w1', confidence: 'live', blocks: 400 }] },
      '/router-b/index': { workers: [{ worker: 'w1', confidence: 'incomplete', blocks: 300 }] },
    });
    const [text, json, one] = [recorder(), recorder(), recorder()];
    expect(await printWorkers({ admin, token: null, json: false }, text)).toBe(true);
    expect(text.said.out).toBe(
      [
        'worker  state    requests  queued tok  waiting    KV  cached tok  index     age',
        'w1      up              5       3,000        0  50 %       6,400  live   120 ms',
        'w2      differs         6       3,000        0  70 %           -  live   120 ms',
        'w3      down            6       3,000        0  50 %           -  live   120 ms',
        'w4      up              3       1,500        0  50 %           -  live   120 ms',
        'w2 takes no requests of router-b: down, refused',
        'w3 takes no requests: down, refused',
        'w4 takes no requests of router-b: it is not in its fleet',
        'As router-a, router-b see it together: what is in flight is counted once;',
        '  waiting, KV, cached tok and age are the largest that one of them has, index',
        '  the least. The view of one: --router NAME',
        '',
      ].join('\n'),
    );
    await printWorkers({ admin, token: null, json: true }, json);
    expect(JSON.parse(json.said.out)).toMatchObject({
      workers: [
        {
          ...{ worker: 'w1', state: 'up', inflightRequests: 5, index: { confidence: 'incomplete', blocks: 400 } },
          routers: { 'router-a': { inflightRequests: 3 }, 'router-b': { inflightRequests: 2, index: { blocks: 300 } } },
        },
        { worker: 'w2', state: 'differs', up: false, reason: 'refused' },
        { worker: 'w3', state: 'down' },
        { worker: 'w4', routers: { 'router-a': {} } },
      ],
    });
    await printWorkers({ admin, token: null, json: false, router: 'router-b' }, one);
    expect(one.said.out).toMatch(/^worker  state .*\nw1 +up +2 .*\nw2 +down .*\nw3 +down .*\nw2 takes no requests: /);
  });

  it('are shown without a router that does not answer, and that is said', async () => {
    const admin = await start({
      '/readyz': { ready: true, services: { 'router-a': OK, 'router-b': OK } },
      '/router-a/workers': { fleetVersion: 1, workers: [worker('w1')] },
      '/router-a/index': { workers: [] },
      '/router-b/workers': [502, { error: { message: 'router-b at http://b does not answer: refused' } }],
      '/router-b/index': [502, { error: { message: 'router-b at http://b does not answer: refused' } }],
    });
    const speaker = recorder();
    expect(await printWorkers({ admin, token: null, json: false }, speaker)).toBe(false);
    expect(speaker.said.out).toMatch(/^w1 +up/m);
    expect(speaker.said.err).toMatch(/^without router-b: .* answers 502: .*refused\n$/s);
    const none = { admin, token: null, json: false, router: 'router-b' };
    await expect(printWorkers(none, recorder())).rejects.toThrow(/answers 502/);
  });
});
