import { Readable } from 'node:stream';
import { afterEach, describe, expect, it } from '@jest/globals';
import { recorder, startAdminServer } from '../testing/admin-server.ts';
import type { AdminServer } from '../testing/admin-server.ts';
import { lookup } from './lookup.ts';
import type { LookupOptions } from './lookup.ts';

const servers: AdminServer[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

const FOUND = {
  kind: 'matches',
  pool: 'main',
  promptBytes: 2000,
  workers: [
    { worker: 'w2', cachedTokens: 0, cachedBytes: 0, confidence: 'none' },
    { worker: 'w10', cachedTokens: 256, cachedBytes: 1000, confidence: 'live' },
    { worker: 'w1', cachedTokens: 256, cachedBytes: 1000, confidence: 'live' },
  ],
};

async function start(answer: unknown = FOUND): Promise<AdminServer> {
  const server = await startAdminServer({
    '/readyz': { ready: true, checks: {} },
    '/healthz': { service: 'kv-index' },
    '/lookup': answer,
  });
  servers.push(server);
  return server;
}

const optionsFor = ({ origin }: AdminServer, rest: Partial<LookupOptions> = {}): LookupOptions => ({
  ...{ admin: origin, token: null, text: false, json: false, model: 'm' },
  ...rest,
});
const nothing = Readable.from([]);

describe('index lookup', () => {
  it('shows who holds most, equals in the order of their names', async () => {
    const speaker = recorder();
    await lookup('Hello', optionsFor(await start()), nothing, speaker);
    expect(speaker.said.out).toBe(
      [
        'm in pool main: a prompt of 2,000 bytes',
        'worker  cached tok  bytes  of prompt  index',
        'w1             256  1,000       50 %  live',
        'w10            256  1,000       50 %  live',
        'w2               0      0        0 %  none',
        "none: no KV events are known of this worker, so nothing of its cache is ('sluice doctor' says why)",
        '',
      ].join('\n'),
    );
  });

  it('sends a text as a prompt, and the body of a chat as a chat with its model, tools and salt', async () => {
    const server = await start();
    const ask = (prompt: string, rest?: Partial<LookupOptions>): Promise<void> =>
      lookup(prompt, optionsFor(server, rest), nothing, recorder());
    const messages = [{ role: 'user', content: 'Hello' }];
    const body = JSON.stringify({ model: 'its', messages, tools: [1], cache_salt: 's', max_tokens: 5 });
    await ask('Hello', { salt: 'pepper' });
    await ask(body);
    const { model: _model, ...unnamed } = optionsFor(server);
    await lookup(body, unnamed, nothing, recorder());
    await ask(body, { text: true });
    await ask('{not json');
    expect(server.bodies).toEqual([
      { model: 'm', prompt: 'Hello', cacheSalt: 'pepper' },
      { model: 'm', messages, tools: [1], cacheSalt: 's' },
      { model: 'its', messages, tools: [1], cacheSalt: 's' },
      { model: 'm', prompt: body, cacheSalt: null },
      { model: 'm', prompt: '{not json', cacheSalt: null },
    ]);
  });

  it('reads stdin and files, and says which cannot be read', async () => {
    const server = await start();
    await lookup('-', optionsFor(server), Readable.from(['from a ', 'pipe']), recorder());
    expect(server.bodies).toEqual([{ model: 'm', prompt: 'from a pipe', cacheSalt: null }]);
    await expect(lookup('@/nonexistent/p.txt', optionsFor(server), nothing, recorder())).rejects.toThrow(
      /cannot read \/nonexistent\/p.txt/,
    );
    await expect(lookup('', optionsFor(server), nothing, recorder())).rejects.toThrow('the prompt is empty');
  });

  it('asks for the model where there are several, and sends the token', async () => {
    const message = "no pool serves ''; known are a, b";
    const server = await start([404, { error: { message, code: 'unknown_model' } }]);
    const { model: _model, ...unnamed } = optionsFor(server, { token: 'secret' });
    await expect(lookup('Hello', unnamed, nothing, recorder())).rejects.toThrow('say which model: --model a | b');
    expect(server.tokens).toEqual(new Set(['Bearer secret']));
  });

  it('has the answer as JSON', async () => {
    const speaker = recorder();
    await lookup('Hello', optionsFor(await start(), { json: true }), nothing, speaker);
    expect(JSON.parse(speaker.said.out)).toEqual(FOUND);
  });
});
