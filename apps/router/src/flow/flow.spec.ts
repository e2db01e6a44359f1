import { connect } from 'node:net';
import type { ServerResponse } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { chatEvents, streamPieces, tick, until } from '@sluice/upstream/testing';
import type { Behaviour } from '@sluice/upstream/testing';
import {
  chat,
  pool,
  send,
  settableFleet,
  startRouter,
  startWorkerEngine,
  testConfig,
  worker,
} from '../testing/harness.ts';
import type { Answer, TestRouter, WorkerEngine } from '../testing/harness.ts';
import type { FlowConfig } from './flow-config.ts';

/** Some 100 tokens. */
const TEXT = 'word '.repeat(80);
const EVENTS = chatEvents(['a', 'b'], { prompt_tokens: 100, completion_tokens: 2 });
const names = (engine: WorkerEngine): string[] =>
  engine.received.map(({ body }) => (JSON.parse(String(body)) as { user: string }).user);

/** Answers that an engine owes, by the user that asked. */
const owed = new Map<string, ServerResponse>();
const owing: Behaviour = (request, response) => {
  owed.set((JSON.parse(String(request.body)) as { user: string }).user, response);
};
const answer = async (user: string): Promise<void> => {
  await until(() => owed.has(user), `the request of ${user}`);
  await streamPieces(owed.get(user)!, EVENTS);
};

let engines: WorkerEngine[];
let router: TestRouter;
let fleet: ReturnType<typeof settableFleet>;

/** One request's prefill at a time on each worker. */
const start = async (
  workers: number,
  limits: Partial<FlowConfig['limits']> = {},
  rest: Partial<FlowConfig> = {},
  policy: 'expected-latency' | 'round-robin' = 'expected-latency',
): Promise<void> => {
  fleet = settableFleet({ pools: [pool()], workers: engines.slice(0, workers).map((engine) => worker(engine)) });
  const { flow } = testConfig();
  const one = { ...flow.limits, backlogTokens: 1, ...limits };
  router = await startRouter(fleet, { policy, flow: { ...flow, ...rest, limits: one } });
  await router.untilUp(workers);
};
const ask = (user: string, headers: Record<string, string> = {}): Promise<Answer> =>
  send(router.url, { body: chat(`${user} ${TEXT}`, { stream: true, user }), headers });
/** Asks in turn, each only when the router has the one before. */
const askInTurn = async (users: readonly (readonly [user: string, headers: Record<string, string>])[]) => {
  const answers: Promise<Answer>[] = [];
  for (const [user, headers] of users) {
    const before = await router.metric('sluice_router_in_flight');
    answers.push(ask(user, headers));
    while ((await router.metric('sluice_router_in_flight')) === before) await tick();
    await tick(2);
  }
  return answers;
};
const held = (): Promise<number> => router.metric('sluice_router_queue_requests');

beforeEach(async () => {
  owed.clear();
  engines = await Promise.all(['a', 'b'].map((id) => startWorkerEngine(id, owing)));
});
afterEach(async () => {
  await router.untilIdle();
  expect(router.service.ledger()).toEqual({ requests: 0, tokens: 0 });
  expect(await held()).toBe(0);
  expect(await router.metric('sluice_router_queue_bytes')).toBe(0);
  await router.stop();
  await Promise.all(engines.map((engine) => engine.kill()));
});

