import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { chatEvents, streamPieces, tick, until } from '@sluice/upstream/testing';
import type { Behaviour } from '@sluice/upstream/testing';
import { chat, pool, send, settableFleet, startRouter, startWorkerEngine, worker } from './testing/harness.ts';
import type { TestRouter, WorkerEngine } from './testing/harness.ts';

const EVENTS = chatEvents(['a', 'b'], { prompt_tokens: 5, completion_tokens: 2 });
const fine: Behaviour = (_request, response) => streamPieces(response, EVENTS);
const streamed = chat('x', { stream: true });

let a: WorkerEngine;
let b: WorkerEngine;
let router: TestRouter;
let fleet: ReturnType<typeof settableFleet>;

beforeEach(async () => {
  a = await startWorkerEngine('a', fine);
  b = await startWorkerEngine('b', fine);
  fleet = settableFleet({ pools: [pool()], workers: [worker(a), worker(b)] });
  // Round robin sends every other request to the engine that fails.
  router = await startRouter(fleet, { policy: 'round-robin' });
  await router.untilUp(2);
});
afterEach(async () => {
  // Whatever a spec did: nothing is left in flight, in tokens or in requests.
  await router.untilIdle();
  expect(router.service.ledger()).toEqual({ requests: 0, tokens: 0 });
  await router.stop();
  await Promise.all([a.kill(), b.kill()]);
});

const sendSome = (count: number) =>
  Promise.all(Array.from({ length: count }, () => send(router.url, { body: streamed })));

describe('an engine that fails before the first byte', () => {
  const failures: [name: string, behaviour: Behaviour][] = [
    ['closes the connection', (_request, response) => void response.destroy()],
    [
      'sends a head and closes',
      async (_request, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
        await tick(5);
        response.destroy();
      },
    ],
    ['answers 500', (_request, response) => void response.writeHead(500).end('{"error":{"message":"EngineCore"}}')],
    [
      'says so in its first event',
      (_request, response) =>
        streamPieces(response, ['data: {"error": {"message": "EngineCore", "code": 500}}\n\n', 'data: [DONE]\n\n']),
    ],
  ];
  it.each(failures)('%s: the request is answered by another one', async (_name, behaviour) => {
    a.behave(behaviour);
    const answers = await sendSome(8);
    for (const answer of answers) {
      expect([answer.status, answer.text, answer.headers['x-sluice-worker']]).toEqual([200, EVENTS.join(''), 'b']);
    }
    expect(await router.metric('sluice_router_retries_total')).toBeGreaterThan(0);
    expect(await router.metric('sluice_router_requests_total{model="tiny",code="200",result="completed"')).toBe(8);
  });

  it('refuses connections: out at once, its requests answered by another one, back when it is', async () => {
    await a.kill();
    const answers = await sendSome(6);
    expect(answers.map(({ status, text }) => [status, text])).toEqual(Array(6).fill([200, EVENTS.join('')]));
    await router.untilUp(1);
    await a.restart();
    await router.untilUp(2);
    await sendSome(4);
    expect(a.received.length).toBeGreaterThan(0);
  });

  it('falls silent while it is being stopped: requests without a first byte go elsewhere', async () => {
    a.behave(() => undefined);
    const answers = sendSome(2);
    await until(() => a.received.length === 1, 'the request at a');
    a.load.healthStatus = 503;
    expect((await answers).map(({ status }) => status)).toEqual([200, 200]);
    expect(a.aborted()).toBe(1);
  });

  it('closes an idle connection just as a request comes: it is asked again, and answers each once', async () => {
    await b.kill();
    await router.untilUp(1);
    const used = new WeakSet<object>();
    a.behave((request, response) => {
      if (used.has(response.socket!)) return void response.destroy();
      used.add(response.socket!);
      return fine(request, response);
    });
    for (let i = 1; i <= 6; i++) {
      const answer = await send(router.url, { body: streamed });
      expect([answer.status, answer.text]).toEqual([200, EVENTS.join('')]);
    }
    expect(a.received).toHaveLength(11);
    expect(await router.metric('sluice_router_retries_total{cause="upstream-closed-before-first-byte"')).toBe(5);
  });

  it('is the only one: the client gets an error object and may come again', async () => {
    await b.kill();
    await router.untilUp(1);
    a.behave((_request, response) => void response.destroy());
    const closed = await send(router.url, { body: streamed });
    expect(closed.status).toBe(502);
    expect(JSON.parse(closed.text)).toMatchObject({ error: { code: 502, type: 'BadGatewayError' } });
    expect(a.received).toHaveLength(3);
    a.behave(
      (_request, response) =>
        void response.writeHead(500, { 'content-type': 'application/json' }).end('{"error":{"message":"own words"}}'),
    );
    const failed = await send(router.url, { body: streamed });
    expect([failed.status, failed.text]).toEqual([500, '{"error":{"message":"own words"}}']);
    await a.kill();
    await until(() => !router.service.status().ready, 'not ready');
    const none = await send(router.url, { body: streamed });
    expect([none.status, none.headers['retry-after']]).toEqual([503, '1']);
    expect(JSON.parse(none.text)).toMatchObject({
      error: { code: 503, message: expect.stringMatching(/No engine of 'tiny'/) },
    });
  });
});

