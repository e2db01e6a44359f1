import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { askEngine } from './ask-engine.ts';
import { unansweredFindings } from './http-findings.ts';

let server: Server;
afterEach(() => new Promise((resolve) => server.close(resolve)));

/** What is made of a server that lists models like this. */
async function asked(models: unknown) {
  server = createServer((request, response) => {
    if (request.url === '/v1/models') response.end(JSON.stringify(models));
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return askEngine(url, { timeoutMs: 2000, apiKey: null });
}

describe('askEngine', () => {
  it('knows a router of Sluice from an engine', async () => {
    const answer = await asked({ data: [{ id: 'm', owned_by: 'sluice', root: 'm', parent: null }] });
    expect(answer).toEqual({ kind: 'router' });
    if (answer.kind === 'facts') return;
    expect(unansweredFindings('engine e', 'http://r:8080', answer)).toMatchObject([
      { code: 'engine-is-router', what: 'http://r:8080 is a router of Sluice, not an engine' },
    ]);
  });

  it('takes an engine that says nothing but its models', async () => {
    expect(await asked({ data: [{ id: 'm', owned_by: 'vllm', root: '/models/m' }] })).toMatchObject({
      kind: 'facts',
      version: null,
      models: [{ id: 'm', root: '/models/m', parent: null, maxModelLen: null }],
      ranks: null,
    });
  });

  it.each([[{ data: [] }], ['text'], [{ data: [{ name: 'x' }] }]])('takes %j for no OpenAI server', async (models) => {
    expect(await asked(models)).toMatchObject({ kind: 'not-openai' });
  });
});
