// Fake engines on PORTS ports in one process: the cheapest answers there can be, the metrics page of a real vLLM.
// Usage: node engines.bench.ts COUNT [--kv-events]; prints {"urls": [...], "kvEvents": [...] | null} when all of them listen.
// With --kv-events they have vLLM's prefix cache and publish its events over ZeroMQ.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PrefixCache, PromptTokens } from './prefix-cache.bench.ts';

const SSE_CHUNKS = 128;
const metricsPage = readFileSync(new URL('../../../../libs/engine-wire/testdata/metrics-queued.txt', import.meta.url));
/** Only the samples with these names and their HELP and TYPE, as prometheus_client answers `/metrics/?name[]=...`. */
const only = (names: readonly string[]): Buffer => {
  const kept = metricsPage
    .toString()
    .split('\n')
    .filter((line) =>
      names.some((name) => line.startsWith(`${name}{`) || (line.startsWith('#') && line.split(' ')[2] === name)),
    );
  return Buffer.from(`${kept.join('\n')}\n`);
};
const namedPages = new Map<string, Buffer>();

function metrics(url: string): Buffer {
  if (url === '/metrics') return metricsPage;
  let page = namedPages.get(url);
  if (page === undefined) {
    page = only(new URL(url, 'http://localhost').searchParams.getAll('name[]'));
    namedPages.set(url, page);
  }
  return page;
}

/** Of the load's prompts, where nobody tokenises them. */
const BYTES_PER_TOKEN = 4.3;
const whole = (promptTokens: number, cachedTokens: number): Buffer =>
  Buffer.from(
    JSON.stringify({
      id: 'chatcmpl-0123456789abcdef',
      object: 'chat.completion',
      created: 1795408968,
      model: 'bench',
      choices: [{ index: 0, message: { role: 'assistant', content: 'x'.repeat(200) }, finish_reason: 'stop' }],
      usage: {
        prompt_tokens: promptTokens,
        total_tokens: promptTokens + 128,
        completion_tokens: 128,
        prompt_tokens_details: { cached_tokens: cachedTokens },
      },
    }),
  );
const chunk = (content: string): Buffer => {
  const choices = [{ index: 0, delta: { content }, logprobs: null, finish_reason: null, token_ids: null }];
  const event = {
    id: 'chatcmpl-0123456789abcdef',
    object: 'chat.completion.chunk',
    created: 1795408968,
    model: 'bench',
    choices,
  };
  return Buffer.from(`data: ${JSON.stringify(event)}\n\n`);
};
const token = chunk(' token');
const done = Buffer.from('data: [DONE]\n\n');

/** 128 chunks, 2 to 5 ms apart. */
function paced(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
  let left = SSE_CHUNKS;
  const next = (): void => {
    if (left-- > 0) {
      response.write(token);
      setTimeout(next, 2 + Math.random() * 3);
    } else response.end(done);
  };
  next();
}

function handle(cache: PrefixCache | null, request: IncomingMessage, response: ServerResponse): void {
  if (request.url?.startsWith('/metrics') === true) {
    const page = metrics(request.url);
    response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4', 'content-length': page.length }).end(page);
  } else if (request.method === 'GET') response.writeHead(200, { 'content-length': 0 }).end();
  else {
    const chunks: Buffer[] = [];
    let length = 0;
    request.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (cache !== null) chunks.push(chunk);
    });
    request.on('end', () => {
      const computed = cache?.compute(Buffer.concat(chunks));
      if (request.headers['x-bench-sse'] !== undefined) return paced(response);
      const promptTokens = computed?.promptTokens ?? Math.round(length / BYTES_PER_TOKEN);
      const answer = whole(promptTokens, computed?.cachedTokens ?? 0);
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': answer.length }).end(answer);
    });
  }
}

const tokens = process.argv.includes('--kv-events') ? await PromptTokens.load() : null;
const engines = await Promise.all(
  Array.from({ length: Number(process.argv[2]) }, async () => {
    const cache = tokens === null ? null : await PrefixCache.open(tokens);
    const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => handle(cache, request, response));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, kvEvents: cache?.addresses ?? null };
  }),
);
const kvEvents = tokens === null ? null : engines.map((engine) => engine.kvEvents);
console.log(JSON.stringify({ urls: engines.map(({ url }) => url), kvEvents }));
