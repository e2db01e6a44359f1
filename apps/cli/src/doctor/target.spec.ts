import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { enginesOf } from './fleet-engine.ts';
import { fleetOfEngines } from './target.ts';

const servers: Server[] = [];
afterEach(() => Promise.all(servers.splice(0).map((server) => new Promise((resolve) => server.close(resolve)))));

/** An engine that lists one model, after `delayMs`; null: nobody listens any more. */
async function engine(id: string, delayMs: number | null) {
  const server = createServer((request, response) => {
    const found = request.url === '/v1/models';
    response.writeHead(found ? 200 : 404, { 'content-type': 'application/json', connection: 'close' });
    setTimeout(() => response.end(JSON.stringify(found ? { data: [{ id: 'tiny' }] } : {})), delayMs ?? 0);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  if (delayMs === null) await new Promise((resolve) => server.close(resolve));
  else servers.push(server);
  return { id, url: `http://127.0.0.1:${port}`, pool: null, variant: 'default', ranks: null, tokenizer: null };
}

describe('fleetOfEngines', () => {
  it('keeps the order in which engines were named, whoever answers first, and says who does not', async () => {
    const named = [await engine('engine-1', 60), await engine('engine-2', null), await engine('engine-3', 0)];
    const { fleet, findings } = await fleetOfEngines(named, 'command', { timeoutMs: 2000, apiKey: null });
    expect(enginesOf(fleet!).map(({ id }) => id)).toEqual(['engine-1', 'engine-3']);
    expect(findings.map(({ subject }) => subject)).toEqual(['engine engine-2']);
  });
});
