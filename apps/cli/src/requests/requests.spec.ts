import { afterEach, describe, expect, it } from '@jest/globals';
import type { Requests, RequestSummary } from '@sluice/contracts';
import { recorder, startAdminServer } from '../testing/admin-server.ts';
import type { AdminServer } from '../testing/admin-server.ts';
import { printRequests } from './requests.ts';
import type { RequestsOptions } from './requests.ts';

const OK = { ready: true, checks: {} };
const GONE = { ready: false, checks: { reached: { ok: false, detail: 'refused' } } };
const NOW = Date.UTC(2026, 0, 2, 3, 4, 5);
const slow: RequestSummary = {
  id: 'ab12cd34-7',
  atMs: NOW - 4200,
  pool: 'main',
  model: 'qwen3-32b',
  tenant: 'acme',
  worker: 'w1',
  promptTokens: 2015,
  cachedTokens: 1984,
  result: 'completed',
  status: 200,
  queuedMs: 810.2,
  ttftMs: 1240,
  predictedTtftMs: 400,
  ttftErrorMs: 30.4,
  ttftRegretMs: 12,
  tpotMs: 9.4,
  e2eMs: 2640,
};
const shed: RequestSummary = {
  ...slow,
  ...{ id: 'ab12cd34-8', result: 'overload', status: null, ttftMs: null, ttftErrorMs: null, tpotMs: null },
};

let server: AdminServer | null = null;
afterEach(async () => {
  await server?.close();
  server = null;
});

const NONE_FAILED: Readonly<Record<string, readonly RequestSummary[]>> = {
  'upstream-error': [],
  overload: [],
  'no-worker': [],
};

/** @param failed of the answer's requests that match its filters, by result */
async function printed(
  answer: Requests,
  path: string,
  options: Partial<RequestsOptions> = {},
  failed = NONE_FAILED,
): Promise<string> {
  const ready = { ready: true, services: { router: { ready: true, checks: {} } } };
  const lists = Object.entries(failed).map(([result, requests]) => [
    `/router/requests?by=newest&limit=10000${path.replace(/^by=\w+&limit=\d+/, '')}&result=${result}`,
    { ...answer, requests },
  ]);
  const routes = { '/readyz': ready, ...Object.fromEntries(lists), [`/router/requests?${path}`]: answer };
  server = await startAdminServer(routes);
  const speaker = recorder();
  const all: RequestsOptions = {
    admin: server.origin,
    token: null,
    by: 'ttft',
    limit: 10,
    json: false,
    sameAdmin: '',
    ...options,
  };
  await printRequests(all, speaker, NOW);
  return speaker.said.out;
}

