import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';

export interface AdminServer {
  readonly origin: string;
  /** Paths asked for. */
  readonly asked: string[];
  /** JSON that was posted. */
  readonly bodies: unknown[];
  /** `Authorization` headers that came. */
  readonly tokens: ReadonlySet<string | undefined>;
  close(): Promise<void>;
}

/** A server on a free port that answers paths with JSON: 200, or `[status, body]`; 404 elsewhere. */
export async function startAdminServer(routes: Readonly<Record<string, unknown>>): Promise<AdminServer> {
  const asked: string[] = [];
  const bodies: unknown[] = [];
  const tokens = new Set<string | undefined>();
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    asked.push(request.url!);
    tokens.add(request.headers.authorization);
    if (request.method === 'POST') bodies.push(await json(request));
    const found = routes[request.url!];
    const missing = { error: { message: `no ${request.url}`, type: 'not_found_error', code: 'not_found' } };
    const [status, body] = found === undefined ? [404, missing] : Array.isArray(found) ? found : [200, found];
    response.writeHead(Number(status), { 'content-type': 'application/json', connection: 'close' });
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  };
  const server = createServer((request, response) => void answer(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    bodies,
    tokens,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

/** A speaker that keeps what is said. */
export function recorder(columns = 80): {
  out: { columns: number; write(text: string): void };
  err: { write(text: string): void };
  colour: boolean;
  said: { out: string; err: string };
} {
  const said = { out: '', err: '' };
  return {
    out: { columns, write: (text) => void (said.out += text) },
    err: { write: (text) => void (said.err += text) },
    colour: false,
    said,
  };
}
