import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Tokenizer } from '@huggingface/tokenizers';
import fc from 'fast-check';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadPromptKit } from './prompt-kit.ts';
import { folderWith, LLAMA31_DIR, QWEN3_DIR, removeFolders, SENTENCEPIECE } from './testing/models.ts';
import type { Vocabulary } from './vocabulary.ts';

const CORPUS = [
  'The quick brown fox jumps over the lazy dog. 12,345.67 € — it’s "fine"!',
  'function add(a, b) {\n\treturn a + b;\r\n}\n\n\n    // done   ',
  '東京は日本の首都です。你好，世界！한국어 नमस्ते สวัสดี',
  'مرحبا \u200f\u202bכתוב\u202c Привет',
  '👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽 🇩🇪 𝔘𝔫𝔦 \u{10ffff}',
  'zero\u200bwidth\ufeff nbsp\u00a0 \u0085 \u2028 nul\u0000 \u0001\u001f\u007f',
  'Cafe\u0301 \u212b \u0338x',
  '<|im_start|>user\n<tool_call>{}</tool_call><|eot_id|><|reserved_special_token_3|>',
  ' ',
  '\n\n',
];

const joined = (vocabulary: Vocabulary, ids: Uint32Array): Uint8Array => {
  const bytes = new Uint8Array(vocabulary.spanLength(ids, 0, ids.length));
  expect(vocabulary.copySpan(ids, 0, ids.length, bytes, 0)).toBe(bytes.length);
  return bytes;
};

const readJson = async (dir: string, file: string): Promise<object> =>
  JSON.parse(await readFile(join(dir, file), 'utf8')) as object;

afterAll(removeFolders);

describe.each([
  ['Qwen3', QWEN3_DIR, (text: string) => text.normalize('NFC')],
  ['Llama 3.1', LLAMA31_DIR, (text: string) => text],
])('vocabulary of %s', (_name, dir, normalised) => {
  let vocabulary: Vocabulary;
  let encode: (text: string) => Uint32Array;

  beforeAll(async () => {
    const tokenizer = new Tokenizer(
      await readJson(dir, 'tokenizer.json'),
      await readJson(dir, 'tokenizer_config.json'),
    );
    encode = (text) => Uint32Array.from(tokenizer.encode(text, { add_special_tokens: false }).ids);
    ({ vocabulary } = await loadPromptKit(dir));
  }, 60_000);

  it('joins the tokens of a text to the text', () => {
    for (const text of CORPUS) {
      expect(Buffer.from(joined(vocabulary, encode(text))).toString()).toBe(normalised(text));
    }
    const text = fc.string({ unit: 'binary', maxLength: 60 });
    fc.assert(
      fc.property(text, (sample) => {
        expect(Buffer.from(joined(vocabulary, encode(sample))).toString()).toBe(normalised(sample));
      }),
      { seed: 20261123, numRuns: 300 },
    );
  });

  it('measures and copies the part of a list of ids', () => {
    const ids = encode('one two three four');
    const out = new Uint8Array(100);
    const end = vocabulary.copySpan(ids, 1, 3, out, 7);
    expect(end - 7).toBe(vocabulary.spanLength(ids, 1, 3));
    expect(Buffer.from(out.subarray(7, end)).toString()).toBe(' two three');
  });
});

describe('vocabulary', () => {
  it('reads SentencePiece pieces, single bytes and added tokens', async () => {
    const { vocabulary } = await loadPromptKit(await folderWith({ 'tokenizer.json': SENTENCEPIECE }));
    const text = (id: number): string => Buffer.from(vocabulary.tokenBytes(id)).toString('latin1');
    expect(vocabulary.size).toBe(10);
    expect(text(0)).toBe('<unk>');
    expect(text(2)).toBe('\n');
    expect(text(3)).toBe(' Hello');
    expect(text(5)).toBe(Buffer.from('wör"ld').toString('latin1'));
    expect(text(7)).toBe('\xf0');
    expect(text(9)).toBe('<|go|>');
  });

  it('gives the BOS no bytes', async () => {
    const { vocabulary } = await loadPromptKit(await folderWith({ 'tokenizer.json': SENTENCEPIECE }));
    expect(vocabulary.tokenBytes(1)).toHaveLength(0);
    const llama = await loadPromptKit(LLAMA31_DIR);
    expect(llama.vocabulary.tokenBytes(128000)).toHaveLength(0);
    expect(llama.vocabulary.tokenBytes(128009)).toHaveLength('<|eot_id|>'.length);
  });

  it('keeps ids without a token apart from each other and from text', async () => {
    const { vocabulary } = await loadPromptKit(await folderWith({ 'tokenizer.json': SENTENCEPIECE }));
    const ids = Uint32Array.of(6, 3, 70_000, 0xfedcba98);
    expect(Array.from(joined(vocabulary, ids))).toEqual([
      ...[0xff, 0, 0, 0, 6],
      ...Buffer.from(' Hello'),
      ...[0xff, 0, 1, 0x11, 0x70],
      ...[0xff, 0xfe, 0xdc, 0xba, 0x98],
    ]);
    expect(Array.from(vocabulary.tokenBytes(70_000))).toEqual([0xff, 0, 1, 0x11, 0x70]);
  });

  it('names the file and the reason when a tokenizer cannot be read', async () => {
    const wordPiece = { ...SENTENCEPIECE, model: { type: 'WordPiece', vocab: {} } };
    await expect(loadPromptKit(await folderWith({ 'tokenizer.json': wordPiece }))).rejects.toThrow(
      /tokenizer\.json: tokenizers of type WordPiece are not supported/,
    );
    await expect(loadPromptKit(await folderWith({ 'tokenizer.json': '{"model": {"vocab": {"a": 1}' }))).rejects.toThrow(
      /tokenizer\.json: expected ',' or '}' at byte/,
    );
    await expect(loadPromptKit(await folderWith({}))).rejects.toThrow(/tokenizer\.json/);
    await expect(loadPromptKit('/nowhere/at/all')).rejects.toThrow(/nowhere/);
  });

  it('is read once for all who ask for the same folder, and again after a failure', async () => {
    const dir = await folderWith({ 'tokenizer.json': '{' });
    await expect(loadPromptKit(dir)).rejects.toThrow();
    const good = await folderWith({ 'tokenizer.json': SENTENCEPIECE });
    expect(await loadPromptKit(good)).toBe(await loadPromptKit(join(good, '.')));
    await expect(loadPromptKit(dir)).rejects.toThrow();
  });
});
