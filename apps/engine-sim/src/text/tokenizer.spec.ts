import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { Tokenizer as HfTokenizer } from '@huggingface/tokenizers';
import { loadPromptKit } from '@sluice/prompt';
import type { PromptKit } from '@sluice/prompt';
import fc from 'fast-check';
import { OWN_TOKENIZER_DIR } from '../start-simulator.ts';
import { loadTokenizer } from './tokenizer.ts';
import type { Tokenizer } from './tokenizer.ts';

let tokenizer: Tokenizer;
let kit: PromptKit;
let library: HfTokenizer;
beforeAll(async () => {
  tokenizer = await loadTokenizer(OWN_TOKENIZER_DIR);
  kit = await loadPromptKit(OWN_TOKENIZER_DIR);
  const read = (name: string): object => JSON.parse(readFileSync(join(OWN_TOKENIZER_DIR, name), 'utf8')) as object;
  library = new HfTokenizer(read('tokenizer.json'), read('tokenizer_config.json'));
});

const piece = fc.oneof(
  fc.constantFrom(
    '<|im_start|>',
    '<|im_end|>',
    '<|im_st',
    '\n',
    '\n\n  ',
    '   ',
    '\t',
    "don't",
    "I'LL",
    ' 1234',
    '…',
    '漢字',
  ),
  fc.string({ unit: 'grapheme', maxLength: 12 }),
  fc.string({ unit: 'grapheme-ascii', maxLength: 90 }),
  fc.constant('e\u0301'),
);

describe('the caching tokenizer', () => {
  it('encodes like the library, first time and from its caches', () => {
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const text = pieces.join('');
        const expected = text === '' ? [] : library.encode(text, { add_special_tokens: false }).ids;
        expect([...tokenizer.encode(text, false)]).toEqual(expected);
        expect([...tokenizer.encode(text, false)]).toEqual(expected);
      }),
      { seed: 20261123, numRuns: 200 },
    );
  });

  it('gives tokens whose bytes, joined, are the text in NFC', () => {
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const text = pieces.join('');
        const ids = tokenizer.encode(text, true);
        const bytes = new Uint8Array(kit.vocabulary.spanLength(ids, 0, ids.length));
        kit.vocabulary.copySpan(ids, 0, ids.length, bytes, 0);
        expect(new TextDecoder().decode(bytes)).toBe(text.normalize('NFC'));
      }),
      { seed: 20261123, numRuns: 150 },
    );
  });

  it('ends an answer with <|im_end|>', () => {
    expect(tokenizer.tokenString(tokenizer.eosId!)).toBe('<|im_end|>');
  });

  it('names the folder when a file is missing', async () => {
    await expect(loadTokenizer(join(OWN_TOKENIZER_DIR, 'nowhere'))).rejects.toThrow(/nowhere.*tokenizer\.json/s);
  });
});
