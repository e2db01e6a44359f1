import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { chatEvents, streamPieces } from '@sluice/upstream/testing';
import { chat, send } from '../testing/harness.ts';
import { serveRouter } from '../testing/served-router.ts';
import type { ServedRouter } from '../testing/served-router.ts';

let router: ServedRouter;

beforeEach(async () => {
  router = await serveRouter((_request, response) => streamPieces(response, chatEvents(['x'])), { decisions: 3 });
});
afterEach(() => router.stop());

const get = async (path: string): Promise<{ status: number; body: Record<string, unknown> }> => {
  const answer = await send(router.running.url, { method: 'GET', path });
  return { status: answer.status, body: JSON.parse(answer.text) as Record<string, unknown> };
};
const json = { 'content-type': 'application/json' };

describe('admin API', () => {
  it('shows workers with signals, ledger and latency parameters', async () => {
    const { body } = await get('/workers');
    expect(body).toMatchObject({
      fleetVersion: 1,
      workers: [
        {
          worker: 'a',
          up: true,
          state: 'up',
          prefixes: 'approximate',
          kvCapacityTokens: 16_000,
          blockTokens: 16,
          inflightRequests: 0,
          step: { t0Ms: expect.any(Number) },
        },
      ],
    });
  });

  it('shows the last decisions with every term, and one by the id of its answer', async () => {
    const ids: string[] = [];
    for (let i = 0; i < 5; i++) {
      ids.push(
        String(
          (await send(router.dataPlane, { body: chat(`x${i}`, { stream: true }) })).headers['x-sluice-decision-id'],
        ),
      );
    }
    const { body } = await get('/decisions?limit=10');
    const decisions = body['decisions'] as { id: string }[];
    expect(decisions.map(({ id }) => id)).toEqual(ids.slice(2).reverse());
    expect((await get(`/decisions/${ids[4]}`)).body).toMatchObject({
      id: ids[4],
      policy: 'expected-latency',
      unit: 'ms',
      worker: 'a',
      candidates: [
        {
          worker: 'a',
          up: true,
          cost: expect.any(Number),
          terms: { ttft: expect.any(Number), duplicate: expect.any(Number) },
        },
      ],
      outcome: { result: 'completed', status: 200, ttftMs: expect.any(Number) },
    });
    expect((await get(`/decisions/${ids[0]}`)).status).toBe(404);
    expect((await get('/decisions/nonsense')).status).toBe(404);
    expect((await get('/decisions?limit=0')).status).toBe(400);
  });

  it('switches the policy', async () => {
    const put = (policy: unknown) =>
      send(router.running.url, { method: 'PUT', path: '/policy', headers: json, body: { policy } as object });
    expect((await put('round-robin')).status).toBe(200);
    expect((await get('/policy')).body).toMatchObject({
      policy: 'round-robin',
      known: expect.arrayContaining(['expected-latency']),
    });
    await send(router.dataPlane, { body: chat('x') });
    expect((await get('/decisions?limit=1')).body).toMatchObject({ decisions: [{ policy: 'round-robin' }] });
    for (const bad of ['nope', 7]) expect((await put(bad)).status).toBe(400);
    expect((await get('/config')).body).toMatchObject({ version: 1 });
    expect((await get('/policy')).body).toMatchObject({ policy: 'round-robin' });
  });

  it('lists requests by what was slow about them', async () => {
    const ids: string[] = [];
    for (let i = 0; i < 2; i++) {
      const { headers } = await send(router.dataPlane, {
        body: chat('x', { stream: true }),
        headers: { 'x-sluice-tenant': `t${i}` },
      });
      ids.push(String(headers['x-sluice-decision-id']));
    }
    const { body } = await get('/requests?by=ttft&tenant=t1&within=60');
    expect(body).toMatchObject({
      requests: [{ id: ids[1], tenant: 't1', worker: 'a', result: 'completed', ttftMs: expect.any(Number) }],
      keptRequests: 2,
      sinceMs: expect.any(Number),
    });
    expect((await get('/requests?result=rejected')).body).toMatchObject({ requests: [] });
    expect((await get('/requests?by=slowness')).status).toBe(400);
    expect((await get('/requests?since=5')).status).toBe(400);
  });

  it('asks shadow policies about live decisions, and says what came of it', async () => {
    const put = (body: object) => send(router.running.url, { method: 'PUT', path: '/shadow', headers: json, body });
    expect((await get('/shadow')).body).toMatchObject({ policies: [], sample: 0.1, pools: [] });
    expect((await put({ policies: ['random', 'round-robin'], sample: 1 })).status).toBe(200);
    await send(router.dataPlane, { body: chat('x', { stream: true }) });
    const regret = { ttftRegretMs: 0, e2eRegretMs: 0 };
    expect((await get('/decisions?limit=1')).body).toMatchObject({
      decisions: [
        {
          shadows: [
            { policy: 'random', worker: 'a', agrees: true, ttftMs: expect.any(Number), ...regret },
            { policy: 'round-robin', worker: 'a', agrees: true, e2eMs: expect.any(Number), ...regret },
          ],
          outcome: { heldMs: expect.any(Number), ttftErrorMs: expect.any(Number), ttftRegretMs: expect.any(Number) },
        },
      ],
    });
    const counted = { decisions: 1, agreed: 1, agreement: 1, compared: 1, meanTtftRegretMs: 0, meanE2eRegretMs: 0 };
    expect((await get('/shadow')).body).toMatchObject({
      policies: ['random', 'round-robin'],
      sample: 1,
      pools: [
        {
          pool: 'tiny',
          against: 'expected-latency',
          shadows: [
            { policy: 'random', ...counted },
            { policy: 'round-robin', ...counted },
          ],
        },
      ],
    });
    const { text } = await send(router.running.url, { method: 'GET', path: '/metrics' });
    expect(text).toContain('sluice_router_shadow_decisions_total{pool="tiny",policy="random",choice="agree"');
    expect(text).toMatch(/sluice_router_ttft_error_seconds_count{[^}]*pool="tiny"[^}]*} 1\n/);
    expect(text).toMatch(/sluice_router_ttft_regret_seconds_count{[^}]*pool="tiny"[^}]*} 1\n/);

    for (const bad of [{ policies: ['nope'] }, { policies: ['p2c', 'p2c'] }, { policies: [], sample: 2 }, {}]) {
      expect((await put(bad)).status).toBe(400);
    }
    expect((await put({ policies: [] })).status).toBe(200);
    await send(router.dataPlane, { body: chat('x') });
    expect((await get('/decisions?limit=1')).body).toMatchObject({ decisions: [{ shadows: [] }] });
    expect((await get('/shadow')).body).toMatchObject({ policies: [], sample: 1, pools: [] });
  });

  it('shows the configuration without secrets, and the state of the index', async () => {
    const { body } = await get('/config');
    expect(body).toMatchObject({ service: 'router', version: 0, overrides: { kept: 'memory' }, problems: [] });
    expect(body['settings']).toEqual(
      expect.arrayContaining([
        expect.objectContaining({
          name: 'ROUTER_POLICY',
          value: 'expected-latency',
          source: 'default',
          reload: 'live',
        }),
        expect.objectContaining({ name: 'SLUICE_FLEET', value: 'unused', source: 'environment', reload: 'restart' }),
      ]),
    );
    expect((await get('/index')).body).toMatchObject({
      busConnected: true,
      pools: [{ pool: 'tiny', exact: false, reason: 'no tokenizer is configured' }],
      workers: [{ worker: 'a', confidence: 'none', epoch: null }],
    });
  });

  it('shows sibling routers by pool', async () => {
    const { body } = await get('/siblings');
    expect(body).toEqual({
      router: expect.stringMatching(/^[0-9a-f]{8}$/),
      busConnected: true,
      pools: [{ pool: 'tiny', siblings: [] }],
    });
  });

  it('renders a prompt', async () => {
    const answer = await send(router.running.url, { path: '/render', headers: json, body: chat('hello') });
    expect([answer.status, JSON.parse(answer.text)]).toMatchObject([
      200,
      { pool: 'tiny', exact: false, text: 'user: hello\n', workers: [{ worker: 'a', cachedTokens: 0 }] },
    ]);
    expect((await send(router.running.url, { path: '/render', headers: json, body: { model: 'nope' } })).status).toBe(
      404,
    );
  });

  it('has its metrics', async () => {
    const metrics = await send(router.running.url, { method: 'GET', path: '/metrics' });
    for (const name of ['sluice_router_in_flight', 'sluice_router_workers', 'sluice_router_decision_seconds']) {
      expect(metrics.text).toContain(name);
    }
    expect((await get('/readyz')).status).toBe(200);
  });
});
