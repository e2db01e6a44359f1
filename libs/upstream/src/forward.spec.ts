import { createServer, request as httpRequest } from 'node:http';
import type { IncomingHttpHeaders, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { connect } from 'node:net';
import { Duplex } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { forward } from './forward.ts';
import type { Forwarding, ForwardOptions, ForwardOutcome } from './forward.ts';
import { requestHeaders } from './headers.ts';
import { chatEvents, startFakeEngine, streamPieces, tick, until } from './testing.ts';
import type { FakeEngine } from './testing.ts';
import { createUpstreamPool } from './upstream-pool.ts';
import type { UpstreamPool } from './upstream-pool.ts';

const BODY = Buffer.from('{"model":"tiny", "seed": 9007199254740993 }');

let engine: FakeEngine;
let pool: UpstreamPool;
let front: Server;
let forwardings: Forwarding[];
let outcomes: ForwardOutcome[];
let options: Partial<ForwardOptions>;
let answering: ServerResponse | null;

beforeEach(async () => {
  engine = await startFakeEngine((_request, response) => void response.end('{}'));
  pool = createUpstreamPool({
    connections: 8,
    connectTimeoutMs: 500,
    headersTimeoutMs: 60_000,
    silenceTimeoutMs: 1000,
  });
  forwardings = [];
  outcomes = [];
  options = {};
  front = createServer((request, response) => {
    answering = response;
    request.resume().on('end', () => {
      const forwarding = forward(
        pool,
        { origin: engine.url, path: '/v1/x', headers: requestHeaders(request.headers, () => false), body: BODY },
        response,
        {
          responseHeaders: ['x-sluice-worker', 'a'],
          listener: null,
          holdServerErrors: false,
          clientStallMs: 60_000,
          ...options,
        },
      );
      forwardings.push(forwarding);
      void forwarding.done.then((outcome) => {
        outcomes.push(outcome);
        if (!response.headersSent && !response.destroyed) response.writeHead(599).end(outcome.kind);
      });
    });
  });
  await new Promise<void>((resolve) => front.listen(0, '127.0.0.1', resolve));
});

afterEach(async () => {
  front.closeAllConnections();
  await new Promise((resolve) => front.close(resolve));
  await pool.close();
  await engine.kill();
});

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly pieces: string[];
  readonly complete: boolean;
}

const port = (): number => (front.address() as AddressInfo).port;

function post(headers: Record<string, string> = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest(
      { host: '127.0.0.1', port: port(), method: 'POST', path: '/', headers },
      (response) => {
        const pieces: Buffer[] = [];
        const finish = (): void =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: Buffer.concat(pieces),
            pieces: pieces.map(String),
            complete: response.complete,
          });
        response.on('data', (piece: Buffer) => pieces.push(piece));
        response.on('end', finish);
        response.on('error', finish);
      },
    );
    outgoing.on('error', reject);
    outgoing.end('ignored');
  });
}

