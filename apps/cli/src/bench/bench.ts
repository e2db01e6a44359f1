import { InputError } from '../input.ts';
import { reasonOf } from '../reason.ts';
import { createProgress } from '../progress.ts';
import type { Speaker } from '../speaker.ts';
import { createLoad } from './load.ts';
import { measure } from './measure.ts';
import type { BenchOptions } from './options.ts';
import { benchPage } from './page.ts';
import { PromptText } from './prompt-text.ts';
import { runLoad } from './run-load.ts';
import { Client } from './send.ts';

const ASK_TIMEOUT_MS = 10_000;
/** Of a server that does not say. */
const UNKNOWN_MODEL_LENGTH = 131_072;

/**
 * Puts load on an OpenAI server, as many requests as are due whatever it does with them, and prints what clients saw.
 * Returns whether any request completed.
 * @param stop ends the sending before its time; what was measured until then is printed
 * @throws InputError when the server does not answer, or the trace cannot be used
 */
export async function bench(options: BenchOptions, speaker: Speaker, stop: AbortSignal): Promise<boolean> {
  const { id: model, maxModelLen } = await servedModel(options);
  const seed = options.seed ?? Math.floor(Math.random() * 2 ** 31);
  const load = await createLoad(options, seed, maxModelLen);
  const slo = { ttftMs: options.sloTtft, tpotMs: options.sloTpot };
  const startMs = performance.now();
  const nowMs = (): number => performance.now() - startMs;
  const client = new Client(options.url, options.apiKey ?? null, 1000 * options.timeout, nowMs);
  const progress = createProgress(speaker.err, () => performance.now());
  const total = load.requests.length;
  const result = await runLoad({
    ...{ requests: load.requests, model, ignoreEos: options.ignoreEos, prompts: new PromptText(seed) },
    ...{ client, nowMs, stop },
    onProgress: ({ sent, done, failed }) =>
      progress.update(
        Math.min(1, done / total),
        `${sent} of ${total} sent, ${sent - done} open${failed > 0 ? `, ${failed} failed` : ''}`,
      ),
  }).finally(() => {
    progress.end();
    client.close();
  });
  const measured = measure(result, load, slo);
  const title = { url: options.url, model, load: load.name, seed, stopped: result.stopped };
  speaker.out.write(
    options.json
      ? `${JSON.stringify({ ...title, slo, ...measured }, null, 2)}\n`
      : benchPage(title, measured, slo, speaker),
  );
  return measured.requests.completed > 0;
}

async function servedModel({ url, model, apiKey }: BenchOptions): Promise<{ id: string; maxModelLen: number }> {
  let response: Response;
  let body: unknown;
  try {
    const headers: Record<string, string> = apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` };
    response = await fetch(`${url}/v1/models`, { headers, signal: AbortSignal.timeout(ASK_TIMEOUT_MS) });
    body = await response.json().catch(() => null);
  } catch (error) {
    throw new InputError(
      `cannot reach ${url}: ${reasonOf(error, ASK_TIMEOUT_MS)}. Give the data plane of a router or an engine; 'sluice up' starts both.`,
    );
  }
  if (response.status === 401) throw new InputError(`${url} wants a key: --api-key KEY`);
  const { data } = (body ?? {}) as {
    data?: readonly { readonly id: string; readonly max_model_len?: number | null }[];
  };
  if (!response.ok || !Array.isArray(data) || data.length === 0) {
    throw new InputError(`${url} is no OpenAI server: GET /v1/models answers ${response.status} and lists no model`);
  }
  const found = model === undefined ? data[0]! : data.find(({ id }) => id === model);
  if (found === undefined) {
    throw new InputError(`${url} does not serve '${model}'; it serves ${data.map(({ id }) => id).join(', ')}`);
  }
  return { id: found.id, maxModelLen: found.max_model_len ?? UNKNOWN_MODEL_LENGTH };
}
