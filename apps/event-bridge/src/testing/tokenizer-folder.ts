import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A tokenizer folder of 90 tokens with one character each. */
export function writeByteTokenizer(folder: string): void {
  const vocab = Object.fromEntries(Array.from({ length: 90 }, (_, id) => [String.fromCharCode(33 + id), id]));
  const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true };
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    join(folder, 'tokenizer.json'),
    JSON.stringify({
      version: '1.0',
      added_tokens: [],
      normalizer: null,
      pre_tokenizer: byteLevel,
      post_processor: null,
      decoder: byteLevel,
      model: { type: 'BPE', vocab, merges: [] },
    }),
  );
  writeFileSync(join(folder, 'tokenizer_config.json'), JSON.stringify({ chat_template: '{{ messages[0].content }}' }));
}
