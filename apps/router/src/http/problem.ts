import { STATUS_CODES } from 'node:http';
import type { ServerResponse } from 'node:http';

/** An answer that the router gives itself, as an OpenAI error object in the form that vLLM uses (`code` is the status). */
export interface Problem {
  readonly status: number;
  readonly type: string;
  readonly message: string;
  readonly param: string | null;
  /** Response headers that belong to it, name and value in turn. */
  readonly headers: readonly string[];
}

const RETRY_SOON = ['retry-after', '1'] as const;

const problem = (
  status: number,
  type: string,
  message: string,
  param: string | null = null,
  headers: readonly string[] = [],
): Problem => ({ status, type, message, param, headers });

export const badRequest = (message: string, param: string | null = null): Problem =>
  problem(400, 'BadRequestError', message, param);

export const notFound = (message: string): Problem => problem(404, 'NotFoundError', message);

/** In vLLM's words, with the models that there are. */
export const unknownModel = (model: string | null, known: readonly string[]): Problem => {
  const aliases = `Valid aliases: ${known.join(', ') || 'none'}.`;
  return model === null
    ? problem(400, 'BadRequestError', `model is required. ${aliases}`, 'model')
    : problem(404, 'NotFoundError', `The model \`${model}\` does not exist. ${aliases}`, 'model');
};

export const methodNotAllowed = (method: string, allowed: string): Problem =>
  problem(405, 'MethodNotAllowedError', `${method} is not allowed here; use ${allowed}`, null, ['allow', allowed]);

export const bodyTooLarge = (limitBytes: number): Problem =>
  problem(413, 'RequestEntityTooLargeError', `The body is larger than the limit of ${limitBytes} bytes`);

export const unsupportedEncoding = (encoding: string): Problem =>
  problem(415, 'UnsupportedMediaTypeError', `Content-Encoding '${encoding}' is not supported; send the JSON as it is`);

export const tooManyRequests = (message: string): Problem => problem(429, 'RateLimitError', message, null, RETRY_SOON);

export const badGateway = (message: string): Problem => problem(502, 'BadGatewayError', message, null, RETRY_SOON);

export const unavailable = (message: string): Problem =>
  problem(503, 'ServiceUnavailableError', message, null, RETRY_SOON);

export const gatewayTimeout = (message: string): Problem => problem(504, 'GatewayTimeoutError', message);

export const internalError = (): Problem =>
  problem(500, 'InternalServerError', 'The router failed to handle the request');

/** Answers with `problem`, unless an answer has begun or the client is gone. */
export function sendProblem(client: ServerResponse, problem: Problem, headers: readonly string[] = []): void {
  if (client.headersSent || client.destroyed) return;
  const { status, message, type, param } = problem;
  const body = JSON.stringify({ error: { message, type, param, code: status } });
  // Said anew: the response keeps the reason phrase of a head that could not be written.
  client.writeHead(status, STATUS_CODES[status] ?? '', [
    'content-type',
    'application/json',
    'content-length',
    String(Buffer.byteLength(body)),
    ...problem.headers,
    ...headers,
  ]);
  client.end(body);
}
