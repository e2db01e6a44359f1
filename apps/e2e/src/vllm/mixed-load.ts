import { seededRng } from '@sluice/numerics';
import { post, type Sluice, syntheticText } from '@sluice/testkit';
import { MODEL } from './kit.ts';
import { sharedPrefixChats } from './workload.ts';

/** One request of an open loop. */
export interface Arrival {
  readonly atMs: number;
  readonly body: Readonly<Record<string, unknown>>;
}

/** What a request was predicted to take, and took; milliseconds. */
export interface Timing {
  readonly worker: string;
  readonly cachedTokens: number;
  readonly predictedTtftMs: number;
  readonly predictedTpotMs: number;
  readonly ttftMs: number;
  readonly tpotMs: number;
  /** TTFT less the lowest that was predicted for any worker. */
  readonly regretMs: number;
}

const QUESTION_TOKENS = 60;
const DOCUMENT_TOKENS = 1500;
const OUTPUT_TOKENS = [16, 96] as const;

/**
 * Arrivals of a Poisson process: half turns of conversations with long system prompts that applications share, a third
 * short questions, the rest documents that nobody has asked about before. The same seed gives the same.
 */
export function mixedLoad(seed: number, count: number, ratePerS: number): Arrival[] {
  const rng = seededRng(seed);
  const chats = sharedPrefixChats(seed, count);
  let atMs = 0;
  return chats.map((chat, i) => {
    atMs += (-Math.log(1 - rng()) / ratePerS) * 1000;
    const kind = rng();
    const [least, most] = OUTPUT_TOKENS;
    const alone = (tokens: number) => ({
      messages: [{ role: 'user', content: `${i}: ${syntheticText(seed * 31 + i, tokens)}` }],
    });
    const prompt = kind < 0.5 ? chat : alone(kind < 0.85 ? QUESTION_TOKENS : DOCUMENT_TOKENS);
    return { atMs, body: { ...prompt, max_tokens: least + Math.floor(rng() * (most - least)) } };
  });
}

/** Sends every request at its time, whatever has been answered by then. */
export async function sendOpenLoop(sluice: Sluice, arrivals: readonly Arrival[]): Promise<Timing[]> {
  const startMs = performance.now();
  const sent: Promise<Timing>[] = [];
  for (const { atMs, body } of arrivals) {
    const waitMs = atMs - (performance.now() - startMs);
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
    sent.push(sendTimed(sluice, body));
  }
  return Promise.all(sent);
}

/** Sends every request, `senders` at a time. */
export async function sendClosedLoop(sluice: Sluice, arrivals: readonly Arrival[], senders: number): Promise<void> {
  let next = 0;
  const sender = async (): Promise<void> => {
    while (next < arrivals.length) await sendTimed(sluice, arrivals[next++]!.body);
  };
  await Promise.all(Array.from({ length: senders }, sender));
}

interface Decision {
  readonly worker: string;
  readonly candidates: readonly {
    readonly worker: string;
    readonly cachedTokens: number;
    readonly predictedTtftMs: number;
    readonly predictedTpotMs: number;
  }[];
  readonly outcome: {
    readonly ttftMs: number | null;
    readonly tpotMs: number | null;
    readonly ttftRegretMs: number | null;
  } | null;
}

/** One streamed request, as the router's record of its decision has it. */
export async function sendTimed(sluice: Sluice, body: Readonly<Record<string, unknown>>): Promise<Timing> {
  const options = { model: MODEL, temperature: 0, ignore_eos: true, stream: true };
  const answer = await post(`${sluice.dataUrl}/v1/chat/completions`, {
    ...body,
    ...options,
    stream_options: { include_usage: true },
  });
  const id = answer.headers.get('x-sluice-decision-id') ?? 'none';
  if (!answer.complete) throw new Error(`decision ${id}: ${answer.text.slice(-300)}`);
  const { worker, candidates, outcome } = await sluice.getAdmin<Decision>('router', `/decisions/${id}`);
  const chosen = candidates.find((one) => one.worker === worker)!;
  return {
    worker,
    cachedTokens: chosen.cachedTokens,
    predictedTtftMs: chosen.predictedTtftMs,
    predictedTpotMs: chosen.predictedTpotMs,
    ttftMs: outcome?.ttftMs ?? NaN,
    tpotMs: outcome?.tpotMs ?? NaN,
    regretMs: outcome?.ttftRegretMs ?? NaN,
  };
}
