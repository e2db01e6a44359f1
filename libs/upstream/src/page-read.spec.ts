import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { FakeEngine } from './testing.ts';
import { startFakeEngine, until } from './testing.ts';
import { createUpstreamPool } from './upstream-pool.ts';
import type { UpstreamPool } from './upstream-pool.ts';

let engine: FakeEngine;
let pool: UpstreamPool;
const get = (timeoutMs = 5000) => pool.get(engine.url, '/page?name[]=a:b', timeoutMs);

beforeEach(async () => {
  engine = await startFakeEngine((_request, response) => void response.end('fine'));
  pool = createUpstreamPool({
    connections: 1,
    connectTimeoutMs: 1000,
    headersTimeoutMs: 60_000,
    silenceTimeoutMs: 60_000,
  });
});
afterEach(async () => {
  await pool.close();
  await engine.kill();
});

describe('get', () => {
  it('reads a page that comes in pieces, whatever its status', async () => {
    let path = '';
    engine.behave((request, response) => {
      ({ path } = request);
      const page = Buffer.from('\u00e4'.repeat(100_000));
      response.writeHead(404);
      response.write(page.subarray(0, 70_001));
      setTimeout(() => response.end(page.subarray(70_001)), 20);
    });
    expect(await get()).toEqual({ kind: 'answered', status: 404, body: '\u00e4'.repeat(100_000) });
    expect(path).toBe('/page?name[]=a:b');
    engine.behave((_request, response) => void response.writeHead(200).end());
    expect(await get()).toEqual({ kind: 'answered', status: 200, body: '' });
  });

  it('says refused when nobody listens and when the answer is cut', async () => {
    engine.behave((_request, response) => {
      response.writeHead(200, { 'content-length': 10 });
      response.write('half');
      setTimeout(() => response.destroy(), 20);
    });
    expect((await get()).kind).toBe('refused');
    await engine.kill();
    expect(await get()).toMatchObject({ kind: 'refused', cause: 'ECONNREFUSED' });
  });

  it('gives up in time: without an answer, within one, and while it waits for a connection', async () => {
    engine.behave(() => undefined);
    const [first, waiting] = await Promise.all([get(150), get(50)]);
    expect([first.kind, waiting.kind]).toEqual(['timeout', 'timeout']);
    await until(() => engine.aborted() === 1, 'the end of the request that was sent');
    engine.behave((_request, response) => void response.write('half'));
    expect((await get(50)).kind).toBe('timeout');
    engine.behave((_request, response) => void response.end('fine'));
    expect((await get()).kind).toBe('answered');
  });
});
