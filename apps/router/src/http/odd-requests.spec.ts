import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { chatEvents, tick, until } from '@sluice/upstream/testing';
import type { Behaviour } from '@sluice/upstream/testing';
import { chat, pool, send, settableFleet, startRouter, startWorkerEngine, worker } from '../testing/harness.ts';
import type { TestRouter, WorkerEngine } from '../testing/harness.ts';

const fine: Behaviour = (_request, response) => {
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end('{"choices":[],"usage":{"prompt_tokens":900,"completion_tokens":2}}');
};
const BODY = JSON.stringify(chat('hi'));

let engine: WorkerEngine;
let router: TestRouter;

beforeEach(async () => {
  engine = await startWorkerEngine('a', fine);
  router = await startRouter(settableFleet({ pools: [pool()], workers: [worker(engine)] }));
  await router.untilUp(1);
});
afterEach(async () => {
  await router.untilIdle();
  expect(router.service.ledger()).toEqual({ requests: 0, tokens: 0 });
  expect(await router.metric('sluice_router_held_body_bytes')).toBe(0);
  await router.stop();
  await engine.kill();
});

const dial = (allowHalfOpen = false) =>
  connect({ port: Number(new URL(router.url).port), host: '127.0.0.1', allowHalfOpen });

/** Writes `pieces` on a connection of their own, one by one, and returns what came back when `enough` says so or it is closed. */
async function exchange(pieces: readonly string[], enough: (text: string) => boolean): Promise<string> {
  const socket = dial();
  let text = '';
  socket.on('data', (data) => (text += data.toString('latin1'))).on('error', () => undefined);
  for (const piece of pieces) {
    socket.write(piece, 'latin1');
    await tick();
  }
  await until(() => enough(text) || socket.closed, 'an answer');
  socket.destroy();
  return text;
}

const post = (headers = '', target = '/v1/chat/completions', body = BODY): string =>
  `POST ${target} HTTP/1.1\r\nhost: x\r\n${headers}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
const isAnswered = (text: string): boolean => text.endsWith('0\r\n\r\n') || text.endsWith('}');

describe('requests in unusual form', () => {
  const served: [name: string, pieces: string[]][] = [
    ['with the whole URL as target', [post('', 'http://router:8080/v1/chat/completions?x=1')]],
    [
      'in chunks of one byte',
      [post('transfer-encoding: chunked\r\n').split('content-length')[0]! + '\r\n', ...chunks()],
    ],
    ['that ask before they send', [post('expect: 100-continue\r\n')]],
    ['that offer HTTP/2', [post('connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAA\r\n')]],
    [
      'with a byte order mark',
      [
        post('', undefined, '\u00ef\u00bb\u00bf' + BODY).replace(
          /content-length: \d+/,
          `content-length: ${BODY.length + 3}`,
        ),
      ],
    ],
    ['with an encoding that is none', [post('content-encoding: Identity\r\n')]],
    ['with headers that objects have too', [post('__proto__: a\r\nconstructor: b\r\ntoString: c\r\n')]],
  ];
  it.each(served)('%s', async (_name, pieces) => {
    expect(await exchange(pieces, isAnswered)).toMatch(/HTTP\/1\.1 200 OK\r\n/);
    expect(String(engine.received[0]!.body).replace('\ufeff', '')).toBe(BODY);
  });

  const refused: [name: string, request: string, status: number][] = [
    ['of two lengths', post('content-length: 3\r\n'), 400],
    ['of a length and of chunks', post('transfer-encoding: chunked\r\n'), 400],
    ['with headers beyond all measure', post(`x-a: ${'y'.repeat(20_000)}\r\n`), 431],
    ['for an unknown path as a whole URL', post('', 'http://router'), 404],
    ['of a coding', post('content-encoding: gzip\r\n'), 415],
  ];
  it.each(refused)('refuses requests %s', async (_name, request, status) => {
    expect(await exchange([request], isAnswered)).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(engine.received).toHaveLength(0);
  });

  it('takes bodies up to the limit and not a byte more, in one piece or in chunks', async () => {
    const limit = 8 * 1024 * 1024;
    const ofLength = (length: number): string => BODY.replace('hi', 'x'.repeat(length - BODY.length + 2));
    for (const headers of [{}, { 'transfer-encoding': 'chunked' }]) {
      expect((await send(router.url, { body: ofLength(limit), headers })).status).toBe(200);
      expect((await send(router.url, { body: ofLength(limit + 1), headers })).status).toBe(413);
    }
    expect(engine.received.map(({ body }) => body.length)).toEqual([limit, limit]);
  });

  it('passes on what is nested more deeply than it can write itself', async () => {
    const nested = '['.repeat(50_000) + ']'.repeat(50_000);
    for (const member of [`"messages":[{"role":"user","content":${nested}}]`, `"tools":${nested},"messages":[]`]) {
      const answer = await send(router.url, { body: `{"model":"tiny",${member}}` });
      expect([answer.status, engine.received.at(-1)!.body.length]).toEqual([200, 17 + member.length]);
    }
  });

  it('takes an image of megabytes for some thousand tokens, and learns no ratio from its bytes', async () => {
    const tokensOf = async (content: unknown): Promise<number> => {
      const { headers } = await send(router.url, { body: { model: 'tiny', messages: [{ role: 'user', content }] } });
      return router.service.decision(String(headers['x-sluice-decision-id']))!.promptTokens;
    };
    const image = (letter: string) => [
      { type: 'text', text: 'what is this' },
      { type: 'image_url', image_url: { url: `data:image/png;base64,${letter.repeat(3_000_000)}` } },
    ];
    for (const letter of 'ABCD') {
      const tokens = await tokensOf(image(letter));
      expect(tokens).toBeGreaterThan(500);
      expect(tokens).toBeLessThan(2000);
    }
    // Fields that engines ignore tell nothing of tokens either.
    const ignored = { role: 'user', content: 'hi', note: 'x'.repeat(3_000_000) };
    await send(router.url, { body: { model: 'tiny', messages: [ignored] } });
    const text = await tokensOf('hello '.repeat(400));
    expect(text).toBeGreaterThan(300);
    expect(text).toBeLessThan(1200);
  });
});

describe('clients that leave in unusual ways', () => {
  const gone = async (leave: (socket: ReturnType<typeof dial>) => void, requests: number): Promise<void> => {
    engine.behave((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(chatEvents(['a'])[1]!);
    });
    const socket = dial(true);
    socket.on('error', () => undefined);
    socket.write(post().repeat(requests));
    await until(() => engine.received.length === requests, 'the requests');
    leave(socket);
    await until(() => engine.aborted() === requests, 'the aborts');
    socket.destroy();
  };

  it('with two requests under way on one connection', () => gone((socket) => socket.destroy(), 2));

  it('by closing their half of the connection', () => gone((socket) => socket.end(), 1));

  it('by a reset', () => gone((socket) => socket.resetAndDestroy(), 1));
});

describe('an engine whose head cannot be passed on', () => {
  it('does not harm the router', async () => {
    engine.behave((_request, response) => {
      response.socket!.end(Buffer.from('HTTP/1.1 200 \u20ac\r\ncontent-length: 2\r\n\r\n{}'));
    });
    const answer = await send(router.url, { body: BODY });
    expect([answer.status, answer.text]).toEqual([200, '{}']);
  });
});

function chunks(): string[] {
  return [...[...BODY].map((byte) => `1\r\n${byte}\r\n`), '0\r\n\r\n'];
}