describe('an engine that fails after the first byte', () => {
  it('in the middle of an event: the stream ends with a whole error event, and only that request fails', async () => {
    a.behave(async (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(`${EVENTS[0]}${EVENTS[1]}data: {"choi`);
      await tick(10);
      response.destroy();
    });
    const answers = await sendSome(4);
    for (const answer of answers) {
      expect([answer.status, answer.complete]).toEqual([200, true]);
      const events = answer.text.split('\n\n').filter((event) => event !== '');
      const last = events.at(-1)!.slice('data: '.length);
      if (answer.headers['x-sluice-worker'] === 'a') expect(JSON.parse(last)).toMatchObject({ error: { code: 502 } });
      else expect(last).toBe('[DONE]');
      for (const event of events.slice(0, -1)) expect(() => JSON.parse(event.slice(6)) as unknown).not.toThrow();
    }
    await router.untilIdle();
    expect(await router.metric('sluice_router_requests_total{model="tiny",code="502",result="upstream-error"')).toBe(2);
  });
});

describe('retries', () => {
  it('never happen once a byte of a body was passed on, whatever the engine does then', async () => {
    const ends: Behaviour[] = [
      (_request, response) => void response.destroy(),
      (_request, response) => void response.end('data: {"error": {"message": "EngineCore", "code": 500}}\n\n'),
      (_request, response) => void response.socket!.end('zz\r\n'),
    ];
    for (const end of ends) {
      const before = a.received.length + b.received.length;
      for (const engine of [a, b]) {
        engine.behave(async (request, response) => {
          response.writeHead(200, { 'content-type': 'text/event-stream' });
          response.write(EVENTS[0]!);
          await tick(10);
          await end(request, response);
        });
      }
      const answer = await send(router.url, { body: streamed });
      expect(answer.text.split(EVENTS[0]!)).toHaveLength(2);
      expect(answer.text).toMatch(/data: \{"error":.*\}\n\n$/);
      expect(a.received.length + b.received.length).toBe(before + 1);
    }
    expect(await router.metric('sluice_router_retries_total')).toBe(0);
  });
});

