/** What a client saw of one request. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** Whole body as received. */
  readonly text: string;
  /** Milliseconds from sending to the first byte of the body; null when none came. */
  readonly firstByteMs: number | null;
  readonly totalMs: number;
  /** The connection broke before the end. */
  readonly broken: boolean;
  /** A stream counts as complete when `[DONE]` ended it without an error event, another answer when it is JSON with status 200. */
  readonly complete: boolean;
  readonly usage: Usage | null;
}

export interface Usage {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly prompt_tokens_details?: { readonly cached_tokens?: number | null } | null;
}

/** POSTs JSON (or the given text, as it is) and reads the whole answer; network failures become an Answer with status 0. */
export async function post(
  url: string,
  body: unknown,
  options: { headers?: Record<string, string>; signal?: AbortSignal } = {},
): Promise<Answer> {
  const started = performance.now();
  let text = '';
  let firstByteMs: number | null = null;
  let status = 0;
  let headers = new Headers();
  let broken = false;
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...options.headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
    status = response.status;
    headers = response.headers;
    const decoder = new TextDecoder();
    for await (const chunk of response.body ?? []) {
      firstByteMs ??= performance.now() - started;
      text += decoder.decode(chunk as Uint8Array, { stream: true });
    }
  } catch {
    broken = true;
  }
  const totalMs = performance.now() - started;
  return { status, headers, text, firstByteMs, totalMs, broken, ...judge(status, text, broken) };
}

/** Payloads of the `data:` lines of an SSE text, `[DONE]` left out. */
export const sseEvents = (text: string): unknown[] =>
  text
    .split('\n')
    .filter((line) => line.startsWith('data:') && line.slice(5).trim() !== '[DONE]')
    .map((line) => JSON.parse(line.slice(5)) as unknown);

function judge(status: number, text: string, broken: boolean): { complete: boolean; usage: Usage | null } {
  const nothing = { complete: false, usage: null };
  if (status !== 200 || broken) return nothing;
  try {
    if (!text.startsWith('data:'))
      return { complete: true, usage: (JSON.parse(text) as { usage?: Usage }).usage ?? null };
    const events = sseEvents(text) as { error?: unknown; usage?: Usage | null }[];
    const usage = events.findLast((event) => event.usage)?.usage ?? null;
    return { complete: /data: ?\[DONE\]\s*$/.test(text) && !events.some((event) => event.error !== undefined), usage };
  } catch {
    return nothing;
  }
}
