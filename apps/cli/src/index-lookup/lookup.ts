import type { IndexLookup } from '@sluice/contracts';
import { AdminClient, AdminError } from '../admin-client.ts';
import { InputError, readInput } from '../input.ts';
import { count, percent } from '../numbers.ts';
import { stylesOf, widthOf } from '../speaker.ts';
import type { Speaker } from '../speaker.ts';
import { textTable } from '../text-table.ts';

export interface LookupOptions {
  readonly admin: string;
  readonly token: string | null;
  readonly model?: string;
  readonly salt?: string;
  readonly text: boolean;
  readonly json: boolean;
}

/** A chat request's body, in part. */
interface Chat {
  readonly model?: unknown;
  readonly messages: readonly unknown[];
  readonly tools?: unknown;
  readonly cache_salt?: unknown;
}

/**
 * Prints which workers hold how many tokens of a prompt, by the global index.
 * @throws AdminError when the index cannot be asked or cannot answer, InputError for a prompt that cannot be read
 */
export async function lookup(
  given: string,
  options: LookupOptions,
  stdin: NodeJS.ReadableStream,
  speaker: Speaker,
): Promise<void> {
  const text = await readInput(given, stdin);
  if (text === '') throw new InputError('the prompt is empty');
  const chat = options.text ? null : chatIn(text);
  const client = await AdminClient.connect(options.admin, options.token);
  const named = options.model ?? (typeof chat?.model === 'string' ? chat.model : null);
  const salt = options.salt ?? (typeof chat?.cache_salt === 'string' ? chat.cache_salt : null);
  const body = {
    model: named ?? (await onlyModel(client)),
    ...(chat === null ? { prompt: text } : { messages: chat.messages }),
    ...(Array.isArray(chat?.tools) ? { tools: chat.tools } : {}),
    cacheSalt: salt,
  };
  const found = await client.post<IndexLookup>('kv-index', '/lookup', body);
  const lines = options.json ? [JSON.stringify(found, null, 2)] : lookupLines(found, body.model, speaker);
  speaker.out.write(`${lines.join('\n')}\n`);
}

function chatIn(text: string): Chat | null {
  if (!text.trimStart().startsWith('{')) return null;
  try {
    const body = JSON.parse(text) as Partial<Chat>;
    return Array.isArray(body.messages) ? (body as Chat) : null;
  } catch {
    return null;
  }
}

/** The model of a fleet that has one alone: an unknown name is answered with the known ones. */
async function onlyModel(client: AdminClient): Promise<string> {
  try {
    await client.post('kv-index', '/lookup', { model: '', prompt: 'x' });
  } catch (error) {
    const known = error instanceof AdminError ? / known are (.+)$/.exec(error.message)?.[1]?.split(', ') : undefined;
    if (known === undefined) throw error;
    if (known.length === 1) return known[0]!;
    throw new InputError(`say which model: --model ${known.join(' | ')}`);
  }
  return '';
}

function lookupLines({ pool, promptBytes, workers }: IndexLookup, model: string, speaker: Speaker): string[] {
  const { bold, faint } = stylesOf(speaker);
  const sorted = [...workers].sort(
    (a, b) => b.cachedTokens - a.cachedTokens || a.worker.localeCompare(b.worker, 'en', { numeric: true }),
  );
  const title = `${model} in pool ${pool}: a prompt of ${count(promptBytes)} bytes`;
  if (sorted.length === 0) return [title, 'The pool has no workers.'];
  const table = textTable(
    [
      { head: 'worker', cells: sorted.map(({ worker }) => worker), align: 'left' },
      { head: 'cached tok', cells: sorted.map(({ cachedTokens }) => count(cachedTokens)), align: 'right' },
      { head: 'bytes', cells: sorted.map(({ cachedBytes }) => count(cachedBytes)), align: 'right' },
      {
        head: 'of prompt',
        cells: sorted.map((w) => percent(w.cachedBytes / Math.max(1, promptBytes))),
        align: 'right',
      },
      { head: 'index', cells: sorted.map(({ confidence }) => confidence), align: 'left' },
    ],
    widthOf(speaker),
  );
  const unread = sorted.some(({ confidence }) => confidence === 'none')
    ? [faint("none: no KV events are known of this worker, so nothing of its cache is ('sluice doctor' says why)")]
    : [];
  return [title, bold(table[0]!), ...table.slice(1), ...unread];
}
