import { loadPromptKit } from '@sluice/prompt';
import type { PromptKit } from '@sluice/prompt';
import type { PoolSpec } from '@sluice/model';
import { finding } from '../finding.ts';
import type { Finding } from '../finding.ts';
import type { Access } from './ask-engine.ts';
import { tokenize } from './probe-request.ts';
import type { ProbeChat } from './probe-request.ts';

const FETCH =
  'download tokenizer.json, tokenizer_config.json and the chat template of the model that the engines serve, e.g. `hf download MODEL --include "token*" --include "chat_template*" --local-dir DIR`';

/** The tokenizer folder of a pool, or what is wrong with it. */
export async function openTokenizer(
  pool: PoolSpec,
  origin: 'file' | 'command' | 'running',
): Promise<{ kit: PromptKit | null; findings: Finding[] }> {
  const subject = `pool ${pool.id}`;
  if (pool.tokenizer === null) {
    const where = origin === 'command' ? '--tokenizer DIR' : `tokenizer: DIR in pool ${pool.id} of the fleet file`;
    const what =
      'names no tokenizer: prompts are matched by text that was routed before, not by what the engines cache';
    return { kit: null, findings: [finding('tokenizer-missing', subject, what, `${where}; ${FETCH}`)] };
  }
  try {
    return { kit: await loadPromptKit(pool.tokenizer), findings: [] };
  } catch (error) {
    const what = `its tokenizer folder ${pool.tokenizer} cannot be used: ${(error as Error).message}`;
    return { kit: null, findings: [finding('tokenizer-unreadable', subject, what, FETCH)] };
  }
}

const TEXT = 'Größe: 1,234.5 € — “naïve” 東京 👍\n\tdef f(x): return x**2  # done';

/**
 * Compares what an engine makes of a text and of a chat with what Sluice makes of them. Engines that do not tell (no
 * `/tokenize`) are judged by their first KV events: `firstTokens` of the chat that they were sent.
 */
export async function tokenizerFindings(
  kit: PromptKit,
  folder: string,
  subject: string,
  engine: { readonly url: string; readonly model: string },
  chat: ProbeChat,
  firstTokens: Uint32Array | null,
  access: Access,
): Promise<Finding[]> {
  const { url, model } = engine;
  const rendered = kit.renderChat({ ...chat, model });
  if (rendered.kind === 'unrenderable') {
    const what = `chats cannot be rendered with the template in ${folder}: ${rendered.reason}`;
    return [finding('chat-template-wrong', subject, what, FETCH)];
  }
  const text = new TextEncoder().encode(TEXT);
  const [textIds, chatIds] = await Promise.all([
    tokenize(url, { model, prompt: TEXT, add_special_tokens: false }, access),
    tokenize(url, { model, messages: chat.messages }, access),
  ]);
  if (textIds !== null && !isEqual(bytesOf(kit, textIds), text)) return [wrongTokenizer(subject, folder)];
  if (chatIds !== null) {
    return isEqual(bytesOf(kit, chatIds), rendered.bytes) ? [] : [wrongTemplate(subject, folder)];
  }
  if (textIds !== null || firstTokens === null) return [];
  const first = bytesOf(kit, [...firstTokens]);
  return isEqual(first, rendered.bytes.subarray(0, first.length)) ? [] : [wrongTokenizer(subject, folder)];
}

const wrongTokenizer = (subject: string, folder: string): Finding =>
  finding(
    'tokenizer-wrong',
    subject,
    `its tokens do not spell its prompts with the tokenizer in ${folder}: that is of another model, and nothing will ever be found in the cache`,
    FETCH,
  );

const wrongTemplate = (subject: string, folder: string): Finding =>
  finding(
    'chat-template-wrong',
    subject,
    `it renders chats differently from the template in ${folder}`,
    'was the engine started with --chat-template FILE? Put that file as chat_template.jinja into the folder; else the folder is of another version of the model',
  );

const bytesOf = (kit: PromptKit, ids: readonly number[]): Uint8Array => {
  const [spelled] = kit.renderCompletion(ids);
  return spelled?.kind === 'rendered' ? spelled.bytes : new Uint8Array(0);
};

const isEqual = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;
