/** What an engine says about itself, as an entry of a fleet file. */
export interface ProbedEngine {
  readonly url: string;
  /** Base models, then LoRA adapters. */
  readonly models: readonly string[];
  readonly loras: readonly string[];
  readonly ranks: number;
  readonly kvEvents: { mode: 'connect' | 'bind'; endpoint: string; replay: string | null; topic: string } | null;
}

export type Probe =
  | { readonly kind: 'engine'; readonly engine: ProbedEngine }
  | { readonly kind: 'unauthorized' }
  | { readonly kind: 'unreachable'; readonly reason: string }
  | { readonly kind: 'not-an-engine'; readonly reason: string };

interface EventSource {
  enable_kv_cache_events?: boolean;
  endpoint?: string;
  replay_endpoint?: string | null;
  topic?: string;
}

/**
 * Asks a running vLLM for its models and its KV event streams.
 * @param apiKey sent as a bearer token; null: none
 */
export async function probeEngine(url: string, timeoutMs: number, apiKey: string | null = null): Promise<Probe> {
  let models: { data?: { id: string; parent?: string | null }[] };
  try {
    const response = await fetch(`${url}/v1/models`, {
      headers: { connection: 'close', ...(apiKey === null ? {} : { authorization: `Bearer ${apiKey}` }) },
      signal: AbortSignal.timeout(timeoutMs),
    });
    if (response.status === 401 || response.status === 403) return { kind: 'unauthorized' };
    if (!response.ok) return { kind: 'not-an-engine', reason: `GET ${url}/v1/models answered ${response.status}` };
    models = (await response.json()) as typeof models;
  } catch (error) {
    // fetch hides the reason in the cause; one that tried several addresses has a code and no message.
    const { message, cause } = error as Error & { cause?: { message?: string; code?: string } };
    return { kind: 'unreachable', reason: cause?.message || cause?.code || message };
  }
  const data = models.data ?? [];
  if (data.length === 0) return { kind: 'not-an-engine', reason: `GET ${url}/v1/models lists no model` };
  const isAdapter = (model: { parent?: string | null }): boolean => typeof model.parent === 'string';
  const loras = data.filter(isAdapter).map((model) => model.id);
  const bases = data.filter((model) => !isAdapter(model)).map((model) => model.id);
  return {
    kind: 'engine',
    engine: { url, models: [...bases, ...loras], loras, ...(await eventSources(url, timeoutMs)) },
  };
}

/** vLLM 0.32 and later say where they publish; anything else is served without events. */
async function eventSources(url: string, timeoutMs: number): Promise<Pick<ProbedEngine, 'ranks' | 'kvEvents'>> {
  try {
    const response = await fetch(`${url}/kv_event_sources`, { signal: AbortSignal.timeout(timeoutMs) });
    if (!response.ok) return { ranks: 1, kvEvents: null };
    const sources = (await response.json()) as Record<string, EventSource>;
    const ranks = Math.max(1, Object.keys(sources).length);
    const first = sources['0'];
    if (first?.enable_kv_cache_events !== true || first.endpoint === undefined) return { ranks, kvEvents: null };
    const host = new URL(url).hostname;
    // vLLM binds where the endpoint has a wildcard and connects otherwise: we do the other half.
    const binds = /\*|::/.test(first.endpoint) || /^(ipc|inproc):/.test(first.endpoint);
    const reach = (endpoint: string): string => endpoint.replace(/\/\/(\*|\[::\]|0\.0\.0\.0)/, `//${host}`);
    return {
      ranks,
      kvEvents: {
        mode: binds ? 'connect' : 'bind',
        endpoint: reach(first.endpoint),
        replay: typeof first.replay_endpoint === 'string' ? reach(first.replay_endpoint) : null,
        topic: first.topic ?? '',
      },
    };
  } catch {
    return { ranks: 1, kvEvents: null };
  }
}
