import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { LiveMerge } from './live-merge.ts';

type Told = { router: string; message?: unknown; lost?: string; status?: number | null };

const servers: Server[] = [];
const listen = async (
  answer: (request: IncomingMessage, response: ServerResponse) => void,
  port = 0,
): Promise<string> => {
  const server = createServer(answer);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
};
const stop = async (server: Server): Promise<void> => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
};

let merges: LiveMerge[];
beforeEach(() => {
  merges = [];
});
afterEach(async () => {
  for (const merge of merges) merge.close();
  await Promise.all(servers.splice(0).map(stop));
});

/** The merge of these routers behind HTTP, with short times. */
async function merged(routers: Readonly<Record<string, string>>): Promise<string> {
  const merge = new LiveMerge(new Map(Object.entries(routers)), { firstPauseMs: 20, silentMs: 150 });
  merges.push(merge);
  return listen((request, response) => merge.answer(request, response));
}

/** Reads events until `holds` of all of them, then leaves. */
async function read(
  url: string,
  holds: (told: readonly Told[]) => boolean,
  headers: Record<string, string> = {},
): Promise<readonly Told[]> {
  const leave = new AbortController();
  const response = await fetch(url, { headers, signal: leave.signal });
  expect(response.headers.get('content-type')).toBe('text/event-stream');
  const told: Told[] = [];
  let rest = '';
  for await (const piece of response.body!.pipeThrough(new TextDecoderStream())) {
    const blocks = (rest + piece).split('\n\n');
    rest = blocks.pop()!;
    told.push(...blocks.map((block) => JSON.parse(block.replace(/^data: /, '')) as Told));
    if (holds(told)) break;
  }
  leave.abort();
  return told;
}

const stream = { 'content-type': 'text/event-stream' };
const ticking = (name: string) => (_request: IncomingMessage, response: ServerResponse) => {
  response.writeHead(200, stream);
  let n = 0;
  const timer = setInterval(() => response.write(`event: tick\ndata: {"from":"${name}","n":${n++}}\n\n`), 10);
  response.on('close', () => clearInterval(timer));
};
const of = (told: readonly Told[], router: string): Told[] => told.filter((each) => each.router === router);

describe('the live streams of several routers as one', () => {
  it('passes on whole events with the name of their router, however they are cut', async () => {
    const text =
      'event: snapshot\ndata: {"kind":"snapshot","name":"ä"}\n\n: comment\n\nevent: tick\ndata: {"kind":"tick"}\n\n';
    const a = await listen((_request, response) => {
      response.writeHead(200, stream);
      const bytes = Buffer.from(text);
      let at = 0;
      const timer = setInterval(() => {
        if (at < bytes.length) response.write(bytes.subarray(at, (at += 5)));
        else clearInterval(timer);
      }, 2);
      response.on('close', () => clearInterval(timer));
    });
    const b = await listen(ticking('b'));
    const told = await read(await merged({ 'router-a': a, 'router-b': b }), (all) => {
      return of(all, 'router-a').length >= 2 && of(all, 'router-b').length >= 3;
    });
    expect(of(told, 'router-a').map(({ message }) => message)).toEqual([
      { kind: 'snapshot', name: 'ä' },
      { kind: 'tick' },
    ]);
    expect(of(told, 'router-b')[1]).toEqual({ router: 'router-b', message: { from: 'b', n: 1 } });
  });

  it('says that a router is gone, goes on with the others, and takes it in again when it is back', async () => {
    const a = await listen(ticking('a'));
    const b = await listen(ticking('b'));
    const url = await merged({ a, b });
    let stopped: Promise<void> | null = null;
    let back = false;
    const told = await read(url, (all) => {
      const ofB = of(all, 'b');
      if (ofB.length > 1 && stopped === null) stopped = stop(servers[1]!);
      const lostAt = all.findIndex(({ router, lost }) => router === 'b' && lost !== undefined);
      if (lostAt < 0) return false;
      if (!back) {
        back = true;
        void stopped!.then(() => listen(ticking('b again'), Number(new URL(b).port)));
      }
      return all.slice(lostAt).some(({ message }) => (message as { from?: string } | undefined)?.from === 'b again');
    });
    expect(of(told, 'a').every(({ lost }) => lost === undefined)).toBe(true);
    expect(of(told, 'b').some(({ lost, status }) => lost !== undefined && status === null)).toBe(true);
  });

  it('asks with the token of its reader, and passes on that it is refused', async () => {
    const a = await listen((request, response) => {
      if (request.headers.authorization === 'Bearer t') return ticking('a')(request, response);
      response.writeHead(401).end();
    });
    const url = await merged({ a });
    expect((await read(url, (all) => all.length > 0))[0]).toEqual({ router: 'a', lost: 'answers 401', status: 401 });
    const withToken = await read(url, (all) => all.length > 0, { authorization: 'Bearer t' });
    expect(withToken[0]).toMatchObject({ router: 'a', message: { from: 'a' } });
  });

  it('gives up a router that falls silent', async () => {
    const a = await listen((_request, response) => {
      response.writeHead(200, stream);
      response.write('data: {"n":1}\n\n');
    });
    const told = await read(await merged({ a }), (all) => all.length >= 3);
    expect(told.map(({ lost }) => lost)).toEqual([undefined, 'silent', undefined]);
  });

  it('leaves the routers when its reader does', async () => {
    let open = 0;
    const a = await listen((request, response) => {
      open++;
      response.on('close', () => open--);
      ticking('a')(request, response);
    });
    await read(await merged({ a }), (all) => all.length > 0);
    while (open > 0) await new Promise((resolve) => setTimeout(resolve, 5));
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(open).toBe(0);
  });
});
