import { loadPromptKit } from '@sluice/prompt';
import { type Answer, post, Sluice, sseEvents, waitFor } from '@sluice/testkit';
import { env } from '../setup.ts';
import { referenceBlocks } from '../reference-blocks.ts';
import type { ChatBody } from './chats.ts';
import { type Kit, MODEL, type VllmEngine } from './kit.ts';

export const POOL = 'tiny';

/** Every service as a process of its own in front of the engines, with the default policy. */
export const startInFrontOf = (kit: Kit, engines: readonly VllmEngine[]): Promise<Sluice> =>
  Sluice.start({
    pools: [{ id: POOL, models: [MODEL], tokenizer: kit.tokenizer, engines: engines.map((engine) => engine.entry) }],
    services: true,
    policy: 'expected-latency',
    env: { ...env, ROUTER_DECISIONS: '2000' },
  });

export async function setPolicy(sluice: Sluice, policy: string): Promise<void> {
  const response = await fetch(`${sluice.admin('router')}/policy`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ policy }),
  });
  if (response.status !== 200) throw new Error(`PUT /policy answered ${response.status}`);
}

/** Resolves when index and router have heard of it. */
export async function emptyCaches(sluice: Sluice, engines: readonly VllmEngine[], kit: Kit): Promise<void> {
  await Promise.all(engines.map((engine) => engine.resetPrefixCache()));
  await checkIndex(sluice, engines, kit);
}

/** One chat through the router: what the engine did, and what the router had said that it would. */
export interface Sample {
  readonly index: number;
  readonly worker: string;
  /** When the router decided, milliseconds since the Unix epoch. */
  readonly decidedAtMs: number;
  readonly complete: boolean;
  readonly promptTokens: number;
  readonly cachedTokens: number;
  readonly predictedCachedTokens: number;
  /** Bytes of the prompt as the router rendered it, and whether it knew them exactly. */
  readonly promptBytes: number;
  readonly exactPrompt: boolean;
}

interface Decision {
  readonly atMs: number;
  readonly worker: string;
  readonly promptBytes: number;
  readonly exactPrompt: boolean;
  readonly candidates: readonly { readonly worker: string; readonly cachedTokens: number }[];
}

/**
 * Sends chats, `concurrency` at a time, every second one as a stream; in the order of `chats`. Each of the senders
 * pauses for `thinkMs` after an answer.
 */
export async function sendAll(
  sluice: Sluice,
  chats: readonly ChatBody[],
  concurrency: number,
  thinkMs = 0,
): Promise<Sample[]> {
  const samples: Sample[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let index = next++; index < chats.length; index = next++) {
      samples[index] = await send(sluice, chats[index]!, index);
      if (thinkMs > 0) await new Promise((resolve) => setTimeout(resolve, thinkMs));
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  return samples;
}

async function send(sluice: Sluice, chat: ChatBody, index: number): Promise<Sample> {
  const stream = index % 2 === 1;
  const answer = await post(`${sluice.dataUrl}/v1/chat/completions`, {
    ...chat,
    model: MODEL,
    max_tokens: 8 + (index % 9),
    temperature: 0,
    ...(stream && { stream, stream_options: { include_usage: true } }),
  });
  const decision = await sluice.getAdmin<Decision>(
    'router',
    `/decisions/${answer.headers.get('x-sluice-decision-id') ?? 'none'}`,
  );
  const candidate = decision.candidates.find((one) => one.worker === decision.worker);
  return {
    index,
    worker: decision.worker,
    decidedAtMs: decision.atMs,
    complete: answer.complete && isFinished(answer, stream),
    promptTokens: answer.usage?.prompt_tokens ?? NaN,
    cachedTokens: answer.usage?.prompt_tokens_details?.cached_tokens ?? 0,
    predictedCachedTokens: candidate?.cachedTokens ?? NaN,
    promptBytes: decision.promptBytes,
    exactPrompt: decision.exactPrompt,
  };
}

/** Whether the answer says why it ended, and its usage counts tokens. */
export function isFinished(answer: Answer, stream: boolean): boolean {
  const bodies = (stream ? sseEvents(answer.text) : [JSON.parse(answer.text)]) as {
    choices?: { finish_reason?: string | null }[];
  }[];
  const reasons = bodies.flatMap((body) => body.choices ?? []).map((choice) => choice.finish_reason ?? null);
  return reasons.some((reason) => reason !== null) && (answer.usage?.completion_tokens ?? 0) > 0;
}

/** Requests whose prompt the router renders differently from what the engine's own `/tokenize` makes of them. */
export async function renderingDifferences(
  sluice: Sluice,
  engine: VllmEngine,
  kit: Kit,
  chats: readonly ChatBody[],
): Promise<{ readonly index: number; readonly expected: string; readonly rendered: string }[]> {
  const { vocabulary } = await loadPromptKit(kit.tokenizer);
  const differences: { index: number; expected: string; rendered: string }[] = [];
  for (const [index, chat] of chats.entries()) {
    const ids = await engine.tokenize(chat);
    const expected = Buffer.concat(ids.map((id) => vocabulary.tokenBytes(id)));
    const response = await fetch(`${sluice.admin('router')}/render`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ ...chat, model: MODEL }),
    });
    const answer = (await response.json()) as { base64?: string; exact?: boolean; reason?: string };
    const rendered = Buffer.from(answer.base64 ?? '', 'base64');
    if (answer.exact === true && rendered.equals(expected)) continue;
    differences.push({ index, expected: expected.toString(), rendered: `${answer.reason}: ${rendered.toString()}` });
  }
  return differences;
}

