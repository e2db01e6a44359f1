import { Agent, request as httpRequest } from 'node:http';
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';

/** Of the reader's request, what a service is told. */
const ASKED = ['accept', 'authorization', 'if-none-match'] as const;
/** And of one that has a body. */
const POSTED = [...ASKED, 'content-length', 'content-type'] as const;
/** Of the service's answer, what the reader is told. */
const ANSWERED = ['content-type', 'content-length', 'cache-control', 'etag', 'www-authenticate'] as const;

/** Questions that are too long for an address: they are posted, and change nothing. Any other method changes state. */
const POSTED_READS: ReadonlySet<string> = new Set(['/lookup', '/render']);

/** What services take; one that refuses more hangs up while it is still being sent, and its answer may be lost. */
const MOST_POSTED_BYTES = 1 << 20;

/**
 * Passes reads of `/<service>/...` on to the admin API of that service, which decides by the reader's token. Nothing that
 * changes state gets through: what may be posted is compared as it came, before anything is made of `..` or `%`.
 */
export class AdminProxy {
  readonly #services: ReadonlyMap<string, string>;
  readonly #agent = new Agent({ keepAlive: true });

  constructor(services: ReadonlyMap<string, string>) {
    this.#services = services;
  }

  /** Returns false when the path is of no service. */
  pass(request: IncomingMessage, response: ServerResponse): boolean {
    const [, name = '', rest = ''] = /^\/([^/?]+)(.*)$/s.exec(request.url ?? '/') ?? [];
    const base = this.#services.get(name);
    if (base === undefined) return false;
    if (!isRead(request.method, rest)) {
      const allow = POSTED_READS.has(rest) ? 'POST' : 'GET, HEAD';
      const message = `the console only reads; ask ${name} itself, at ${base}`;
      sendProblem(response, 405, 'method_not_allowed', message, { allow });
      return true;
    }
    const { method, headers } = request;
    const posts = method === 'POST';
    if (posts && !(Number(headers['content-length']) <= MOST_POSTED_BYTES)) {
      const message = `a body of at most ${MOST_POSTED_BYTES} bytes, with its length in content-length, can be posted`;
      sendProblem(response, 413, 'body_too_large', message);
      return true;
    }
    const outgoing = httpRequest(
      // The host is never taken from what the reader sent: no path leads to another one.
      below(base, rest),
      { method, headers: pick(headers, posts ? POSTED : ASKED), agent: this.#agent },
      (answer) => {
        response.writeHead(answer.statusCode ?? 502, pick(answer.headers, ANSWERED));
        answer.pipe(response);
        answer.on('error', () => response.destroy());
      },
    );
    outgoing.on('error', (error) => {
      if (response.headersSent) response.destroy();
      else sendProblem(response, 502, 'service_unreachable', `${name} at ${base} does not answer: ${error.message}`);
    });
    response.on('close', () => outgoing.destroy());
    // The body of a GET would have no length, and the service would take it for a request of its own.
    if (posts) request.pipe(outgoing);
    else outgoing.end();
    return true;
  }

  close(): void {
    this.#agent.destroy();
  }
}

const isRead = (method: string | undefined, path: string): boolean =>
  method === 'GET' || method === 'HEAD' || (method === 'POST' && POSTED_READS.has(path));

function below(base: string, rest: string): URL {
  const [path = '', search = ''] = rest.split(/\?(.*)/s);
  const url = new URL(base);
  url.pathname = `${url.pathname === '/' ? '' : url.pathname}${path === '' ? '/' : path}`;
  url.search = search;
  return url;
}

function pick(headers: OutgoingHttpHeaders, names: readonly string[]): OutgoingHttpHeaders {
  return Object.fromEntries(names.filter((name) => headers[name] !== undefined).map((name) => [name, headers[name]]));
}

export function sendProblem(
  response: ServerResponse,
  status: number,
  code: string,
  message: string,
  headers: OutgoingHttpHeaders = {},
): void {
  const type = status >= 500 ? 'server_error' : status === 404 ? 'not_found_error' : 'invalid_request_error';
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify({ error: { message, type, code } }));
}
