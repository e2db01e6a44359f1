import { createServer } from 'node:http';
import type { IncomingMessage, Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { RunningService } from '@sluice/nest-kit';
import { createLogger } from '@sluice/telemetry';
import { parseConsoleConfig } from './config.ts';
import { startConsole } from './console-server.ts';
import { PAGE_PATHS, PageFiles } from './page-files.ts';

let folder: string;
let service: Server;
let seen: IncomingMessage[];
/** What was sent with each POST. */
let bodies: string[];
let running: RunningService;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-page-'));
  for (const [name] of Object.values(PAGE_PATHS)) await writeFile(join(folder, name), `content of ${name}`);
  seen = [];
  bodies = [];
  service = createServer((request, response) => {
    seen.push(request);
    if (request.url === '/live') {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('data: 1\n\n');
      return;
    }
    const status = request.headers.authorization === undefined ? 401 : 200;
    void text(request).then((body) => {
      if (request.method === 'POST') bodies.push(body);
      response.writeHead(status, { 'x-own': '1' }).end('{"ok":true}');
    });
  });
  await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(service.address() as AddressInfo).port}`;
  const services = new Map([
    ['router', origin],
    ['gone', 'http://127.0.0.1:9'],
    ['below', `${origin}/router`],
  ]);
  const config = { host: '127.0.0.1', port: 0, logLevel: 'fatal', services } as const;
  running = await startConsole(
    config,
    createLogger({ service: 'console', level: 'fatal' }),
    new PageFiles(['router', 'gone', 'below'], folder),
  );
});
afterEach(async () => {
  await running.close();
  service.closeAllConnections();
  await new Promise((resolve) => service.close(resolve));
  await rm(folder, { recursive: true });
});

/** What the console answers to these bytes: fetch tidies paths up. */
const raw = (bytes: string): Promise<string> => {
  const socket = connect(Number(new URL(running.url).port), '127.0.0.1');
  socket.write(bytes);
  return text(socket);
};
const rawPost = (path: string): Promise<string> =>
  raw(`POST ${path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}`);

const get = (path: string, init: RequestInit = {}) => fetch(`${running.url}${path}`, init);

describe('the console as a process', () => {
  it('serves the page, which may load nothing but itself', async () => {
    const page = await get('/');
    expect([page.status, await page.text()]).toEqual([200, 'content of index.html']);
    expect(page.headers.get('content-security-policy')).toMatch(
      /^default-src 'none'; script-src 'self'; style-src 'self';/,
    );
    expect((await get('/app.js')).headers.get('content-type')).toBe('text/javascript; charset=utf-8');
    const etag = page.headers.get('etag')!;
    expect((await get('/', { headers: { 'if-none-match': etag } })).status).toBe(304);
    expect((await get('/', { headers: { 'accept-encoding': 'identity' } })).headers.get('content-encoding')).toBeNull();
    expect(page.headers.get('content-encoding')).toBe('gzip');
    for (const path of ['/package.json', '/../package.json', '/%2e%2e/package.json', '/nobody/x']) {
      expect((await get(path)).status).toBe(404);
    }
  });

  it('passes reads on with their token, and nothing else', async () => {
    expect((await get('/router/workers?limit=1')).status).toBe(401);
    const answer = await get('/router/workers?limit=1', { headers: { authorization: 'Bearer t', cookie: 'c' } });
    expect([answer.status, await answer.json(), answer.headers.get('x-own')]).toEqual([200, { ok: true }, null]);
    expect(seen.map(({ url, headers }) => [url, headers.authorization, headers.cookie])).toEqual([
      ['/workers?limit=1', undefined, undefined],
      ['/workers?limit=1', 'Bearer t', undefined],
    ]);
    for (const method of ['POST', 'PUT', 'DELETE']) expect((await get('/router/policy', { method })).status).toBe(405);
    expect((await get('/', { method: 'POST' })).status).toBe(405);
    expect(seen).toHaveLength(2);
  });

  it('passes on what is posted only because it is long, by the token of the reader', async () => {
    const headers = { authorization: 'Bearer t', 'content-type': 'application/json' };
    const post = (path: string, body: string | ReadableStream) =>
      get(path, { method: 'POST', headers, body, duplex: 'half' } as RequestInit);
    const long = JSON.stringify({ model: 'm', prompt: 'ä'.repeat(50_000) });
    expect((await get('/router/lookup', { method: 'POST', body: '{}' })).status).toBe(401);
    expect(await (await post('/router/lookup', long)).json()).toEqual({ ok: true });
    expect((await post('/below/render', '{"a":1}')).status).toBe(200);
    expect([bodies[0], bodies[1]!.length, bodies[1] === long, bodies[2]]).toEqual(['{}', long.length, true, '{"a":1}']);
    expect(seen.map(({ url, headers }) => [url, headers['content-type'], headers['content-length']])).toEqual([
      ['/lookup', 'text/plain;charset=UTF-8', '2'],
      ['/lookup', 'application/json', String(Buffer.byteLength(long))],
      ['/router/render', 'application/json', '7'],
    ]);
    expect((await post('/router/lookup', 'x'.repeat(2 ** 20 + 1))).status).toBe(413);
    expect((await post('/router/lookup', new Blob(['{}']).stream())).status).toBe(413);
    const others = [
      'policy',
      'config/rollback',
      'lookup/',
      'lookup?x',
      'x/../lookup',
      '%6cookup',
      'lookup%2f..%2fpolicy',
    ];
    for (const path of others) expect([path, (await rawPost(`/router/${path}`)).slice(9, 12)]).toEqual([path, '405']);
    expect((await get('/router/lookup', { method: 'PUT' })).status).toBe(405);
    expect(seen).toHaveLength(3);
  });

  it('lets nothing through behind a GET', async () => {
    const hidden = 'POST /policy HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n';
    const chunked = `transfer-encoding: chunked\r\n\r\n${hidden.length.toString(16)}\r\n${hidden}\r\n0\r\n\r\n`;
    await raw(`GET /router/workers HTTP/1.1\r\nhost: x\r\nconnection: close\r\n${chunked}`);
    const length = `content-length: ${hidden.length}\r\n\r\n${hidden}`;
    await raw(`GET /router/workers HTTP/1.1\r\nhost: x\r\nconnection: close\r\n${length}`);
    expect(seen.map(({ method, url }) => `${method} ${url}`)).toEqual(['GET /workers', 'GET /workers']);
  });

  it('never asks another host, whatever the path', async () => {
    for (const path of ['/router//evil.example/x', '/router/@evil.example', '/router/http://evil.example/'])
      await get(path);
    expect(seen.map(({ url }) => url)).toEqual(['//evil.example/x', '/@evil.example', '/http://evil.example/']);
  });

  it('passes a stream on as it comes, and ends it when the reader leaves', async () => {
    const leave = new AbortController();
    const stream = await get('/router/live', { signal: leave.signal });
    const { value } = await stream.body!.getReader().read();
    expect(Buffer.from(value!).toString()).toBe('data: 1\n\n');
    const closed = new Promise((resolve) => seen[0]!.socket.once('close', resolve));
    leave.abort();
    await closed;
  });

  it('finds a service below a path', async () => {
    const init = { headers: { authorization: 'Bearer t' } };
    expect((await get('/below/workers?limit=2', init)).status).toBe(200);
    expect((await get('/below/../policy', init)).status).toBe(404);
    expect(seen.map(({ url }) => url)).toEqual(['/router/workers?limit=2']);
  });

  it('says which service does not answer, and that it lives itself', async () => {
    const answer = await get('/gone/readyz');
    expect([answer.status, await answer.json()]).toMatchObject([502, { error: { code: 'service_unreachable' } }]);
    expect(await (await get('/healthz')).json()).toMatchObject({ status: 'ok', service: 'console' });
    expect((await get('/readyz')).status).toBe(200);
  });
});

describe('the services behind the console', () => {
  it('are told with what each says itself, asked with the token of the reader', async () => {
    const answer = await get('/services', { headers: { authorization: 'Bearer t' } });
    expect([answer.status, await answer.json()]).toEqual([
      200,
      {
        services: {
          router: { ok: true },
          gone: {
            ready: false,
            checks: { reached: { ok: false, detail: expect.stringContaining(':9 does not answer') } },
          },
          below: { ok: true },
        },
      },
    ]);
    expect(seen.map(({ url, headers }) => [url, headers.authorization])).toEqual(
      expect.arrayContaining([
        ['/readyz', 'Bearer t'],
        ['/router/readyz', 'Bearer t'],
      ]),
    );
    const refused = (await (await get('/services')).json()) as { services: Record<string, object> };
    expect(refused.services['router']).toMatchObject({ ready: false, checks: { reached: { ok: false } } });
  });
});

describe('parseConsoleConfig', () => {
  it('reads the services, and has defaults', () => {
    const parsed = parseConsoleConfig({
      CONSOLE_SERVICES: 'router=http://r:1/router, kv-index=http://k:2',
      CONSOLE_PORT: '7',
    });
    expect(parsed).toMatchObject({ ok: true, config: { port: 7 } });
    expect(parsed.ok && [...parsed.config.services]).toEqual([
      ['router', 'http://r:1/router'],
      ['kv-index', 'http://k:2'],
    ]);
    const plain = parseConsoleConfig({});
    expect(plain.ok && [...plain.config.services.keys()]).toEqual([
      'router',
      'kv-index',
      'event-bridge',
      'latency-predictor',
    ]);
  });

  it.each([
    'router',
    'router=ftp://x',
    'router=http://x/',
    'router=http://x?y',
    'a=http://x:1,a=http://y:1',
    'A b=http://x:1',
  ])('refuses %j', (text) => {
    const parsed = parseConsoleConfig({ CONSOLE_SERVICES: text });
    expect(parsed.ok ? [] : parsed.errors).toHaveLength(1);
  });
});