interface BlocksPage {
  readonly confidence: string;
  readonly next: number | null;
  readonly blocks: readonly { readonly key: string }[];
}

/** Keys of the blocks that the kv-index says a worker holds. */
async function indexedBlocks(sluice: Sluice, worker: string): Promise<Set<string>> {
  const keys = new Set<string>();
  for (let offset: number | null = 0; offset !== null;) {
    const page: BlocksPage = await sluice.getAdmin(
      'kv-index',
      `/workers/${worker}/blocks?offset=${offset}&limit=10000`,
    );
    if (page.confidence !== 'live') throw new Error(`the index knows ${worker} as ${page.confidence}`);
    for (const { key } of page.blocks) keys.add(key);
    offset = page.next;
  }
  return keys;
}

export interface IndexCheck {
  readonly worker: string;
  readonly blocks: number;
  /** Milliseconds until index and router agreed with the events. */
  readonly tookMs: number;
}

/**
 * Waits until the kv-index and the router's replica hold for each engine exactly what the engine's own events, replayed
 * from the first and applied by a plain reference, say that it holds.
 */
export function checkIndex(sluice: Sluice, engines: readonly VllmEngine[], kit: Kit): Promise<IndexCheck[]> {
  return Promise.all(
    engines.map(async ({ id, events }) => {
      let blocks = 0;
      const { tookMs } = await waitFor(`index of ${id} equals its events`, 10_000, async () => {
        const expected = await referenceBlocks(events, POOL, kit.tokenizer);
        const indexed = await indexedBlocks(sluice, id);
        blocks = expected.size;
        if (indexed.size !== expected.size || [...expected].some((key) => !indexed.has(key))) {
          throw new Error(`${indexed.size} blocks in the index, ${expected.size} by the events`);
        }
        const { workers } = await sluice.getAdmin<{ workers: { worker: string; blocks: number }[] }>(
          'router',
          '/index',
        );
        const held = workers.find(({ worker }) => worker === id)?.blocks;
        if (held !== expected.size) throw new Error(`${held} blocks in the router, ${expected.size} by the events`);
        return true;
      });
      return { worker: id, blocks, tookMs };
    }),
  );
}

export const sum = (samples: readonly Sample[], of: (sample: Sample) => number): number =>
  samples.reduce((total, sample) => total + of(sample), 0);

/** Samples whose cached tokens were not those predicted, with the difference (predicted minus real). */
export const mispredicted = (samples: readonly Sample[]): { readonly sample: Sample; readonly by: number }[] =>
  samples
    .map((sample) => ({ sample, by: sample.predictedCachedTokens - sample.cachedTokens }))
    .filter(({ by }) => by !== 0);
