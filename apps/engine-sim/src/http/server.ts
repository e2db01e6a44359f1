import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { internalError, METHOD_NOT_ALLOWED, NOT_FOUND, UNAUTHORIZED } from '../openai/errors.ts';
import type { Simulator } from '../simulator.ts';
import { generate } from './generate.ts';
import { sendEmpty, sendError, sendJson, sendText } from './reply.ts';
import { detokenize, tokenize } from './tokens.ts';

/** A request whose body has arrived. */
interface Call {
  readonly incoming: IncomingMessage;
  readonly response: ServerResponse;
  readonly body: Buffer;
  /** `performance.now()` when the body was complete. */
  readonly arrivedMs: number;
}

type Handler = (simulator: Simulator, call: Call) => void;

const VERSION = '0.32.0';
const METRICS_TYPE = 'text/plain; version=1.0.0; charset=utf-8';

const generateRoute =
  (endpoint: 'chat' | 'completion'): Handler =>
  (simulator, { incoming, response, body, arrivedMs }) =>
    generate(simulator, endpoint, incoming, response, body, arrivedMs);
const json =
  (value: (simulator: Simulator) => unknown): Handler =>
  (simulator, { response }) =>
    sendJson(response, 200, JSON.stringify(value(simulator)));
const empty: Handler = (_simulator, { response }) => sendEmpty(response, 200);

const ROUTES: Readonly<Record<string, Readonly<Record<string, Handler>>>> = {
  '/v1/chat/completions': { POST: generateRoute('chat') },
  '/v1/completions': { POST: generateRoute('completion') },
  '/v1/models': { GET: json((simulator) => simulator.modelList()) },
  '/tokenize': { POST: (simulator, { incoming, response, body }) => tokenize(simulator, incoming, response, body) },
  '/detokenize': { POST: (simulator, { incoming, response, body }) => detokenize(simulator, incoming, response, body) },
  '/health': { GET: empty },
  '/ping': { GET: empty, POST: empty },
  '/version': { GET: json(() => ({ version: VERSION })) },
  '/load': { GET: json((simulator) => ({ server_load: simulator.requestsOpen })) },
  '/kv_event_sources': { GET: json((simulator) => simulator.kvEventSources()) },
  '/reset_prefix_cache': { POST: json((simulator) => ({ success: simulator.resetPrefixCache() })) },
  '/metrics': { GET: (simulator, { response }) => sendText(response, 200, METRICS_TYPE, simulator.metrics.render()) },
  // vLLM mounts Python's metrics app here; without the slash it drops the query.
  '/metrics/': {
    GET: (simulator, { incoming, response }) => {
      const names = new URL(incoming.url!, 'http://engine').searchParams.getAll('name[]');
      const page = simulator.metrics.render(names.length === 0 ? undefined : new Set(names));
      sendText(response, 200, METRICS_TYPE, page);
    },
  },
};

/** The HTTP server, not listening yet. */
export function createHttpServer(simulator: Simulator): Server {
  return createServer({ keepAliveTimeout: 5_000 }, (incoming, response) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('error', () => response.destroy());
    incoming.on('end', () => {
      const body = Buffer.concat(chunks);
      try {
        handle(simulator, { incoming, response, body, arrivedMs: performance.now() });
      } catch (error) {
        if (!response.headersSent) sendError(response, internalError(String(error)));
        else response.destroy();
        simulator.onError(error);
      }
    });
  });
}

function handle(simulator: Simulator, call: Call): void {
  const { incoming, response } = call;
  const path = new URL(incoming.url ?? '/', 'http://engine').pathname;
  const { apiKey } = simulator.config;
  if (apiKey !== null && path.startsWith('/v1') && incoming.headers.authorization !== `Bearer ${apiKey}`) {
    return sendError(response, UNAUTHORIZED);
  }
  const methods = Object.hasOwn(ROUTES, path) ? ROUTES[path]! : undefined;
  if (methods === undefined) return sendError(response, NOT_FOUND);
  const handler = Object.hasOwn(methods, incoming.method ?? '') ? methods[incoming.method!] : undefined;
  if (handler !== undefined) return handler(simulator, call);
  response.setHeader('allow', Object.keys(methods).join(', '));
  sendError(response, METHOD_NOT_ALLOWED);
}
