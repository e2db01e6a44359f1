import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** GPT-2's printable stand-ins for bytes. */
function byteAlphabet(): string[] {
  const printable = (byte: number): boolean =>
    (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || (byte >= 0xae && byte <= 0xff);
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(printable(byte) ? byte : next++));
}

/** A tokenizer folder whose tokens are the bytes themselves: token counts are byte counts, and specs can predict them. */
export async function writeByteTokenizer(): Promise<{ dir: string; remove: () => Promise<void> }> {
  const dir = await mkdtemp(join(tmpdir(), 'sluice-tokenizer-'));
  const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true };
  const tokenizer = {
    version: '1.0',
    added_tokens: [],
    normalizer: null,
    pre_tokenizer: byteLevel,
    post_processor: null,
    decoder: byteLevel,
    model: {
      type: 'BPE',
      byte_fallback: false,
      vocab: Object.fromEntries(byteAlphabet().map((text, id) => [text, id])),
      merges: [],
    },
  };
  const config = {
    tokenizer_class: 'GPT2Tokenizer',
    chat_template: '{% for m in messages %}<{{ m.role }}>{{ m.content }}\n{% endfor %}',
  };
  await writeFile(join(dir, 'tokenizer.json'), JSON.stringify(tokenizer));
  await writeFile(join(dir, 'tokenizer_config.json'), JSON.stringify(config));
  return { dir, remove: () => rm(dir, { recursive: true, force: true }) };
}