describe('a client that leaves', () => {
  it.each([true, false])('ends its request at the engine (streaming: %s)', async (streaming) => {
    for (const engine of [a, b]) {
      engine.behave((_request, response) => {
        if (!streaming) return;
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.write(EVENTS[1]!);
      });
    }
    const sockets = Array.from({ length: 6 }, () => connect(Number(new URL(router.url).port), '127.0.0.1'));
    const body = JSON.stringify(streamed);
    for (const socket of sockets) {
      socket.write(`POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
    }
    await until(() => a.received.length + b.received.length === 6, 'the requests');
    expect(router.service.ledger().requests).toBe(6);
    for (const socket of sockets) socket.destroy();
    await until(() => a.aborted() + b.aborted() === 6, 'the aborts');
    await router.untilIdle();
    expect(await router.metric('sluice_router_requests_total{model="tiny",code="499",result="client-abort"')).toBe(6);
    expect(await router.metric('sluice_router_upstream_errors_total')).toBe(0);
  });
});

describe('health', () => {
  it('sends nothing to an engine that never answered', async () => {
    const silent = await startWorkerEngine('c', fine);
    silent.load.answers = false;
    fleet.set({ pools: [pool()], workers: [worker(a), worker(b), worker(silent)] });
    const answers = await sendSome(12);
    expect(answers.every(({ status }) => status === 200)).toBe(true);
    expect(silent.received).toHaveLength(0);
    expect(router.service.status().checks['workers']!.detail).toBe('2 of 3 up');
    silent.load.answers = true;
    await router.untilUp(3);
    await silent.kill();
    await router.untilUp(2);
  });

  it('asks for the few samples it reads, and for the whole page where the engine knows no names', async () => {
    const named = await startWorkerEngine('c', fine);
    named.load.servesNames = true;
    fleet.set({ pools: [pool()], workers: [worker(a), worker(b), worker(named)] });
    await router.untilUp(3);
    await until(() => named.looks.named > 3 && a.looks.whole > 3, 'several looks');
    expect(named.looks.whole).toBe(0);
    expect(a.looks.named).toBe(1);
    named.load.servesNames = false;
    await until(() => named.looks.whole > 1, 'the whole page');
    expect(router.service.status().checks['workers']!.detail).toBe('3 of 3 up');
    named.load.servesNames = true;
    await named.kill();
    await router.untilUp(2);
    await named.restart();
    await router.untilUp(3);
    const { whole } = named.looks;
    const before = named.looks.named;
    await until(() => named.looks.named > before + 2, 'several looks');
    expect(named.looks.whole).toBe(whole);
    await named.kill();
  });

  it('holds an engine out that calls itself healthy and fails its requests, but not the last one', async () => {
    a.behave((_request, response) => void response.writeHead(500).end('{"error":{"message":"no"}}'));
    for (let i = 0; i < 14; i++) expect((await send(router.url, { body: streamed })).status).toBe(200);
    expect(a.received).toHaveLength(5);
    expect(router.service.status().checks['workers']!.detail).toBe('1 of 2 up');
    await router.untilUp(2);
    b.behave((_request, response) => void response.destroy());
    a.behave(fine);
    for (let i = 0; i < 14; i++) expect((await send(router.url, { body: streamed })).status).toBe(200);
    a.behave((_request, response) => void response.destroy());
    for (let i = 0; i < 6; i++) expect((await send(router.url, { body: streamed })).status).toBe(502);
  }, 30_000);

  it('takes an engine out that answers its metrics but not its health, and one that hangs', async () => {
    a.load.healthStatus = 503;
    await router.untilUp(1);
    a.load.healthStatus = 200;
    await router.untilUp(2);
    b.load.answers = false;
    await router.untilUp(1);
    for (const answer of await sendSome(4)) expect(answer.headers['x-sluice-worker']).toBe('a');
  });

  it('follows the fleet: workers that come are used, requests on those that leave finish', async () => {
    a.behave(async (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(EVENTS[0]!);
      await tick(100);
      response.end(EVENTS.slice(1).join(''));
    });
    const onOld = sendSome(2);
    await until(() => a.received.length === 1, 'the request at a');
    const c = await startWorkerEngine('c', fine);
    fleet.set({ pools: [pool(), pool('other')], workers: [worker(b), worker(c), worker(a, 'other')] });
    for (const answer of await onOld) expect(answer.text).toBe(EVENTS.join(''));
    await router.untilUp(3);
    await sendSome(4);
    expect(c.received).toHaveLength(2);
    expect(
      (await send(router.url, { body: chat('x', { model: 'other', stream: true }) })).headers['x-sluice-worker'],
    ).toBe('a');
    fleet.set({ pools: [pool()], workers: [worker(b), worker(c)] });
    expect((await send(router.url, { body: chat('x', { model: 'other' }) })).status).toBe(404);
    fleet.set({ pools: [pool()], workers: [worker(b)] });
    await c.kill();
    expect((await sendSome(3)).map(({ status }) => status)).toEqual([200, 200, 200]);
  });
});
