/** A failure as vLLM answers it: a status and a JSON body. */
export interface ApiError {
  readonly status: number;
  readonly body: unknown;
}

const openAi = (status: number, message: string, type: string, param: string | null): ApiError => ({
  status,
  body: { error: { message, type, param, code: status } },
});

/** A value that is well-formed but not allowed. `value` is repeated in the message, as vLLM does. */
export function badRequest(message: string, param: string | null = null, value?: string): ApiError {
  const parameter = param === null ? '' : ` (parameter=${param}${value === undefined ? '' : `, value=${value}`})`;
  return openAi(400, message + parameter, 'BadRequestError', param);
}

export const unknownModel = (model: string, served: readonly string[]): ApiError =>
  openAi(404, `The model \`${model}\` does not exist. Valid aliases: ${served.join(', ')}.`, 'NotFoundError', 'model');

/** What an engine that stops says to the requests it still has. */
export const ENGINE_DEAD = openAi(
  500,
  'EngineCore encountered an issue. See stack trace (above) for the root cause.',
  'InternalServerError',
  null,
);

export const internalError = (message: string): ApiError => openAi(500, message, 'InternalServerError', null);

export const UNAUTHORIZED: ApiError = { status: 401, body: { error: 'Unauthorized' } };
export const NOT_FOUND: ApiError = { status: 404, body: { detail: 'Not Found' } };
export const METHOD_NOT_ALLOWED: ApiError = { status: 405, body: { detail: 'Method Not Allowed' } };

/** One complaint of the request schema, in Pydantic's words. */
export interface SchemaError {
  readonly type: string;
  readonly loc: string;
  readonly msg: string;
  /** The offending value, in Python's notation and quotes. */
  readonly input?: string;
  readonly ctx?: string;
}

/** The answer to a body that does not fit the schema. */
export function schemaErrors(errors: readonly SchemaError[]): ApiError {
  const lines = errors.map(({ type, loc, msg, input, ctx }) => {
    const fields = [`'type': '${type}'`, `'loc': '${loc}'`, `'msg': '${msg}'`];
    if (input !== undefined) fields.push(`'input': ${input}`);
    if (ctx !== undefined) fields.push(`'ctx': {'error': '${ctx}'}`);
    return `  {${fields.join(', ')}}`;
  });
  const count = `${errors.length} validation error${errors.length === 1 ? '' : 's'}:`;
  return openAi(400, [count, ...lines].join('\n'), 'Bad Request', errors[0]!.loc);
}

export const UNSUPPORTED_MEDIA_TYPE = openAi(
  400,
  "1 validation error:\n  Unsupported Media Type: Only 'application/json' is allowed",
  'Bad Request',
  null,
);

/** Python's `repr` of a JSON value, containers by their size only. */
export function pythonRepr(value: unknown): string {
  if (value === null || value === undefined) return 'None';
  if (value === true) return 'True';
  if (value === false) return 'False';
  if (typeof value === 'string') return `'${value}'`;
  if (Array.isArray(value)) return `'<list of ${value.length} items>'`;
  if (typeof value === 'object') return `'<dict of ${Object.keys(value).length} items>'`;
  return String(value);
}

/** Python's `str` of a float. */
export const pythonFloat = (value: number): string => (Number.isInteger(value) ? `${value}.0` : String(value));
