import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { afterEach, describe, expect, it } from '@jest/globals';
import { recorder } from '../testing/admin-server.ts';
import { bench } from './bench.ts';
import type { Measurement } from './measure.ts';
import type { BenchOptions } from './options.ts';
import type { RunTitle } from './page.ts';

interface Body {
  readonly model: string;
  readonly max_tokens: number;
  readonly stream: boolean;
}
type Answer = (body: Body, response: ServerResponse) => void;

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

/** An OpenAI server that answers chats as `answer` does. Returns its origin. */
async function serve(answer: Answer): Promise<string> {
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (request.method === 'GET') response.end(JSON.stringify({ data: [{ id: 'm', max_model_len: 4096 }] }));
    else answer((await json(request)) as Body, response);
  };
  const server = createServer((request, response) => void handle(request, response));
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const chunk = (content: string): string => `data: ${JSON.stringify({ choices: [{ delta: { content } }] })}\n\n`;
const ending = (tokens: number): string =>
  `data: ${JSON.stringify({ choices: [], usage: { prompt_tokens: 20, completion_tokens: tokens } })}\n\ndata: [DONE]\n\n`;
const complete: Answer = ({ max_tokens: tokens }, response) => {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'x-sluice-worker': 'w1' });
  response.end(chunk('a').repeat(tokens) + ending(tokens));
};

const optionsFor = (url: string, rest: Partial<BenchOptions> = {}): BenchOptions => ({
  ...{ url, format: 'auto', speed: 1, qps: 100, arrivals: 0, warmUp: 0, duration: 0.5, limit: 20 },
  ...{ promptTokens: 20, outputTokens: 4, prefixes: 2, prefixTokens: 10, ignoreEos: true, seed: 1 },
  ...{ sloTtft: 60_000, sloTpot: 60_000, timeout: 30, json: true },
  ...rest,
});

async function run(options: BenchOptions, stop = new AbortController().signal) {
  const speaker = recorder();
  const isDone = await bench(options, speaker, stop);
  return { isDone, out: speaker.said.out, result: () => JSON.parse(speaker.said.out) as RunTitle & Measurement };
}

describe('bench', () => {
  it('sends what is due and counts what came back', async () => {
    const { isDone, result } = await run(optionsFor(await serve(complete)));
    expect(isDone).toBe(true);
    expect(result()).toMatchObject({
      ...{ model: 'm', seed: 1, stopped: false, goodShare: 1, failures: {} },
      ...{ requests: { sent: 20, completed: 20, failed: 0 }, outputTokens: 80, cachedTokens: null },
      workers: { w1: 20 },
    });
  });

  it('goes on sending while nothing is answered: the loop is open', async () => {
    const waiting: (() => void)[] = [];
    const url = await serve((body, response) => {
      waiting.push(() => complete(body, response));
      if (waiting.length === 20) for (const answer of waiting) answer();
    });
    expect((await run(optionsFor(url))).result().requests.completed).toBe(20);
  });

  it('tells failures apart: refused, broken off, in the stream, too late', async () => {
    let n = 0;
    const answers: Answer[] = [
      (_body, response) => response.writeHead(429).end(JSON.stringify({ error: { code: 'overloaded' } })),
      (_body, response) => response.end(chunk('a')),
      (_body, response) => response.end(`${chunk('a')}data: {"error":{"message":"died"}}\n\n`),
      () => {},
    ];
    const url = await serve((body, response) => answers[n++ % answers.length]!(body, response));
    const { isDone, result } = await run(optionsFor(url, { limit: 8, timeout: 0.3 }));
    expect(isDone).toBe(false);
    expect(result().failures).toEqual({
      '429: overloaded': 2,
      'stream without an end': 2,
      'error in the stream: died': 2,
      'no answer within 0.3 s': 2,
    });
  });

  it('counts what was shed by its reason', async () => {
    const reasons = ['queue-full', 'queue-full', 'deadline'];
    let n = 0;
    const url = await serve((_body, response) => {
      response.writeHead(429, { 'x-sluice-shed-reason': reasons[n++ % 3]! });
      response.end(JSON.stringify({ error: { type: 'RateLimitError', code: 429 } }));
    });
    const { result } = await run(optionsFor(url, { limit: 6 }));
    expect(result().failures).toEqual({ '429: shed, queue-full': 4, '429: shed, deadline': 2 });
  });

  it('stops when it is told to, and prints what there is', async () => {
    const stop = new AbortController();
    let n = 0;
    const url = await serve((body, response) => {
      if (++n === 5) stop.abort();
      complete(body, response);
    });
    const { result } = await run(optionsFor(url, { qps: 20, duration: 60, limit: 1000 }), stop.signal);
    expect(result().stopped).toBe(true);
    expect(result().requests.completed).toBeGreaterThanOrEqual(5);
    expect(result().requests.completed).toBeLessThan(1000);
  });

  it('says who does not answer, and what is not served', async () => {
    const url = await serve(complete);
    await expect(run(optionsFor(url, { model: 'other' }))).rejects.toThrow(/does not serve 'other'; it serves m/);
    servers.pop()!.close();
    await expect(run(optionsFor(url))).rejects.toThrow(/cannot reach http.*connection refused.*sluice up/);
  });

  it('has a page for people', async () => {
    const { out } = await run(optionsFor(await serve(complete), { json: false }));
    expect(out).toMatch(/^m at http:\S+ 20 tokens in/);
    expect(out).toMatch(/\n +mean +p50 +p90 +p95 +p99 +max\nTTFT ms .*\nTPOT ms .*\nE2E ms /);
    expect(out).toMatch(/\nrequests {2}20 in 0\.50 s: 20 completed \(40\.0\/s\), 0 failed\n/);
    expect(Math.max(...out.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);
  });
});
