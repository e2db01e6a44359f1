import { Catch, HttpException } from '@nestjs/common';
import type { ArgumentsHost, ExceptionFilter } from '@nestjs/common';
import type { Logger } from '@sluice/telemetry';
import type { z } from 'zod';

/** An answer other than success, in the shape of OpenAI's error objects: `{ error: { message, type, code } }`. */
export class Problem extends HttpException {
  readonly code: string;
  /** Each thing that is wrong, where several can be. */
  readonly errors: readonly string[] | undefined;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, code: string, message: string, rest: ProblemRest = {}) {
    super(message, status);
    this.code = code;
    this.errors = rest.errors;
    this.headers = rest.headers ?? {};
  }
}

export interface ProblemRest {
  readonly errors?: readonly string[];
  /** Response headers that belong to it. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** `value` as `schema` says. @throws Problem 400 `invalid_request` with every error. */
export function zodBody<S extends z.ZodType>(schema: S, value: unknown): z.output<S> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const errors = parsed.error.issues.map((issue) => `${issue.path.map(String).join('.') || 'body'}: ${issue.message}`);
  throw new Problem(400, 'invalid_request', errors.join('; '));
}

const typeOf = (status: number): string => {
  if (status === 401) return 'authentication_error';
  if (status === 403) return 'permission_error';
  if (status === 404) return 'not_found_error';
  if (status === 429) return 'rate_limit_error';
  return status < 500 ? 'invalid_request_error' : 'server_error';
};

const codeOf = (status: number): string => {
  if (status === 404) return 'not_found';
  if (status === 413) return 'body_too_large';
  if (status === 415) return 'unsupported_media_type';
  return status < 500 ? 'invalid_request' : 'internal_error';
};

/** What a client is told about an error, and whether it is a bug of ours. */
export function problemOf(error: unknown): {
  status: number;
  message: string;
  type: string;
  code: string;
  bug: boolean;
  errors: readonly string[] | undefined;
  headers: Readonly<Record<string, string>>;
} {
  // Fastify's own errors (malformed JSON, body too large) carry their status as `statusCode`.
  const declared = error instanceof HttpException ? error.getStatus() : (error as { statusCode?: unknown })?.statusCode;
  const status = typeof declared === 'number' && declared >= 400 && declared < 600 ? declared : 500;
  const bug = status === 500;
  return {
    status,
    message: bug || !(error instanceof Error) ? 'internal error' : error.message,
    type: typeOf(status),
    code: error instanceof Problem ? error.code : codeOf(status),
    bug,
    errors: error instanceof Problem ? error.errors : undefined,
    headers: error instanceof Problem ? error.headers : {},
  };
}

interface Reply {
  status(code: number): Reply;
  headers(values: Readonly<Record<string, string>>): Reply;
  send(body: unknown): unknown;
}

/** Turns every error of an admin request into an error object; unexpected ones are logged and hidden from the client. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  readonly #logger: Logger;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  catch(error: unknown, host: ArgumentsHost): void {
    const { status, message, type, code, bug, errors, headers } = problemOf(error);
    if (bug) this.#logger.error({ err: error }, 'request failed');
    const body = { error: { message, type, code, ...(errors && { errors }) } };
    host.switchToHttp().getResponse<Reply>().status(status).headers(headers).send(body);
  }
}
