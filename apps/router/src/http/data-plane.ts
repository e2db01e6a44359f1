import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { API_PATHS } from '../request/parse-request.ts';
import type { Api } from '../request/parse-request.ts';
import { routeRequest } from '../route-request.ts';
import type { Ended } from '../route-request.ts';
import { UNKNOWN_MODEL } from '../metrics.ts';
import { beginTrace } from '../tracing/request-trace.ts';
import type { Router } from '../router.ts';
import { findModel, listModels } from './models.ts';
import { internalError, methodNotAllowed, notFound, sendProblem, tooManyRequests, unavailable } from './problem.ts';
import type { Problem } from './problem.ts';
import { BodyBudget, readBody } from './read-body.ts';

const API_BY_PATH: ReadonlyMap<string, Api> = new Map(
  (Object.keys(API_PATHS) as Api[]).map((api) => [API_PATHS[api], api]),
);
const HEALTH_PATHS: ReadonlySet<string> = new Set(['/health', '/healthz', '/ping']);
/** Longer than the idle time of load balancers in front, so that they close first and never write to a closing one. */
const KEEP_ALIVE_MS = 75_000;
/** A request that has not arrived by then never will; it holds one of the places until then. */
const REQUEST_TIMEOUT_MS = 60_000;
const MODELS_PATH = '/v1/models';

/**
 * The OpenAI data plane: a plain HTTP server, outside Nest, because every token of every answer passes through it.
 * Bounded: bodies, bytes of bodies held, requests handled at one time.
 */
export class DataPlane {
  /** Requests being handled, from their first byte to the end of their answer. */
  inFlight = 0;
  readonly #router: Router;
  readonly #server: Server;
  readonly #budget: BodyBudget;
  #state: 'open' | 'leaving' | 'draining' = 'open';
  #idle: (() => void) | null = null;

  constructor(router: Router) {
    this.#router = router;
    this.#budget = new BodyBudget(router.config.maxHeldBodyBytes);
    const limits = { keepAliveTimeout: KEEP_ALIVE_MS, requestTimeout: REQUEST_TIMEOUT_MS };
    this.#server = createServer(limits, (request, response) => {
      this.#handle(request, response).catch((error: unknown) => {
        router.logger.error({ err: error, path: request.url }, 'request failed in the router');
        sendProblem(response, internalError());
        if (!response.writableEnded) response.destroy();
      });
    });
  }

  /** Bytes of request bodies held at present. */
  get heldBodyBytes(): number {
    return this.#budget.heldBytes;
  }

  /** Starts to listen; resolves with the origin. */
  listen(host: string, port: number): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, host, () => {
        this.#server.off('error', reject);
        const address = this.#server.address() as AddressInfo;
        resolve(`http://${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`);
      });
    });
  }

  /**
   * For `forMs` whoever still comes is served: load balancers go on sending until they notice. Each answer closes its
   * connection, and the health paths answer 503.
   */
  async leave(forMs: number): Promise<void> {
    this.#state = 'leaving';
    if (forMs > 0) await sleep(forMs);
  }

  /** Takes no new connections and requests, lets those in flight finish for at most `limitMs`, then cuts them. */
  async drain(limitMs: number): Promise<void> {
    this.#state = 'draining';
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeIdleConnections();
    if (this.inFlight > 0) {
      let timer: NodeJS.Timeout | undefined;
      const limit = new Promise<void>((resolve) => (timer = setTimeout(resolve, limitMs)));
      await Promise.race([new Promise<void>((resolve) => (this.#idle = resolve)), limit]);
      clearTimeout(timer);
    }
    this.#server.closeAllConnections();
    await closed;
  }

  async #handle(request: IncomingMessage, client: ServerResponse): Promise<void> {
    const path = pathOf(request.url ?? '/');
    if (this.#state !== 'open') client.setHeader('connection', 'close');
    const api = API_BY_PATH.get(path);
    if (api !== undefined) await this.#inference(api, request, client);
    else this.#other(path, request.method ?? 'GET', client);
  }

  async #inference(api: Api, request: IncomingMessage, client: ServerResponse): Promise<void> {
    const { config } = this.#router;
    if (request.method !== 'POST') {
      sendProblem(client, methodNotAllowed(request.method ?? '', 'POST'));
      return;
    }
    if (this.#state === 'draining') return this.#refuse(api, client, unavailable('The router is shutting down'));
    if (this.inFlight >= config.maxInFlight)
      return this.#refuse(api, client, tooManyRequests('Too many requests are in flight'));
    this.inFlight++;
    const trace = beginTrace(this.#router.tracing, api, request.headers);
    let ended: Ended = { model: null, code: 500, result: 'router-error' };
    let held = 0;
    try {
      const read = await readBody(request, config.maxBodyBytes, this.#budget);
      if (read.kind === 'aborted') ended = { model: null, code: 499, result: 'client-abort' };
      else if (read.kind === 'problem') {
        sendProblem(client, read.problem);
        const result = read.problem.status === 429 ? 'overload' : 'rejected';
        ended = { model: null, code: read.problem.status, result };
      } else {
        held = read.body.length;
        trace.received(held);
        ended = await routeRequest(this.#router, { api, headers: request.headers, body: read.body, client, trace });
      }
    } finally {
      this.#count(api, ended);
      trace.end(ended.model, ended.code, ended.result);
      this.#budget.heldBytes -= held;
      if (--this.inFlight === 0) this.#idle?.();
    }
  }

  #other(path: string, method: string, client: ServerResponse): void {
    const reads = method === 'GET' || method === 'HEAD';
    const { fleet } = this.#router;
    if (HEALTH_PATHS.has(path)) {
      if (!reads) return sendProblem(client, methodNotAllowed(method, 'GET, HEAD'));
      client.writeHead(this.#state === 'open' ? 200 : 503, ['content-length', '0']);
      client.end();
    } else if (path === MODELS_PATH || path.startsWith(`${MODELS_PATH}/`)) {
      if (!reads) return sendProblem(client, methodNotAllowed(method, 'GET, HEAD'));
      if (path === MODELS_PATH) return sendJson(client, listModels(fleet));
      const name = decode(path.slice(MODELS_PATH.length + 1));
      const model = findModel(fleet, name);
      if (model === null) return sendProblem(client, notFound(`The model \`${name}\` does not exist.`));
      sendJson(client, model);
    } else sendProblem(client, notFound(`Nothing is served at ${path}`));
  }

  #refuse(api: Api, client: ServerResponse, problem: Problem): void {
    sendProblem(client, problem);
    this.#count(api, { model: null, code: problem.status, result: 'overload' });
  }

  #count(api: Api, { model, code, result }: Ended): void {
    this.#router.metrics.count(api, model ?? UNKNOWN_MODEL, code, result);
  }
}

/** Path of a request target, without the origin that clients of proxies write before it (RFC 9112, 3.2.2). */
function pathOf(target: string): string {
  const url = target.startsWith('/') ? target : target.replace(/^https?:\/\/[^/?]*/i, '');
  const query = url.indexOf('?');
  return query < 0 ? url : url.slice(0, query);
}

function sendJson(client: ServerResponse, value: unknown): void {
  const body = JSON.stringify(value);
  client.writeHead(200, ['content-type', 'application/json', 'content-length', String(Buffer.byteLength(body))]);
  client.end(body);
}

/** Percent-decoded, or as it is when that is not possible. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
