import { reasonOf } from '../../reason.ts';
import { headersOf } from './ask-engine.ts';
import type { Access } from './ask-engine.ts';

/** A chat, as its body has it. */
export interface ProbeChat {
  readonly messages: readonly { readonly role: string; readonly content: string }[];
}

/** What became of a chat that was sent to one rank for the sake of its traces. */
export type ProbeAnswer =
  | { readonly kind: 'failed'; readonly reason: string }
  | {
      readonly kind: 'answered';
      readonly promptTokens: number;
      /** Null when usage has no `prompt_tokens_details.cached_tokens`. */
      readonly cachedTokens: number | null;
      /** Milliseconds since the Unix epoch. */
      readonly sentAtMs: number;
      readonly answeredAtMs: number;
    };

const SENTENCES = 60;

/** A chat of some 600 tokens that no other has: several blocks in every engine, whatever their size. */
export function probeChat(nonce: string): ProbeChat {
  const line = (i: number): string => `Line ${i} of probe ${nonce} says nothing to anybody.`;
  const content = Array.from({ length: SENTENCES }, (_, i) => line(i + 1)).join('\n');
  return {
    messages: [
      { role: 'system', content: 'You are asked by a diagnosis.' },
      { role: 'user', content },
    ],
  };
}

/** Asks for one token. `dpRank` names the rank of a data-parallel engine. */
export async function sendProbe(
  url: string,
  model: string,
  chat: ProbeChat,
  dpRank: number | null,
  access: Access,
): Promise<ProbeAnswer> {
  const rank: Record<string, string> = dpRank === null ? {} : { 'x-data-parallel-rank': String(dpRank) };
  const sentAtMs = Date.now();
  try {
    const response = await fetch(`${url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headersOf(access), ...rank },
      body: JSON.stringify({ ...chat, model, max_tokens: 1, temperature: 0 }),
      // Engines under load answer late.
      signal: AbortSignal.timeout(6 * access.timeoutMs),
    });
    const text = await response.text();
    if (!response.ok) return { kind: 'failed', reason: `it answers ${response.status}: ${text.slice(0, 200)}` };
    const { usage } = JSON.parse(text) as { usage?: Usage };
    return {
      kind: 'answered',
      promptTokens: usage?.prompt_tokens ?? 0,
      cachedTokens: usage?.prompt_tokens_details?.cached_tokens ?? null,
      sentAtMs,
      answeredAtMs: Date.now(),
    };
  } catch (error) {
    return { kind: 'failed', reason: reasonOf(error, 6 * access.timeoutMs) };
  }
}

interface Usage {
  readonly prompt_tokens?: number;
  readonly prompt_tokens_details?: { readonly cached_tokens?: number | null } | null;
}

/** Token ids that the engine makes of a body with `prompt` or `messages`; null when it has no such route. */
export async function tokenize(
  url: string,
  body: Readonly<Record<string, unknown>>,
  access: Access,
): Promise<number[] | null> {
  try {
    const response = await fetch(`${url}/tokenize`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headersOf(access) },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(access.timeoutMs),
    });
    const { tokens } = (await response.json()) as { tokens?: unknown };
    return Array.isArray(tokens) && tokens.every((id) => Number.isInteger(id)) ? (tokens as number[]) : null;
  } catch {
    return null;
  }
}
