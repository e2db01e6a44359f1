// Fake engines on PORTS ports in one process: the cheapest answers there can be, the metrics page of a real vLLM.
// Usage: node engines.bench.ts COUNT; prints {"urls": [...]} when all of them listen.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

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

const usage = {
  prompt_tokens: 1000,
  total_tokens: 1128,
  completion_tokens: 128,
  prompt_tokens_details: { cached_tokens: 0 },
};
const whole = Buffer.from(
  JSON.stringify({
    id: 'chatcmpl-0123456789abcdef',
    object: 'chat.completion',
    created: 1795408968,
    model: 'bench',
    choices: [{ index: 0, message: { role: 'assistant', content: 'x'.repeat(200) }, finish_reason: 'stop' }],
    usage,
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

function handle(request: IncomingMessage, response: ServerResponse): void {
  if (request.url?.startsWith('/metrics') === true) {
    const page = metrics(request.url);
    response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4', 'content-length': page.length }).end(page);
  } else if (request.method === 'GET') response.writeHead(200, { 'content-length': 0 }).end();
  else {
    request.resume().on('end', () => {
      if (request.headers['x-bench-sse'] !== undefined) paced(response);
      else response.writeHead(200, { 'content-type': 'application/json', 'content-length': whole.length }).end(whole);
    });
  }
}

const urls = await Promise.all(
  Array.from({ length: Number(process.argv[2]) }, async () => {
    const server = createServer({ keepAliveTimeout: 60_000 }, handle);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }),
);
console.log(JSON.stringify({ urls }));
