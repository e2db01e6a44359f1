import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { chatEvents, streamPieces, tick, until } from '@sluice/upstream/testing';
import type { Behaviour } from '@sluice/upstream/testing';
import { chat, pool, send, settableFleet, startRouter, startWorkerEngine, worker } from '../testing/harness.ts';
import type { Answer, TestRouter, WorkerEngine } from '../testing/harness.ts';

const json: Behaviour = (_request, response) => {
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end('{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2}}');
};

interface ErrorBody {
  readonly error: {
    readonly message: string;
    readonly type: string;
    readonly param: string | null;
    readonly code: number;
  };
}
const errorOf = (text: string): ErrorBody['error'] => (JSON.parse(text) as ErrorBody).error;

let engines: WorkerEngine[];
let router: TestRouter;
const start = async (overrides: Parameters<typeof startRouter>[1] = {}): Promise<void> => {
  const pools = [pool('tiny', { models: ['tiny', 'alias', 'lora-one'], loras: ['lora-one'] }), pool('ranked')];
  const workers = [worker(engines[0]!), worker(engines[1]!), worker(engines[2]!, 'ranked', { dpRank: 1 })];
  router = await startRouter(settableFleet({ pools, workers }), { maxBodyBytes: 64 * 1024, ...overrides });
  await router.untilUp(3);
};

beforeEach(async () => {
  engines = await Promise.all(['a', 'b', 'c'].map((id) => startWorkerEngine(id, json)));
});
afterEach(async () => {
  await router.stop();
  await Promise.all(engines.map((engine) => engine.kill()));
});
const received = () => engines.flatMap((engine) => engine.received);

