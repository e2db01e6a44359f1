import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

export interface Received {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}
export type Behaviour = (request: Received, response: ServerResponse) => void | Promise<void>;

/** A small HTTP server that a spec makes behave as it needs, and that says what it received. */
export interface FakeEngine {
  readonly url: string;
  readonly port: number;
  readonly received: Received[];
  /** Requests whose connection ended before their answer did. */
  aborted(): number;
  behave(behaviour: Behaviour): void;
  /** Ends every connection at once and stops listening: what a killed process looks like. */
  kill(): Promise<void>;
  /** Listens again on the same port. */
  restart(): Promise<void>;
}

export async function startFakeEngine(behaviour: Behaviour, port = 0): Promise<FakeEngine> {
  let behave = behaviour;
  let aborted = 0;
  const received: Received[] = [];
  const sockets = new Set<Socket>();

  const handle = (request: IncomingMessage, response: ServerResponse): void => {
    const chunks: Buffer[] = [];
    response.on('close', () => {
      if (!response.writableFinished) aborted++;
    });
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const seen = {
        method: request.method ?? '',
        path: request.url ?? '',
        headers: request.headers,
        body: Buffer.concat(chunks),
      };
      if (seen.method === 'POST') received.push(seen);
      void behave(seen, response);
    });
  };
  const open = (at: number) =>
    new Promise<ReturnType<typeof createServer>>((resolve) => {
      const created = createServer(handle);
      created.on('connection', (socket) => {
        sockets.add(socket);
        socket.on('close', () => sockets.delete(socket));
      });
      created.listen(at, '127.0.0.1', () => resolve(created));
    });
  let server = await open(port);
  const bound = (server.address() as AddressInfo).port;
  return {
    url: `http://127.0.0.1:${bound}`,
    port: bound,
    received,
    aborted: () => aborted,
    behave: (next) => {
      behave = next;
    },
    kill: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
    restart: async () => {
      server = await open(bound);
    },
  };
}

/** Chunks of a streamed chat answer as vLLM writes them. */
export function chatEvents(tokens: readonly string[], usage?: object): string[] {
  const chunk = (delta: object, rest: object = {}): string =>
    `data: ${JSON.stringify({
      id: 'chatcmpl-1',
      object: 'chat.completion.chunk',
      created: 1,
      model: 'tiny',
      choices: [{ index: 0, delta, logprobs: null, finish_reason: null }],
      ...rest,
    })}\n\n`;
  const events = [chunk({ role: 'assistant', content: '' }), ...tokens.map((content) => chunk({ content }))];
  if (usage !== undefined) events.push(`data: ${JSON.stringify({ id: 'chatcmpl-1', choices: [], usage })}\n\n`);
  return [...events, 'data: [DONE]\n\n'];
}

/** Answers with an event stream; `pieces` are written one by one. */
export async function streamPieces(response: ServerResponse, pieces: readonly (string | Buffer)[]): Promise<void> {
  response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
  for (const piece of pieces) {
    response.write(piece);
    await tick();
  }
  response.end();
}

/** Lets sockets move. */
export const tick = (ms = 1): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Resolves when `holds` does. */
export async function until(holds: () => boolean, what: string, timeoutMs = 5000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`${what} did not come about in ${timeoutMs} ms`);
    await tick(2);
  }
}
