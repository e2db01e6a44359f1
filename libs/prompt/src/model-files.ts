import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ChatTemplates } from './chat-renderer.ts';
import type { Dict } from './jinja/values.ts';
import { readTokenizerFile, type TokenizerFile } from './tokenizer-file.ts';

/** What the files of a tokenizer folder say about prompts. */
export interface ModelFiles {
  readonly tokenizer: TokenizerFile;
  readonly templates: ChatTemplates;
  /** `bos_token` and the other named special tokens, for templates. */
  readonly specialTokens: Dict;
  /** Why the chat template is not what the engine uses, or null. */
  readonly chatProblem: string | null;
}

/** Models whose chats vLLM renders by code of its own instead of the chat template. */
const RENDERED_BY_CODE: readonly unknown[] = ['gpt_oss'];

const SPECIAL_TOKENS = ['bos_token', 'eos_token', 'unk_token', 'sep_token', 'pad_token', 'cls_token', 'mask_token'];

/** @throws Error that names the file and what is wrong with it. */
export async function readModelFiles(dir: string): Promise<ModelFiles> {
  const config = await readObject(dir, 'tokenizer_config.json');
  const specialMap = await readObject(dir, 'special_tokens_map.json');
  const specialTokens = new Map<string, string>();
  for (const name of SPECIAL_TOKENS) {
    const text = tokenText(config?.[name]) ?? tokenText(specialMap?.[name]);
    if (text !== null) specialTokens.set(name, text);
  }
  const templates = await readTemplates(dir, config?.['chat_template']);
  const emitsBos = Array.from(templates.values()).some((template) => template.includes('bos_token'));
  const named = emitsBos || config?.['add_bos_token'] === true ? (specialTokens.get('bos_token') ?? null) : null;
  const model = (await readObject(dir, 'config.json'))?.['model_type'];
  const chatProblem = RENDERED_BY_CODE.includes(model) ? `engines render ${String(model)} chats by code` : null;
  return { tokenizer: await readTokenizer(dir, named), templates, specialTokens, chatProblem };
}

async function readTokenizer(dir: string, namedBos: string | null): Promise<TokenizerFile> {
  const file = join(dir, 'tokenizer.json');
  const bytes = await readFile(file);
  try {
    return readTokenizerFile(bytes, namedBos);
  } catch (error) {
    throw new Error(`${file}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

/** Templates in files of their own go before those in the configuration, as in transformers. */
async function readTemplates(dir: string, configured: unknown): Promise<ChatTemplates> {
  const templates = new Map<string, string>();
  const main = await readText(join(dir, 'chat_template.jinja'));
  if (main !== null) templates.set('default', main);
  const folder = join(dir, 'additional_chat_templates');
  const names = await readdir(folder).catch(() => []);
  for (const name of names.filter((file) => file.endsWith('.jinja'))) {
    templates.set(name.slice(0, -'.jinja'.length), await readFile(join(folder, name), 'utf8'));
  }
  if (templates.size > 0) return templates;
  if (typeof configured === 'string') templates.set('default', configured);
  for (const entry of Array.isArray(configured) ? (configured as { name: string; template: string }[]) : []) {
    templates.set(entry.name, entry.template);
  }
  if (templates.size > 0) return templates;
  const processor = (await readObject(dir, 'chat_template.json'))?.['chat_template'];
  return typeof processor === 'string' ? templates.set('default', processor) : templates;
}

async function readObject(dir: string, name: string): Promise<Record<string, unknown> | null> {
  const file = join(dir, name);
  const text = await readText(file);
  if (text === null) return null;
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch (error) {
    throw new Error(`${file}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

/** The file's text, or null when there is no such file. */
async function readText(file: string): Promise<string | null> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

function tokenText(token: unknown): string | null {
  if (typeof token === 'string') return token;
  const content = (token as { content?: unknown } | null | undefined)?.content;
  return typeof content === 'string' ? content : null;
}