describe('data plane', () => {
  it('forwards the body byte for byte, strips what names a destination, adds what says where it went', async () => {
    await start();
    const body = Buffer.from(
      '{ "model":"tiny",\n"messages":[{"content":"<&>\u00e4","role":"user"}], "seed": 9007199254740993, "seed2":1.0}',
    );
    const answer = await send(router.url, {
      body,
      headers: {
        'x-gateway-destination-endpoint': '10.0.0.1:80',
        'X-Data-Parallel-Rank': '7',
        'x-prefiller-host-port': '10.0.0.1:80',
        'x-sluice-worker': 'b',
        'x-request-id': 'r-1',
        authorization: 'Bearer k',
      },
    });
    expect(answer.status).toBe(200);
    const [seen] = received();
    expect(seen!.body.equals(body)).toBe(true);
    for (const name of Object.keys(seen!.headers)) expect(name).not.toMatch(/^x-(sluice|gateway|data|prefiller)/);
    expect(seen!.headers).toMatchObject({ 'x-request-id': 'r-1', authorization: 'Bearer k' });
    expect(['a', 'b']).toContain(answer.headers['x-sluice-worker']);
    expect(answer.headers['x-sluice-decision-id']).toMatch(/^[0-9a-f]{8}-0$/);
    expect(answer.headers['x-request-id']).toBe('r-1');
  });

  it('names the rank of a worker that has one', async () => {
    await start();
    await send(router.url, { body: chat('x', { model: 'ranked' }), headers: { 'x-data-parallel-rank': '0' } });
    expect(engines[2]!.received[0]!.headers['x-data-parallel-rank']).toBe('1');
  });

  it('streams an answer as it is and counts it', async () => {
    await start();
    const events = chatEvents(['a', 'b', 'c'], { prompt_tokens: 5, completion_tokens: 3 });
    for (const engine of engines) engine.behave((_request, response) => void streamPieces(response, events));
    const answer = await send(router.url, { body: chat('x', { stream: true }) });
    expect(answer.text).toBe(events.join(''));
    await router.untilIdle();
    expect(await router.metric('sluice_router_requests_total{model="tiny",code="200",result="completed"')).toBe(1);
    expect(await router.metric('sluice_router_ttft_seconds_count')).toBe(1);
  });

  it('lets the answers of engines to bad requests through, and holds nothing against them', async () => {
    await start();
    const error =
      '{"error":{"message":"max_tokens must be at least 1, got -1.","type":"BadRequestError","param":"max_tokens","code":400}}';
    for (const engine of engines) {
      engine.behave(
        (_request, response) => void response.writeHead(400, { 'content-type': 'application/json' }).end(error),
      );
    }
    for (let i = 0; i < 6; i++) {
      const answer = await send(router.url, { body: chat('x', { max_tokens: -1 }) });
      expect([answer.status, answer.text]).toEqual([400, error]);
    }
    expect(router.service.status().checks['workers']!.ok).toBe(true);
    expect(await router.metric('sluice_router_upstream_errors_total')).toBe(0);
    expect(received()).toHaveLength(6);
  });

  it('answers bad requests itself with OpenAI error objects and never asks an engine', async () => {
    await start();
    const cases: [body: string, status: number, message: RegExp][] = [
      ['{"model": "tiny", "messages": [', 400, /not valid JSON/],
      ['', 400, /empty/],
      ['[1,2]', 400, /JSON object/],
      ['null', 400, /JSON object/],
      ['{"model": 7}', 400, /model/],
      ['{"messages":[]}', 400, /model is required.*tiny/],
      ['{"model":"nope"}', 404, /`nope` does not exist.*tiny, alias, lora-one, ranked/],
    ];
    for (const [body, status, message] of cases) {
      const answer = await send(router.url, { body });
      expect([body, answer.status, answer.headers['content-type']]).toEqual([body, status, 'application/json']);
      expect(errorOf(answer.text)).toMatchObject({
        code: status,
        message: expect.stringMatching(message),
        type: expect.any(String),
      });
    }
    expect(received()).toHaveLength(0);
    expect(await router.metric('sluice_router_requests_total{model="unknown"')).toBe(cases.length);
  });

  it('refuses bodies over the limit whether their length is announced or not', async () => {
    await start();
    const body = Buffer.alloc(65 * 1024, 'x');
    for (const headers of [{}, { 'transfer-encoding': 'chunked' }]) {
      const answer = await send(router.url, { body, headers });
      expect([answer.status, errorOf(answer.text).code]).toEqual([413, 413]);
    }
    await router.untilIdle();
    expect((await send(router.url, { body: chat('x') })).status).toBe(200);
  });

  it('refuses methods, paths and encodings that are not served', async () => {
    await start();
    for (const method of ['PUT', 'HEAD', 'GET', 'DELETE']) {
      const answer = await send(router.url, { method });
      expect([method, answer.status, answer.headers.allow]).toEqual([method, 405, 'POST']);
    }
    expect((await send(router.url, { path: '/v1/models', body: '{}' })).status).toBe(405);
    expect((await send(router.url, { path: '/v1/nothing', body: '{}' })).status).toBe(404);
    expect((await send(router.url, { body: chat('x'), headers: { 'content-encoding': 'gzip' } })).status).toBe(415);
  });

  it('lists models, aliases and adapters of every pool, and says that it lives', async () => {
    await start();
    const list = await send(router.url, { method: 'GET', path: '/v1/models' });
    const { data } = JSON.parse(list.text) as { data: { id: string; parent: string | null }[] };
    expect(data.map(({ id, parent }) => [id, parent])).toEqual([
      ['tiny', null],
      ['alias', null],
      ['lora-one', 'tiny'],
      ['ranked', null],
    ]);
    expect(JSON.parse((await send(router.url, { method: 'GET', path: '/v1/models/alias' })).text)).toMatchObject({
      id: 'alias',
      root: 'tiny',
    });
    expect((await send(router.url, { method: 'GET', path: '/v1/models/%zz' })).status).toBe(404);
    expect((await send(router.url, { method: 'HEAD', path: '/health' })).status).toBe(200);
  });

  it('serves completions and embeddings at their own paths', async () => {
    await start();
    await send(router.url, { path: '/v1/completions?x=1', body: { model: 'tiny', prompt: 'a' } });
    await send(router.url, { path: '/v1/embeddings', body: { model: 'tiny', input: ['a'] } });
    expect(
      received()
        .map(({ path }) => path)
        .sort(),
    ).toEqual(['/v1/completions', '/v1/embeddings']);
  });

  it('handles only so many requests at one time', async () => {
    await start({ maxInFlight: 3 });
    for (const engine of engines) {
      engine.behave(async (_request, response) => {
        await tick(100);
        response.end('{}');
      });
    }
    const answers = await Promise.all(Array.from({ length: 8 }, () => send(router.url, { body: chat('x') })));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(3);
    for (const answer of answers.filter(({ status }) => status !== 200)) {
      expect([answer.status, answer.headers['retry-after']]).toEqual([429, '1']);
    }
    await router.untilIdle();
  });

  it('keeps concurrent streams apart and spreads them', async () => {
    await start();
    for (const engine of engines) {
      engine.behave((request, response) => {
        const { messages } = JSON.parse(String(request.body)) as { messages: { content: string }[] };
        return streamPieces(response, chatEvents([...messages[0]!.content]));
      });
    }
    const texts = Array.from({ length: 40 }, (_, i) => `${i}-${'z'.repeat(i)}`);
    const answers = await Promise.all(texts.map((text) => send(router.url, { body: chat(text, { stream: true }) })));
    answers.forEach((answer, i) => expect(answer.text).toBe(chatEvents([...texts[i]!]).join('')));
    expect(engines[0]!.received.length).toBeGreaterThan(5);
    expect(engines[1]!.received.length).toBeGreaterThan(5);
    await router.untilIdle();
    expect(router.service.ledger()).toEqual({ requests: 0, tokens: 0 });
  });

  it('finishes streams when it is stopped, and takes no new requests', async () => {
    await start();
    for (const engine of engines) {
      engine.behave(async (_request, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.write('data: 1\n\n');
        await tick(200);
        response.end('data: [DONE]\n\n');
      });
    }
    const answer = send(router.url, { body: chat('x', { stream: true }) });
    await until(() => received().length === 1, 'the request');
    const stopped = router.service.stop();
    await expect(send(router.url, { body: chat('late') })).rejects.toThrow(/ECONNREFUSED/);
    expect((await answer).text).toBe('data: 1\n\ndata: [DONE]\n\n');
    await stopped;
  });

  it('goes on serving while it leaves: unhealthy, and no connection twice', async () => {
    await start({ leaveMs: 400 });
    const headers = { connection: 'keep-alive' };
    const health = () => send(router.url, { method: 'GET', path: '/health', headers });
    const ask = () => send(router.url, { body: chat('x'), headers });
    const seen = ({ status, headers: { connection } }: Answer) => [status, connection];
    expect([seen(await health()), seen(await ask())]).toEqual([
      [200, 'keep-alive'],
      [200, 'keep-alive'],
    ]);
    let stopped = false;
    const stopping = router.service.stop().then(() => (stopped = true));
    expect([seen(await health()), seen(await ask())]).toEqual([
      [503, 'close'],
      [200, 'close'],
    ]);
    expect(stopped).toBe(false);
    await stopping;
    await expect(health()).rejects.toThrow(/ECONNREFUSED/);
  });

  it('cuts streams that outlast the drain limit', async () => {
    await start({ drainMs: 100 });
    for (const engine of engines) {
      engine.behave((_request, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.write('data: 1\n\n');
      });
    }
    const answer = send(router.url, { body: chat('x', { stream: true }) });
    await until(() => received().length === 1, 'the request');
    await router.service.stop();
    expect((await answer).complete).toBe(false);
    await until(() => engines.some((engine) => engine.aborted() === 1), 'the abort at the engine');
  });

  it('forgets a client that leaves while it sends its body', async () => {
    await start();
    const socket = connect(Number(new URL(router.url).port), '127.0.0.1');
    socket.write('POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n{"model"');
    await until(() => socket.bytesWritten > 0, 'the start of the body');
    await tick(20);
    socket.destroy();
    await router.untilIdle();
    await until(() => true, 'a turn');
    expect(await router.metric('sluice_router_requests_total{model="unknown",code="499",result="client-abort"')).toBe(
      1,
    );
    expect(received()).toHaveLength(0);
  });
});
