import { afterEach, describe, expect, it } from '@jest/globals';
import { startAdminServer } from '../testing/admin-server.ts';
import type { AdminServer } from '../testing/admin-server.ts';
import { examineRunning } from './running.ts';

const servers: AdminServer[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

const OK = { ready: true, checks: { bus: { ok: true, detail: 'connected' } } };
const worker = (id: string, rest: object = {}) => ({
  ...{ worker: id, pool: 'main', url: `http://${id}`, dpRank: null, variant: 'default', up: true, state: 'up' },
  ...{ reason: '', signalAgeMs: 50 },
  ...rest,
});
const rank = (id: string, rest: object = {}) => ({
  ...{ worker: id, pool: 'main', state: 'live', lagMs: 3, counters: { otherRank: 0, unknownEvents: 0 } },
  ...rest,
});

async function examine(workers: object[], ranks: object[], pools: object[] = [], services: object = {}) {
  const server = await startAdminServer({
    '/readyz': { ready: true, services: { router: OK, 'event-bridge': OK, ...services } },
    '/router/workers': { workers },
    '/router/index': { pools },
    '/event-bridge/ranks': { ranks },
  });
  servers.push(server);
  return examineRunning([server.origin], 'secret');
}
const codesOf = ({ findings }: { findings: readonly { code: string; subject: string }[] }): string[] =>
  findings.map(({ code, subject }) => `${code} ${subject}`);

describe('a running Sluice', () => {
  it('is well, and names its engines: ranks of one are one', async () => {
    const dp = [0, 1, 2].map((dpRank) => worker(`moe-dp${dpRank}`, { dpRank, url: 'http://moe', variant: 'big' }));
    const report = await examine([worker('a'), ...dp], [rank('a')], [{ pool: 'main', tokenizer: null, exact: true }]);
    expect(report.findings).toEqual([]);
    expect(report.engines).toEqual([
      { id: 'a', url: 'http://a', pool: 'main', variant: 'default', ranks: 1, tokenizer: null },
      { id: 'moe', url: 'http://moe', pool: 'main', variant: 'big', ranks: 3, tokenizer: null },
    ]);
    expect(servers[0]!.tokens).toEqual(new Set(['Bearer secret']));
  });

  it('tells what its services know to be wrong', async () => {
    const report = await examine(
      [worker('a', { up: false, state: 'down', reason: 'refused' }), worker('b', { signalAgeMs: 60_000 })],
      [
        rank('a', { state: 'waiting' }),
        rank('b', { state: 'incomplete', lagMs: 30_000, counters: { otherRank: 2, unknownEvents: 1 } }),
        { worker: 'c', pool: 'main', state: 'unread', reason: 'no event source' },
        rank('d', { state: 'disconnected' }),
      ],
      [{ pool: 'main', tokenizer: '/x', exact: false, reason: 'no chat template' }],
      {
        'kv-index': { ready: false, checks: { workers: { ok: false, detail: '0 of 2 are believed' } } },
        'latency-predictor': { ready: true, checks: { store: { ok: false, detail: 'disconnected' } } },
      },
    );
    expect(codesOf(report)).toEqual([
      'service-not-ready kv-index',
      'service-degraded latency-predictor',
      'worker-down worker a',
      'signals-stale worker b',
      'prompts-approximate pool main',
      'feed-waiting events of a',
      'feed-incomplete events of b',
      'events-other-rank events of b',
      'events-unknown events of b',
      'feed-late events of b',
      'feed-unread events of c',
      'feed-disconnected events of d',
    ]);
    expect(report.findings[0]!.fix).toContain('event-bridge');
  });

  it('is examined behind a console too: each router, by its name, and the rest without who does not answer', async () => {
    const gone = { ready: false, checks: { reached: { ok: false, detail: 'http://c does not answer: refused' } } };
    const server = await startAdminServer({
      '/readyz': { ready: true, checks: {} },
      '/healthz': { service: 'console' },
      '/services': { services: { 'router-a': OK, 'router-b': OK, 'router-c': gone, 'event-bridge': gone } },
      '/router-a/workers': { workers: [worker('a'), worker('b')] },
      '/router-b/workers': {
        workers: [worker('a'), worker('b', { url: 'http://astray', up: false, reason: 'refused' })],
      },
      '/router-a/index': { pools: [] },
      '/router-b/index': { pools: [{ pool: 'main', tokenizer: null, exact: false, reason: 'no tokenizer' }] },
    });
    servers.push(server);
    const report = await examineRunning([server.origin], null);
    expect(report.findings.map(({ subject, what }) => `${subject} ${what}`)).toEqual([
      "router-c its check 'reached' fails: http://c does not answer: refused",
      "event-bridge its check 'reached' fails: http://c does not answer: refused",
      'worker b router-b: takes no requests: refused',
      expect.stringMatching(/^pool main router-b: prompts are matched by text/),
    ]);
    expect(report.findings[0]!.fix).toContain('CONSOLE_SERVICES');
    expect(report.engines.map(({ id, url }) => `${id} ${url}`)).toEqual(['a http://a', 'b http://b']);
  });

  it('that wants a token is said to, and not to be started', async () => {
    const server = await startAdminServer({
      '/readyz': { ready: true, services: { router: OK } },
      '/router/workers': [401, { error: { message: 'no' } }],
      '/router/index': [401, { error: { message: 'no' } }],
    });
    servers.push(server);
    const { findings } = await examineRunning([server.origin], null);
    expect(findings.map(({ code, fix }) => `${code}: ${fix}`)).toEqual([
      'admin-unreachable: a token that may read: --token TOKEN, or SLUICE_ADMIN_TOKEN',
    ]);
  });

  it('is unreachable, in words', async () => {
    await examine([], []);
    const { origin } = servers[0]!;
    await servers.pop()!.close();
    const report = await examineRunning([origin], null);
    expect(codesOf(report)).toEqual([`admin-unreachable admin ${origin}`]);
  });
});
