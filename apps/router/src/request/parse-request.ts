import type { RequestClass } from '@sluice/latency-model';
import { fnv1a } from '@sluice/model';
import type { Problem } from '../http/problem.ts';
import { badRequest } from '../http/problem.ts';
import { readWhole } from './body-reader.ts';
import type { BodyReader } from './body-reader.ts';
import { namedDestination } from './named-destination.ts';

export type Api = 'chat' | 'completions' | 'embeddings';

/** Where engines serve each API, which is where clients ask for it. */
export const API_PATHS: Readonly<Record<Api, string>> = {
  chat: '/v1/chat/completions',
  completions: '/v1/completions',
  embeddings: '/v1/embeddings',
};

/** A request as far as routing has to understand it. What it does not check is the engine's to judge. */
export interface InferenceRequest {
  readonly api: Api;
  /** Exactly the client's bytes. */
  readonly body: Buffer;
  /** To be read only: messages may be shared with other requests. */
  readonly json: Readonly<Record<string, unknown>>;
  /** Null when the client named none. */
  readonly model: string | null;
  readonly streamed: boolean;
  /** Most output tokens that the engine will produce; null when only the context limits them. */
  readonly maxTokens: number | null;
  /** Fewest output tokens. */
  readonly minTokens: number;
  readonly cacheSalt: string | null;
  /** What the client calls its session, or null. */
  readonly session: string | null;
}

export type ParsedRequest =
  | { readonly kind: 'request'; readonly request: InferenceRequest }
  | { readonly kind: 'problem'; readonly problem: Problem };

const destinationNamed = (field: string): string =>
  `${field} says where a request goes, which is not the client's to say`;

/** vLLM's default for `/v1/completions`. */
const COMPLETIONS_MAX_TOKENS = 16;

const text = (value: unknown): string | null => (typeof value === 'string' && value !== '' ? value : null);
/** More than any engine's context. What is counted in sums must not be so large that they lose what is small. */
const MOST_TOKENS = 1e8;
const positive = (value: unknown): number | null =>
  typeof value === 'number' && value >= 1 ? Math.min(value, MOST_TOKENS) : null;

/**
 * Parses a body, once. Fields of the wrong type count as absent: the engine's own answer about them passes through.
 * @param bodies knows messages of earlier bodies; null: the body is read whole
 */
export function parseRequest(
  api: Api,
  body: Buffer,
  sessionHeader: string | null,
  bodies: BodyReader | null,
): ParsedRequest {
  let json: unknown;
  try {
    json = api === 'chat' && bodies !== null ? bodies.readChat(body) : readWhole(body);
  } catch (error) {
    const message = body.length === 0 ? 'The body is empty' : `The body is not valid JSON: ${(error as Error).message}`;
    return { kind: 'problem', problem: badRequest(message) };
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    return { kind: 'problem', problem: badRequest('The body must be a JSON object') };
  }
  const fields = json as Record<string, unknown>;
  if (fields['model'] !== undefined && fields['model'] !== null && text(fields['model']) === null) {
    return { kind: 'problem', problem: badRequest('model must be a non-empty string', 'model') };
  }
  const destination = namedDestination(fields);
  if (destination !== null) return { kind: 'problem', problem: badRequest(destinationNamed(destination), destination) };
  const asked = positive(fields['max_completion_tokens']) ?? positive(fields['max_tokens']);
  const maxTokens = api === 'embeddings' ? 0 : (asked ?? (api === 'completions' ? COMPLETIONS_MAX_TOKENS : null));
  const minTokens = fields['ignore_eos'] === true && maxTokens !== null ? maxTokens : positive(fields['min_tokens']);
  return {
    kind: 'request',
    request: {
      api,
      body,
      json: fields,
      model: text(fields['model']),
      streamed: fields['stream'] === true && api !== 'embeddings',
      maxTokens,
      minTokens: minTokens ?? 0,
      cacheSalt: text(fields['cache_salt']),
      session: sessionHeader ?? text(fields['prompt_cache_key']) ?? text(fields['user']),
    },
  };
}

/** Output tokens to expect: the learned mean within what the request itself says. */
export function expectedOutputTokens(request: InferenceRequest, learnedMean: number): number {
  const most = request.maxTokens ?? Infinity;
  return Math.min(most, Math.max(request.minTokens, learnedMean));
}

/** What the length of the output is estimated by. */
export const requestClass = (
  { maxTokens, streamed, session }: InferenceRequest,
  promptTokens: number,
): RequestClass => ({ maxTokens, promptTokens, streamed, sessionHash: sessionHash(session) });

/** Of a client's session; null where it named none. */
export const sessionHash = (session: string | null): number | null => (session === null ? null : fnv1a(session));