describe('requests', () => {
  it('shows each with its times, how others ended, and what to type next', async () => {
    const answer = { requests: [slow, shed], keptRequests: 812, sinceMs: NOW - 180_000 };
    expect(await printed(answer, 'by=ttft&limit=10')).toMatchInlineSnapshot(`
      "Of 812 requests that the router still knows (oldest 3 min old), longest time to
        the first token first; times in ms, from the arrival.

      decision      age  worker  prompt  cached  queued   TTFT  error  TPOT    E2E
      ab12cd34-7  4.2 s  w1       2,015   1,984     810  1,240  +30.4  9.40  2,640
      ab12cd34-8  4.2 s  w1       2,015   1,984     810      -      -     -  2,640

      ab12cd34-8: overload

      Why: sluice explain ab12cd34-7
      "
    `);
  });

  it('counts what failed below those that were slow, and says how to see them', async () => {
    const answer = { requests: [slow], keptRequests: 812, sinceMs: NOW - 180_000 };
    const failed = { ...NONE_FAILED, 'upstream-error': [slow, slow], overload: [shed] };
    const options = { worker: 'w1', sameAdmin: ' --admin http://c' };
    const text = await printed(answer, 'by=ttft&limit=10&worker=w1', options, failed);
    expect(text.slice(text.indexOf('Why:'))).toBe(
      [
        'Why: sluice explain ab12cd34-7 --admin http://c',
        '2 failed: sluice requests --by newest --worker w1 --result upstream-error',
        '  --admin http://c',
        '1 failed: sluice requests --by newest --worker w1 --result overload --admin',
        '  http://c\n',
      ].join('\n'),
    );
    await server!.close();
    expect(await printed(answer, 'by=newest&limit=10', { by: 'newest' }, failed)).not.toContain('failed');
  });

  it('asks for what was asked of it, and prints that as it is', async () => {
    const answer = { requests: [slow], keptRequests: 1, sinceMs: slow.atMs };
    const path = 'by=regret&limit=3&within=60&pool=main&worker=w1&tenant=a+b&result=completed';
    const options = { limit: 3, within: 60, pool: 'main', worker: 'w1', tenant: 'a b', result: 'completed' };
    expect(await printed(answer, path, { ...options, by: 'regret' })).toMatch(/ error {2}regret +TPOT/);
    await server!.close();
    expect(JSON.parse(await printed(answer, path, { ...options, by: 'regret', json: true }))).toEqual(answer);
  });

  it('are of all routers in one order, each with its router', async () => {
    const answers: Record<string, Requests> = {
      a: { requests: [{ ...slow, ttftMs: 90 }], keptRequests: 5, sinceMs: NOW - 9000 },
      b: { requests: [slow, { ...slow, id: 'b-1', ttftMs: 70 }], keptRequests: 7, sinceMs: NOW - 180_000 },
      c: { requests: [], keptRequests: 0, sinceMs: null },
    };
    server = await startAdminServer({
      '/readyz': { ready: true, services: { 'router-a': OK, 'router-b': OK, 'router-c': OK, 'router-d': GONE } },
      ...Object.fromEntries(
        Object.entries(answers).flatMap(([name, answer]) => [
          [`/router-${name}/requests?by=ttft&limit=2`, answer],
          ...Object.keys(NONE_FAILED).map((result) => [
            `/router-${name}/requests?by=newest&limit=10000&result=${result}`,
            { ...answer, requests: result === 'overload' && name !== 'c' ? [shed] : [] },
          ]),
        ]),
      ),
    });
    const options = {
      admin: server.origin,
      token: null,
      by: 'ttft',
      limit: 2,
      json: true,
      sameAdmin: ' --admin http://c',
    } as const;
    const speaker = recorder();
    expect(await printRequests(options, speaker, NOW)).toBe(false);
    const { requests, ...rest } = JSON.parse(speaker.said.out) as { requests: object[] };
    expect(requests).toMatchObject([
      { router: 'router-b', ttftMs: 1240 },
      { router: 'router-a', ttftMs: 90 },
    ]);
    expect(rest).toEqual({ keptRequests: 12, sinceMs: NOW - 180_000 });
    expect(speaker.said.err).toBe('without router-d: router-d cannot be reached: refused\n');
    const wide = recorder(100);
    await printRequests({ ...options, json: false }, wide, NOW);
    expect(wide.said.out).toMatch(
      /^Of 12 requests that the routers still know .*E2E {2}router\n.* router-b\n.*\nWhy: sluice explain ab12cd34-7 --admin http:\/\/c\n2 failed: .* --by newest --result overload --admin http:\/\/c\n$/s,
    );
  });

  it('says when there is none', async () => {
    const none = { requests: [], keptRequests: 0, sinceMs: null };
    expect(await printed(none, 'by=ttft&limit=10')).toBe('This router has routed no request yet.\n');
    await server!.close();
    const others = await printed({ requests: [], keptRequests: 3, sinceMs: NOW - 5000 }, 'by=ttft&limit=10&worker=x', {
      worker: 'x',
    });
    expect(others).toMatch(
      /^Of 3 requests that the router still knows \(oldest 5\.0 s old\), .* None is\s+as\s+asked\s+for\.\n$/s,
    );
  });
});
