import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Tokenizer as HfTokenizer } from '@huggingface/tokenizers';
import { toByteLevel } from './byte-level.ts';

/** Text to token ids, as the model's own tokenizer does it. */
export interface Tokenizer {
  /** Ids of `text`. `special`: with what the tokenizer puts around a text of its own accord (BOS), as for completions. */
  encode(text: string, special: boolean): Uint32Array;
  /** How the vocabulary writes token `id`, or undefined when there is no such token. */
  tokenString(id: number): string | undefined;
  idOf(token: string): number | undefined;
  /** The token that ends an answer, or null. */
  readonly eosId: number | null;
}

interface AddedToken {
  content: string;
  single_word?: boolean;
  lstrip?: boolean;
  rstrip?: boolean;
  normalized?: boolean;
}
interface PreTokenizerJson {
  type?: string;
  pretokenizers?: PreTokenizerJson[];
  pattern?: { Regex?: string };
  behavior?: string;
  invert?: boolean;
  use_regex?: boolean;
  add_prefix_space?: boolean;
}
interface TokenizerJson {
  added_tokens?: AddedToken[];
  normalizer?: { type?: string } | null;
  pre_tokenizer?: PreTokenizerJson | null;
  model?: { type?: string; unk_token?: string | null };
}

/**
 * Reads a Hugging Face tokenizer folder.
 * @throws Error that names the folder when a file is missing or broken.
 */
export async function loadTokenizer(dir: string): Promise<Tokenizer> {
  const read = async (name: string): Promise<object> => {
    try {
      return JSON.parse(await readFile(join(dir, name), 'utf8')) as object;
    } catch (error) {
      throw new Error(`tokenizer folder ${dir}: ${name}: ${error instanceof Error ? error.message : String(error)}`, {
        cause: error,
      });
    }
  };
  const json = await read('tokenizer.json');
  const config = await read('tokenizer_config.json');
  const hf = new HfTokenizer(json, config);
  const eos = (config as { eos_token?: string | { content: string } | null }).eos_token ?? null;
  const eosText = typeof eos === 'object' ? eos?.content : eos;
  const eosId = eosText === undefined ? null : (hf.token_to_id(eosText) ?? null);
  return new CachingTokenizer(hf, json as TokenizerJson, eosId);
}

/** The part of the library's model that is used here. */
interface BpeModel {
  /** Tokens of pre-tokenized words in byte-level characters. */
  encode(words: string[]): string[];
  readonly tokens_to_ids: ReadonlyMap<string, number>;
}

/** Characters of text whose ids are remembered, per kind of cache. */
const SEGMENT_CACHE_CHARACTERS = 4_000_000;
const WORD_CACHE_ENTRIES = 20_000;
/** Shorter segments are quicker to encode than to look up. */
const MIN_SEGMENT_CHARACTERS = 64;

/**
 * Special tokens cut a text into segments that are encoded independently, so the ids of a segment can be remembered: a
 * system prompt or the turns of a conversation cost one look-up. Within a segment, the words that the split pattern of
 * a byte-level BPE cuts out are remembered. Where a tokenizer is of another kind, the library does it all.
 */
class CachingTokenizer implements Tokenizer {
  readonly eosId: number | null;
  private readonly hf: HfTokenizer;
  private readonly addedTokens: RegExp | null;
  private readonly words: RegExp | null;
  private readonly normalize: boolean;
  /** Ids in front of and behind a text that is encoded with special tokens. */
  private readonly before: readonly number[];
  private readonly after: readonly number[];
  private readonly segments = new Map<string, Uint32Array>();
  private segmentCharacters = 0;
  private readonly wordIds = new Map<string, readonly number[]>();

  constructor(hf: HfTokenizer, json: TokenizerJson, eosId: number | null) {
    this.hf = hf;
    this.eosId = eosId;
    this.addedTokens = addedTokenPattern(json.added_tokens ?? []);
    this.words = wordPattern(json);
    this.normalize = json.normalizer?.type === 'NFC';
    const bare = hf.encode('a', { add_special_tokens: false }).ids;
    const whole = hf.encode('a', { add_special_tokens: true }).ids;
    const at = whole.indexOf(bare[0]!);
    this.before = whole.slice(0, at);
    this.after = whole.slice(at + bare.length);
  }

