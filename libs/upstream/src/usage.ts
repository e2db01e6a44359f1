/** Token accounting of one answer, as the engine reported it. */
export interface Usage {
  readonly promptTokens: number;
  readonly completionTokens: number;
  /** `prompt_tokens_details.cached_tokens`; null when the engine does not say. */
  readonly cachedTokens: number | null;
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;
const count = (value: unknown): number =>
  typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : 0;

/** Reads an OpenAI `usage` object; null when `value` is none. Missing counts are 0. */
export function readUsage(value: unknown): Usage | null {
  if (!isRecord(value) || typeof value['prompt_tokens'] !== 'number') return null;
  const details = value['prompt_tokens_details'];
  const cached = isRecord(details) ? details['cached_tokens'] : undefined;
  return {
    promptTokens: count(value['prompt_tokens']),
    completionTokens: count(value['completion_tokens']),
    cachedTokens: typeof cached === 'number' ? count(cached) : null,
  };
}

/** The `usage` of a complete JSON text (an SSE payload or a whole answer); null when there is none or it is no JSON. */
export function usageOfJson(text: string): Usage | null {
  const parsed = parseJson(text);
  return isRecord(parsed) ? readUsage(parsed['usage']) : null;
}

/** What an engine says in an `error` object. `code` is the HTTP status it stands for, 500 when it names none. */
export interface EngineError {
  readonly message: string;
  readonly code: number;
}

/** The error of an SSE payload `{"error": ...}` (an object, or a bare string as vLLM's 401); null when it is no error. */
export function errorOfJson(text: string): EngineError | null {
  const parsed = parseJson(text);
  if (!isRecord(parsed)) return null;
  const error = parsed['error'];
  if (typeof error === 'string') return { message: error, code: 500 };
  if (!isRecord(error)) return null;
  return {
    message: typeof error['message'] === 'string' ? error['message'] : 'unknown error',
    code: typeof error['code'] === 'number' ? error['code'] : 500,
  };
}

/** `undefined` when `text` is no JSON: engines are not ours, so bad JSON from them is no bug. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