describe('forward', () => {
  it('sends the body byte for byte and hands the answer through, hop-by-hop headers excepted', async () => {
    engine.behave((_request, response) => {
      response.writeHead(418, 'Teapot', {
        'x-engine': ['a', 'b'],
        'content-type': 'text/plain',
        'keep-alive': 'timeout=9',
      });
      response.end('short and stout');
    });
    const answer = await post({ 'x-request-id': 'r1', te: 'trailers', 'x-hop': '1', connection: 'keep-alive, x-hop' });
    expect(answer.status).toBe(418);
    expect(String(answer.body)).toBe('short and stout');
    expect(answer.headers['x-engine']).toBe('a, b');
    expect(answer.headers['x-sluice-worker']).toBe('a');
    expect(answer.headers['keep-alive']).not.toBe('timeout=9');
    const [seen] = engine.received;
    expect(seen!.body.equals(BODY)).toBe(true);
    expect(seen!.headers).toMatchObject({ 'x-request-id': 'r1', host: engine.url.slice('http://'.length) });
    for (const name of ['te', 'x-hop', 'accept-encoding']) expect(seen!.headers[name]).toBeUndefined();
    expect(outcomes).toEqual([{ kind: 'completed', status: 418 }]);
  });

  it('streams events as they come and knows their usage', async () => {
    const events = chatEvents(['a', 'b'], {
      prompt_tokens: 3,
      completion_tokens: 2,
      prompt_tokens_details: { cached_tokens: 1 },
    });
    engine.behave((_request, response) => void streamPieces(response, events));
    const answer = await post();
    expect(String(answer.body)).toBe(events.join(''));
    expect(forwardings[0]!.tap).toMatchObject({
      contentEvents: 2,
      done: true,
      usage: { promptTokens: 3, completionTokens: 2, cachedTokens: 1 },
    });
  });

  it('keeps an answer byte for byte however its events are cut', async () => {
    const whole = Buffer.from(chatEvents(['\u00e4\u00f6', '\ud83d\ude00', 'c']).join(''));
    const pieces = Array.from({ length: Math.ceil(whole.length / 37) }, (_, i) => whole.subarray(i * 37, (i + 1) * 37));
    engine.behave((_request, response) => void streamPieces(response, pieces));
    const answer = await post();
    expect(answer.body.equals(whole)).toBe(true);
    expect(forwardings[0]!.tap.contentEvents).toBe(3);
  });

  it('reads the usage of an answer that is not streamed', async () => {
    engine.behave((_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.write('{"choices":[],"usa');
      response.end('ge":{"prompt_tokens":7,"completion_tokens":2}}');
    });
    await post();
    expect(forwardings[0]!.tap.usage).toEqual({ promptTokens: 7, completionTokens: 2, cachedTokens: null });
  });

  it('tells the engine when the client goes, during the answer and before it', async () => {
    engine.behave((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('data: 1\n\n');
    });
    for (const early of [false, true]) {
      if (early) engine.behave(() => undefined);
      const before = engine.received.length;
      const socket = connect(port(), '127.0.0.1');
      socket.write('POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n');
      if (early) await until(() => engine.received.length > before, 'the request');
      else await new Promise((resolve) => socket.once('data', resolve));
      socket.destroy();
      await until(() => outcomes.length === (early ? 2 : 1), 'the outcome');
      expect(outcomes.at(-1)).toMatchObject({ kind: 'client-abort', firstByteSent: !early });
      await until(() => engine.aborted() === (early ? 2 : 1), 'the abort at the engine');
    }
  });

  it('reports a connection that is refused and sends nothing', async () => {
    await engine.kill();
    expect((await post()).status).toBe(599);
    expect(outcomes).toEqual([{ kind: 'connect-failed', cause: 'ECONNREFUSED' }]);
    await engine.restart();
  });

  it('promises nothing before the first byte of the body: an engine that dies until then can be replaced', async () => {
    engine.behave(async (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.flushHeaders();
      await tick(20);
      response.destroy();
    });
    const answer = await post();
    expect([answer.status, String(answer.body)]).toEqual([599, 'upstream-closed-before-first-byte']);
  });

  it('ends a stream whose engine died within an event with whole events and an error', async () => {
    engine.behave(async (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('data: {"choices":[{"delta":{"content":"a"}}]}\n\ndata: {"choices":[{"del');
      await tick(20);
      response.destroy();
    });
    const answer = await post();
    expect(answer.complete).toBe(true);
    const events = String(answer.body).split('\n\n');
    expect(events.pop()).toBe('');
    expect(events).toHaveLength(2);
    const last = JSON.parse(events[1]!.slice('data: '.length)) as { error: { code: number; type: string } };
    expect(last.error).toMatchObject({ code: 502, type: 'upstream_error' });
    expect(outcomes[0]!.kind).toBe('upstream-died-mid-stream');
  });

  it('treats a clean end within an event as death, and a last event without its blank line as whole', async () => {
    engine.behave((_request, response) => void streamPieces(response, ['data: 1\n\n', 'data: {"x"']));
    expect(String((await post()).body)).toMatch(/^data: 1\n\ndata: \{"error":.*\}\n\n$/);
    engine.behave((_request, response) => void streamPieces(response, ['data: 1\n\n', 'data: [DONE]\n']));
    expect(String((await post()).body)).toBe('data: 1\n\ndata: [DONE]\n');
    expect(outcomes.map(({ kind }) => kind)).toEqual(['upstream-died-mid-stream', 'completed']);
  });

  it('takes whatever follows [DONE] for part of the stream, and comments for no event', async () => {
    for (const rest of ['\n', '\r\n', ': bye', 'data: [DONE', 'x']) {
      const pieces = ['data: {}\n\n', 'data: [DONE]\n\n', rest];
      engine.behave((_request, response) => void streamPieces(response, pieces));
      expect(String((await post()).body)).toBe(pieces.join(''));
    }
    for (const rest of [': ping', '\n', 'event: x\ndata: {"a":1}\nid: 4']) {
      engine.behave((_request, response) => void streamPieces(response, ['data: {}\n\n', rest]));
      expect(String((await post()).body)).toBe(`data: {}\n\n${rest}`);
    }
    expect(outcomes).toEqual(Array(8).fill({ kind: 'completed', status: 200 }));
  });

  it('ends a stream of announced length well when its engine dies: the length is not passed on', async () => {
    engine.behave(async (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream', 'content-length': '5000' });
      response.write('data: 1\n\n');
      await tick(20);
      response.destroy();
    });
    const answer = await post();
    expect([answer.headers['content-length'], answer.complete]).toEqual([undefined, true]);
    expect(String(answer.body)).toMatch(/^data: 1\n\ndata: \{"error":.*"code":502.*\}\n\n$/);
  });

  it('cuts a stream whose engine died within an event too long to be held', async () => {
    engine.behave(async (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(`data: {"x":"${'y'.repeat(600_000)}`);
      await tick(100);
      response.destroy();
    });
    const answer = await post();
    expect([answer.complete, String(answer.body).includes('error')]).toEqual([false, false]);
    expect(outcomes[0]!.kind).toBe('upstream-died-mid-stream');
  });

  it('passes heads on that repeat a header or have a reason that may not be written', async () => {
    const heads = [
      'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-type: text/plain\r\n',
      'HTTP/1.1 200 OK\r\nconnection: keep-alive\r\nconnection: x-hop\r\nx-hop: 1\r\ncontent-type: text/plain\r\n',
      'HTTP/1.1 200 \u20ac\r\ncontent-type: text/plain\r\n',
    ];
    for (const head of heads) {
      engine.behave((_request, response) => {
        response.socket!.end(Buffer.from(`${head}content-length: 2\r\n\r\n{}`));
      });
      const answer = await post();
      expect([head, answer.status, String(answer.body), answer.headers['x-hop']]).toEqual([head, 200, '{}', undefined]);
    }
  });

  it('knows an event stream by its type in any case of letters', async () => {
    engine.behave((_request, response) => {
      response.writeHead(200, { 'content-type': 'Text/Event-Stream; charset=UTF-8' });
      response.end(chatEvents(['a']).join(''));
    });
    await post();
    expect(forwardings[0]!.tap).toMatchObject({ contentEvents: 1, done: true });
  });

  it('drops no header of the engine because a value of ours is its name', async () => {
    options = { responseHeaders: ['x-request-id', 'content-type'] };
    engine.behave((_request, response) => void response.writeHead(200, { 'content-type': 'text/plain' }).end('a'));
    expect((await post()).headers).toMatchObject({ 'x-request-id': 'content-type', 'content-type': 'text/plain' });
  });

  it('closes the connection of a client that leaves the end of its answer unread', async () => {
    options = { clientStallMs: 200 };
    engine.behave(async (_request, response) => {
      response.writeHead(200, { 'content-type': 'application/octet-stream' });
      // Until the kernel takes no more: what is left is little enough for nothing to have to wait.
      while (answering!.writableLength === 0) {
        response.write(Buffer.alloc(8192, 'x'));
        await new Promise((resolve) => setImmediate(resolve));
      }
      response.end();
    });
    const socket = connect(port(), '127.0.0.1');
    socket.pause();
    socket.write('POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n');
    await until(() => outcomes.length === 1, 'the outcome');
    expect([outcomes[0], answering!.destroyed]).toEqual([{ kind: 'completed', status: 200 }, false]);
    await until(() => answering!.destroyed, 'the end of the connection');
    socket.destroy();
  });

  it('waits for a client that reads slowly, however long its buffer is not empty', async () => {
    options = { clientStallMs: 400 };
    const piece = Buffer.alloc(20_000, 'x');
    engine.behave(async (_request, response) => {
      response.writeHead(200, {
        'content-type': 'application/octet-stream',
        'content-length': String(8 * piece.length),
      });
      for (let i = 0; i < 8; i++) {
        response.write(piece);
        await tick(5);
      }
      response.end();
    });
    // Below the kernel's buffers, which take megabytes at once: a client that takes one piece at a time.
    let read = 0;
    const socket = new Duplex({
      read: () => undefined,
      write: (chunk: Buffer, _encoding, taken) => {
        read += chunk.length;
        setTimeout(taken, 150);
      },
    });
    front.emit('connection', socket);
    socket.push('POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n');
    await until(() => outcomes.length === 1, 'the outcome');
    expect(outcomes[0]).toEqual({ kind: 'completed', status: 200 });
    await until(() => answering!.closed, 'the end of the answer');
    expect(read).toBeGreaterThan(8 * piece.length);
  });

  it('cuts an answer that is not a stream when its engine dies', async () => {
    engine.behave(async (_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': '100' });
      response.write('{"choices":');
      await tick(20);
      response.destroy();
    });
    const answer = await post();
    expect(answer.complete).toBe(false);
    expect(outcomes[0]!.kind).toBe('upstream-died-mid-stream');
  });

  it('holds 5xx back when asked to, as a status and as the first event, and lets 4xx through', async () => {
    options = { holdServerErrors: true };
    engine.behave((_request, response) => void response.writeHead(503).end('busy'));
    await post();
    engine.behave(
      (_request, response) =>
        void streamPieces(response, ['data: {"error": {"message": "dead", "code": 500}}\n\n', 'data: [DONE]\n\n']),
    );
    await post();
    engine.behave(
      (_request, response) => void streamPieces(response, ['data: {"error": {"message": "bad", "code": 400}}\n\n']),
    );
    expect((await post()).status).toBe(200);
    engine.behave((_request, response) => void response.writeHead(400).end('{}'));
    expect((await post()).status).toBe(400);
    expect(outcomes).toEqual([
      { kind: 'server-error', status: 503, cause: 'engine answered 503' },
      { kind: 'server-error', status: 500, cause: 'dead' },
      { kind: 'completed', status: 200 },
      { kind: 'completed', status: 400 },
    ]);
  });

  it('passes 5xx and the engine\u2019s own error event through when nothing else can be tried', async () => {
    engine.behave((_request, response) => void response.writeHead(500).end('{"error":{}}'));
    expect([(await post()).status, outcomes[0]]).toEqual([500, { kind: 'completed', status: 500 }]);
    const events = [
      'data: {"choices":[]}\n\n',
      'data: {"error": {"message": "EngineCore", "code": 500}}\n\n',
      'data: [DONE]\n\n',
    ];
    engine.behave((_request, response) => void streamPieces(response, events));
    expect(String((await post()).body)).toBe(events.join(''));
    expect(forwardings[1]!.tap.error).toEqual({ message: 'EngineCore', code: 500 });
  });

  it('ends a stream that falls silent', async () => {
    engine.behave((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('data: 1\n\n');
    });
    const answer = await post();
    expect(String(answer.body)).toMatch(/^data: 1\n\ndata: \{"error":.*"code":504.*\}\n\n$/);
    expect(outcomes[0]).toEqual({ kind: 'timeout', phase: 'silence', firstByteSent: true });
  }, 15_000);

  it('keeps nothing of clients that leave while every connection is taken, and serves who is next', async () => {
    engine.behave(() => undefined);
    const leave = async (count: number): Promise<void> => {
      const before = outcomes.length;
      const sockets = Array.from({ length: count }, () => connect(port(), '127.0.0.1'));
      for (const socket of sockets) socket.write('POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n');
      const entered = forwardings.length + count;
      await until(() => forwardings.length === entered, 'the requests');
      for (const socket of sockets) socket.destroy();
      await until(() => outcomes.length === before + count, 'the outcomes');
    };
    const stuck = Array.from({ length: 8 }, () => post());
    await until(() => engine.received.length === 8, 'the connections');
    await leave(50);
    expect([pool.of(engine.url).line.length, pool.of(engine.url).http.stats.queued]).toEqual([0, 0]);
    const next = post();
    await until(() => forwardings.length === 59, 'the next');
    expect(pool.of(engine.url).line.length).toBe(1);
    engine.behave((_request, response) => void response.end('{}'));
    forwardings[0]!.giveUp('enough');
    expect(String((await next).body)).toBe('{}');
    expect(engine.received).toHaveLength(9);
    for (const forwarding of forwardings.slice(1, 8)) forwarding.giveUp('enough');
    await Promise.all(stuck);
    await leave(8);
    expect((await post()).status).toBe(200);
  });

  it.each(['retain', 'close'] as const)('lets nobody wait for an engine that has left (%s)', async (how) => {
    engine.behave(() => undefined);
    const answers = Array.from({ length: 12 }, () => post());
    await until(() => engine.received.length === 8 && forwardings.length === 12, 'the requests');
    if (how === 'close') void pool.close();
    else pool.retain(new Set());
    if (how === 'retain') for (const forwarding of forwardings.slice(0, 8)) forwarding.giveUp('enough');
    const kinds = (await Promise.all(answers)).map(({ body }) => String(body)).sort();
    expect(kinds).toEqual([...Array(4).fill('connect-failed'), ...Array(8).fill('upstream-closed-before-first-byte')]);
  });

  it('gives an engine up when told to', async () => {
    engine.behave(() => undefined);
    const answer = post();
    await until(() => engine.received.length === 1, 'the request');
    forwardings[0]!.giveUp('engine is down');
    expect(String((await answer).body)).toBe('upstream-closed-before-first-byte');
    await until(() => engine.aborted() === 1, 'the abort at the engine');
  });

  it('holds the engine back when the client does not read, and gives a client up that never does', async () => {
    options = { clientStallMs: 300 };
    const megabyte = Buffer.alloc(1 << 20, 'x');
    let written = 0;
    engine.behave(async (_request, response) => {
      response.writeHead(200, { 'content-type': 'application/octet-stream' });
      while (!response.destroyed && written < 256) {
        if (!response.write(megabyte)) {
          await new Promise<void>((resolve) => void response.once('drain', resolve).once('close', resolve));
        }
        written++;
      }
    });
    const socket = connect(port(), '127.0.0.1');
    socket.pause();
    socket.write('POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n');
    await until(() => outcomes.length === 1, 'the outcome');
    expect(outcomes[0]).toMatchObject({ kind: 'client-abort', firstByteSent: true });
    // What kernel buffers take on loopback, twice; the answer is 256 MB.
    expect(written).toBeLessThan(64);
    socket.destroy();
  });
});