  encode(text: string, special: boolean): Uint32Array {
    if (this.addedTokens === null) return Uint32Array.from(this.hf.encode(text, { add_special_tokens: special }).ids);
    const parts: (Uint32Array | readonly number[])[] = [];
    if (special) parts.push(this.before);
    let from = 0;
    for (const match of text.matchAll(this.addedTokens)) {
      if (match.index > from) parts.push(this.segment(text.slice(from, match.index)));
      parts.push([this.hf.token_to_id(match[0])!]);
      from = match.index + match[0].length;
    }
    if (from < text.length) parts.push(this.segment(text.slice(from)));
    if (special) parts.push(this.after);
    const ids = new Uint32Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
      ids.set(part, at);
      at += part.length;
    }
    return ids;
  }

  tokenString(id: number): string | undefined {
    return this.hf.id_to_token(id);
  }

  idOf(token: string): number | undefined {
    return this.hf.token_to_id(token);
  }

  private segment(text: string): Uint32Array | readonly number[] {
    if (text.length < MIN_SEGMENT_CHARACTERS) return this.encodeSegment(text);
    let ids = this.segments.get(text);
    if (ids === undefined) {
      ids = Uint32Array.from(this.encodeSegment(text));
      this.segmentCharacters += text.length;
    } else this.segments.delete(text);
    this.segments.set(text, ids);
    for (const oldest of this.segments.keys()) {
      if (this.segmentCharacters <= SEGMENT_CACHE_CHARACTERS) break;
      this.segments.delete(oldest);
      this.segmentCharacters -= oldest.length;
    }
    return ids;
  }

  private encodeSegment(text: string): readonly number[] {
    if (this.words === null) return this.hf.encode(text, { add_special_tokens: false }).ids;
    const ids: number[] = [];
    for (const [word] of (this.normalize ? text.normalize('NFC') : text).matchAll(this.words)) {
      for (const id of this.word(word)) ids.push(id);
    }
    return ids;
  }

  private word(word: string): readonly number[] {
    let ids = this.wordIds.get(word);
    if (ids === undefined) {
      const model: BpeModel = this.hf.model!;
      const found = model.encode([toByteLevel(word)]).map((token) => model.tokens_to_ids.get(token)!);
      if (this.wordIds.size >= WORD_CACHE_ENTRIES) this.wordIds.clear();
      this.wordIds.set(word, found);
      ids = found;
    }
    return ids;
  }
}

/** Matches the added tokens, the longest first; null when one of them also swallows text around it. */
function addedTokenPattern(tokens: readonly AddedToken[]): RegExp | null {
  if (tokens.some((token) => token.single_word || token.lstrip || token.rstrip || token.normalized)) return null;
  const literals = tokens.map((token) => token.content).sort((a, b) => b.length - a.length);
  return literals.length === 0 ? /(?!)/g : new RegExp(literals.map((text) => RegExp.escape(text)).join('|'), 'g');
}

/** The split pattern of a tokenizer that is a byte-level BPE behind one regular expression (Qwen, Llama 3, GPT), else null. */
function wordPattern(json: TokenizerJson): RegExp | null {
  const normalizer = json.normalizer?.type;
  if (normalizer !== undefined && normalizer !== 'NFC') return null;
  if (json.model?.type !== 'BPE' || json.model.unk_token) return null;
  const [split, bytes, ...more] = json.pre_tokenizer?.pretokenizers ?? [];
  const pattern = split?.pattern?.Regex;
  const known =
    split?.type === 'Split' &&
    split.behavior === 'Isolated' &&
    split.invert !== true &&
    bytes?.type === 'ByteLevel' &&
    bytes.use_regex === false &&
    bytes.add_prefix_space !== true &&
    more.length === 0;
  if (!known || pattern === undefined) return null;
  // What the pattern leaves out is a piece of its own when it is isolated.
  return new RegExp(`${pattern}|[^]`, 'gu');
}
