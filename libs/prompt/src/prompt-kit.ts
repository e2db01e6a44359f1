import { readFile, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { readTokenizerFile } from './tokenizer-file.ts';
import type { Vocabulary } from './vocabulary.ts';

/** A prompt as the bytes that its engine tokenises, or why they are not known. */
export type Rendered =
  | { readonly kind: 'rendered'; readonly bytes: Uint8Array }
  | { readonly kind: 'unrenderable'; readonly reason: string };

/** What turns the requests and KV events of one model into the same bytes. */
export interface PromptKit {
  readonly vocabulary: Vocabulary;
}

const kits = new Map<string, Promise<PromptKit>>();

/**
 * Loads the tokenizer folder `dir` of a model: `tokenizer.json`, `tokenizer_config.json` and, where the template is not
 * in there, `chat_template.jinja`. Kits are shared: every call for the same folder in a process gets the same one, and
 * a failed load is tried again by the next call.
 * @throws Error that names the file and what is wrong with it.
 */
export async function loadPromptKit(dir: string): Promise<PromptKit> {
  const resolved = await realpath(dir);
  let kit = kits.get(resolved);
  if (kit === undefined) {
    kit = readPromptKit(resolved);
    kits.set(resolved, kit);
    kit.catch(() => kits.delete(resolved));
  }
  return kit;
}

async function readPromptKit(dir: string): Promise<PromptKit> {
  const file = readTokenizerFile(await readFile(join(dir, 'tokenizer.json')), (leading) => leading);
  return { vocabulary: file.vocabulary };
}
