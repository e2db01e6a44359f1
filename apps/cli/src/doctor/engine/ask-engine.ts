import { parseEngineMetrics } from '@sluice/engine-wire';
import { reasonOf } from '../../reason.ts';

export interface ServedModel {
  readonly id: string;
  /** Path or name of the weights. */
  readonly root: string | null;
  /** The base model of an adapter; null for a base model. */
  readonly parent: string | null;
  readonly maxModelLen: number | null;
}

/** Where a rank publishes its KV events, as vLLM's `/kv_event_sources` has it. */
export interface DeclaredEvents {
  readonly endpoint: string;
  readonly replayEndpoint: string | null;
  readonly topic: string;
}

/** What a running engine says of itself over HTTP. */
export interface EngineFacts {
  readonly kind: 'facts';
  readonly version: string | null;
  readonly models: readonly ServedModel[];
  /** Ranks on its metrics page; null without one. */
  readonly ranks: number | null;
  /** Labels of `cache_config_info`; null when the page lacks it. */
  readonly cacheConfig: Readonly<Record<string, string>> | null;
  /** By rank; `off` when it publishes none, null when it does not say (before vLLM 0.32, SGLang). */
  readonly events: ReadonlyMap<number, DeclaredEvents> | 'off' | null;
}

export type EngineAnswer =
  | EngineFacts
  | { readonly kind: 'unreachable'; readonly reason: string }
  | { readonly kind: 'unauthorized' }
  | { readonly kind: 'not-openai'; readonly reason: string }
  /** A router of Sluice. */
  | { readonly kind: 'router' };

/** How to talk to engines. */
export interface Access {
  readonly timeoutMs: number;
  /** Sent as a bearer token; null: none. */
  readonly apiKey: string | null;
}

/** Every request has a connection of its own: one that was kept may just be closed by the server, and say "it hung up". */
export const headersOf = ({ apiKey }: Access): Record<string, string> => ({
  connection: 'close',
  ...(apiKey === null ? {} : { authorization: `Bearer ${apiKey}` }),
});

/** Asks an engine for its models, metrics and event sources. */
export async function askEngine(url: string, access: Access): Promise<EngineAnswer> {
  const get = (path: string): Promise<Response> =>
    fetch(url + path, { headers: headersOf(access), signal: AbortSignal.timeout(access.timeoutMs) });
  let list: unknown;
  try {
    const response = await get('/v1/models');
    if (response.status === 401 || response.status === 403) return { kind: 'unauthorized' };
    if (!response.ok) return { kind: 'not-openai', reason: `GET /v1/models answers ${response.status}` };
    list = await response.json().catch(() => null);
  } catch (error) {
    return { kind: 'unreachable', reason: reasonOf(error, access.timeoutMs) };
  }
  const models = modelsIn(list);
  if (isOfSluice(list)) return { kind: 'router' };
  if (models === null) return { kind: 'not-openai', reason: 'GET /v1/models lists no model' };
  // What else it says is welcome and not needed: an old or another engine lacks some of it.
  const optional = (path: string): Promise<string | null> =>
    get(path).then(
      (response) => (response.ok ? response.text() : null),
      () => null,
    );
  const [version, metrics, events] = await Promise.all(['/version', '/metrics', '/kv_event_sources'].map(optional));
  const signals = metrics === null || metrics === undefined ? [] : parseEngineMetrics(metrics);
  return {
    kind: 'facts',
    version: stringIn(parsed(version ?? null), 'version'),
    models,
    ranks: signals.length === 0 ? null : signals.length,
    cacheConfig: cacheConfigIn(metrics ?? ''),
    events: eventsIn(parsed(events ?? null)),
  };
}

/** Sluice's routers list the models of their pools as their own. */
const isOfSluice = (body: unknown): boolean => entriesIn(body).some((entry) => entry['owned_by'] === 'sluice');

const entriesIn = (body: unknown): Record<string, unknown>[] =>
  isRecord(body) && Array.isArray(body['data']) ? (body['data'] as unknown[]).filter(isRecord) : [];

function modelsIn(body: unknown): ServedModel[] | null {
  const models = entriesIn(body).flatMap((entry): ServedModel[] => {
    const { id, max_model_len: length } = entry;
    if (typeof id !== 'string') return [];
    const maxModelLen = typeof length === 'number' ? length : null;
    return [{ id, root: stringIn(entry, 'root'), parent: stringIn(entry, 'parent'), maxModelLen }];
  });
  return models.length === 0 ? null : models;
}

function cacheConfigIn(metrics: string): Record<string, string> | null {
  const line = /^(?:vllm|sglang):cache_config_info\{(.*)\} /m.exec(metrics);
  if (line === null) return null;
  return Object.fromEntries(
    [...line[1]!.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, name, value]) => [name, value]),
  );
}

function eventsIn(body: unknown): EngineFacts['events'] {
  if (!isRecord(body)) return null;
  const ranks = new Map<number, DeclaredEvents>();
  for (const [rank, source] of Object.entries(body)) {
    if (!isRecord(source) || source['enable_kv_cache_events'] !== true) continue;
    const endpoint = stringIn(source, 'endpoint');
    if (endpoint === null) continue;
    const replayEndpoint = stringIn(source, 'replay_endpoint');
    ranks.set(Number(rank), { endpoint, replayEndpoint, topic: stringIn(source, 'topic') ?? '' });
  }
  return ranks.size === 0 ? 'off' : ranks;
}

function parsed(text: string | null): unknown {
  try {
    return text === null ? null : JSON.parse(text);
  } catch {
    return null;
  }
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const stringIn = (body: unknown, name: string): string | null => {
  const value = isRecord(body) ? body[name] : null;
  return typeof value === 'string' ? value : null;
};