describe('a request whose worker has no room', () => {
  it('waits for it, and the most urgent goes first', async () => {
    await start(1);
    const answers = await askInTurn([
      ['first', {}],
      ['low', { 'x-sluice-priority': '-1' }],
      ['normal', {}],
      ['urgent', { 'x-sluice-priority': '7' }],
    ]);
    expect(names(engines[0]!)).toEqual(['first']);
    expect(await held()).toBe(3);
    expect(await router.metric('sluice_router_queue_requests{pool="tiny",band="1"')).toBe(1);
    expect(await router.metric('sluice_router_worker_held_requests{pool="tiny",worker="a"')).toBe(3);
    for (const user of ['first', 'urgent', 'normal', 'low']) await answer(user);
    expect((await Promise.all(answers)).map(({ status, text }) => [status, text])).toEqual(
      Array(4).fill([200, EVENTS.join('')]),
    );
    expect(names(engines[0]!)).toEqual(['first', 'urgent', 'normal', 'low']);
    expect(await router.metric('sluice_router_queue_wait_seconds_count')).toBe(4);
  });

  it('gets its share however many another tenant has waiting', async () => {
    await start(1);
    const flood = Array.from({ length: 6 }, (_, i) => [`flood-${i}`, { 'x-sluice-tenant': 'flood' }] as const);
    const answers = await askInTurn([...flood, ['other', { authorization: 'Bearer other' }]]);
    for (const user of ['flood-0', 'other', 'flood-1', 'flood-2', 'flood-3', 'flood-4', 'flood-5']) await answer(user);
    await Promise.all(answers);
    expect(names(engines[0]!).slice(0, 3)).toEqual(['flood-0', 'other', 'flood-1']);
    const served = await router.metric('sluice_router_tenant_served_tokens_total{pool="tiny",tenant="flood"');
    expect(served).toBe(6 * (100 + 2 * 2));
  });

  it('says which workers were kept for others when its tenant floods', async () => {
    await start(2, { floodMs: 20 });
    const [other] = await askInTurn([['other', {}]]);
    await answer('other');
    await other;
    const flood = ['0', '1', '2'].map((user) => [user, { 'x-sluice-tenant': 'flood' }] as const);
    const answers = await askInTurn(flood);
    await tick(550); // less says nothing of what others need
    answers.push(...(await askInTurn([['3', { 'x-sluice-tenant': 'flood' }]])));
    // in the order in which they reach the engines: chance decides which worker the first one gets
    const waiting = new Set(['0', '1', '2', '3']);
    while (waiting.size > 0) {
      const next = () => [...waiting].find((user) => owed.has(user));
      await until(() => next() !== undefined, `one of ${[...waiting].join(', ')}`);
      const user = next()!;
      waiting.delete(user);
      await answer(user);
    }
    const { headers } = await answers[3]!;
    await Promise.all(answers);
    const { candidates, worker: chosen } = router.service.decision(String(headers['x-sluice-decision-id']))!;
    expect(chosen).toBe('b');
    expect(candidates.map((each) => [each.worker, each.up, each.keptForOthers, each.cost === null])).toEqual([
      ['a', true, true, true],
      ['b', true, false, false],
    ]);
  });

  it('shows its wait in the record of the decision and in TTFT', async () => {
    await start(1);
    const levels = { 'x-llm-d-slo-ttft-ms': '5000', 'x-sluice-tenant': 'acme' };
    const answers = await askInTurn([
      ['first', {}],
      ['second', levels],
    ]);
    await tick(120);
    await answer('first');
    await answer('second');
    const id = String((await answers[1]!).headers['x-sluice-decision-id']);
    await answers[0];
    expect(router.service.decision(id)).toMatchObject({
      level: { tenant: 'acme', priority: 0, ttftSloMs: 5000, tpotSloMs: null, deadlineMs: null },
      movedFrom: null,
      outcome: { result: 'completed', queuedMs: expect.any(Number) },
    });
    expect(router.service.decision(id)!.outcome!.queuedMs).toBeGreaterThan(100);
    expect(router.service.decision(id)!.outcome!.ttftMs).toBeLessThan(
      router.service.decision(id)!.outcome!.queuedMs + 20,
    );
    expect(await router.metric('sluice_router_ttft_seconds_sum')).toBeGreaterThan(0.1);
  });

  it('leaves at once when its client does, and lets the next one go', async () => {
    await start(1);
    const [first] = await askInTurn([['first', {}]]);
    const body = JSON.stringify(chat(TEXT, { stream: true, user: 'gone' }));
    const socket = connect(Number(new URL(router.url).port), '127.0.0.1');
    socket.write(`POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
    while ((await held()) === 0) await tick();
    socket.destroy();
    while ((await held()) > 0) await tick();
    expect(await router.metric('sluice_router_requests_total{model="tiny",code="499",result="client-abort"')).toBe(1);
    await answer('first');
    await first;
    expect(names(engines[0]!)).toEqual(['first']);
  });

  it('is turned away when its deadline passes, and when the queue is full', async () => {
    await start(1, { maxRequests: 1 });
    const [first, second] = await askInTurn([
      ['first', {}],
      ['second', { 'x-sluice-deadline-ms': '200' }],
    ]);
    const third = await ask('third');
    expect([third.status, third.headers['retry-after'], third.headers['x-sluice-shed-reason']]).toEqual([
      429,
      '1',
      'queue-full',
    ]);
    expect(JSON.parse(third.text)).toMatchObject({
      error: { type: 'RateLimitError', code: 429, message: 'Too many requests are waiting (1 of 1 requests wait)' },
    });
    const late = await second!;
    expect([late.status, late.headers['x-sluice-shed-reason']]).toEqual([429, 'expired']);
    expect(JSON.parse(late.text)).toMatchObject({
      error: { message: 'The deadline of the request passed while it waited (200 ms)' },
    });
    expect(late.headers['x-llm-d-request-dropped-reason']).toBe('rejected-ttl-expired');
    expect(await router.metric('sluice_router_shed_total{pool="tiny",band="0",reason="expired"')).toBe(1);
    expect(await router.metric('sluice_router_requests_total{model="tiny",code="429",result="overload"')).toBe(2);
    await answer('first');
    await first;
    expect(names(engines[0]!)).toEqual(['first']);
  });

  it('makes way for a more urgent one when the queue is full', async () => {
    await start(1, { maxRequests: 1 });
    const [first, second] = await askInTurn([
      ['first', {}],
      ['second', { 'x-sluice-priority': '-1' }],
    ]);
    const third = ask('third', { 'x-sluice-priority': '1' });
    const displaced = await second!;
    expect([displaced.status, displaced.headers['x-sluice-shed-reason']]).toEqual([429, 'displaced']);
    await answer('first');
    await answer('third');
    expect([(await first!).status, (await third).status]).toEqual([200, 200]);
  });

  it('goes to another worker when its own fails, and is refused when there is none', async () => {
    await start(2);
    const answers = await askInTurn(['1', '2', '3', '4'].map((user) => [user, {}] as const));
    expect(await held()).toBe(2);
    for (const engine of engines) await until(() => engine.received.length === 1, 'one request at each');
    const [survivor, victim] = [engines[0]!, engines[1]!];
    await victim.kill();
    // what the victim had is tried again on the survivor, behind those that waited longer
    const all = new Set(['1', '2', '3', '4']);
    while (names(survivor).length < 4) {
      for (const user of names(survivor)) {
        if (!all.delete(user)) continue;
        await answer(user);
      }
      await tick();
    }
    for (const user of all) await answer(user);
    expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([200, 200, 200, 200]);
  });

  it('is answered 503 when the last engine goes', async () => {
    await start(1);
    const answers = await askInTurn(['1', '2', '3'].map((user) => [user, {}] as const));
    await engines[0]!.kill();
    const codes = (await Promise.all(answers)).map(({ status }) => status);
    expect(codes.every((code) => code === 502 || code === 503)).toBe(true);
    expect(codes).toContain(503);
  });

  it('is answered when its worker leaves the fleet', async () => {
    await start(2);
    const answers = await askInTurn(['1', '2', '3', '4'].map((user) => [user, {}] as const));
    fleet.set({ pools: [pool()], workers: [worker(engines[0]!)] });
    const users = new Set(['1', '2', '3', '4']);
    while (users.size > 0) {
      for (const user of owed.keys()) if (users.delete(user)) await answer(user);
      await tick();
    }
    expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    expect(names(engines[0]!)).toHaveLength(3);
  });

  it('is still served while the router stops, as long as that may take', async () => {
    await start(1);
    const answers = await askInTurn(['1', '2'].map((user) => [user, {}] as const));
    const stopped = router.service.stop();
    await answer('1');
    await answer('2');
    expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([200, 200]);
    await stopped;
  });
});

describe('nothing is held', () => {
  const sendsAll = async (): Promise<void> => {
    const answers = await askInTurn(['1', '2', '3'].map((user) => [user, {}] as const));
    await until(() => engines[0]!.received.length === 3, 'all at the engine');
    for (const user of ['1', '2', '3']) await answer(user);
    await Promise.all(answers);
  };
  it('when it is switched off', async () => {
    await start(1, {}, { hold: false });
    await sendsAll();
  });
  it('under a policy that does not decide in milliseconds', async () => {
    await start(1, {}, {}, 'round-robin');
    await sendsAll();
  });
});
