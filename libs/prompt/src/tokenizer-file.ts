import { JsonCursor } from './json-cursor.ts';
import { tokenTextToBytes, type TokenAlphabet } from './token-text.ts';
import { VocabularyBuilder, type Vocabulary } from './vocabulary.ts';

/** A token that is found in the text before anything else is done to it. */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  /** Takes the white space before it (`lstrip`) or behind it (`rstrip`) with it. */
  readonly lstrip: boolean;
  readonly rstrip: boolean;
  /** Found only where no word character touches it. */
  readonly single_word: boolean;
  /** Found in the normalised text instead of the raw one. */
  readonly normalized: boolean;
}

/** A component of `tokenizer.json`: its `type` and whatever that type has beside it. */
export type Component = { readonly type: string } & Readonly<Record<string, unknown>>;

/** What `tokenizer.json` says, without its merges. */
export interface TokenizerFile {
  readonly vocabulary: Vocabulary;
  readonly addedTokens: readonly AddedToken[];
  readonly normalizer: Component | null;
  readonly preTokenizer: Component | null;
  readonly alphabet: TokenAlphabet;
  /** Text of the token that has no bytes, or null. */
  readonly bos: string | null;
}

const MODEL_TYPES: readonly unknown[] = ['BPE', 'Unigram'];
/** Stand-in for the space in SentencePiece vocabularies. */
const DEFAULT_SPACE = '\u2581';

/** Parts of a `Sequence`, or the component itself; `field` is the name that this kind of component gives its parts. */
export function componentParts(component: Component | null, field: string): readonly Component[] {
  if (component === null) return [];
  return component.type === 'Sequence' ? (component[field] as Component[]) : [component];
}

/**
 * Reads `tokenizer.json`.
 * @param bytes The file.
 * @param namedBos Text of the token that the model's configuration makes the BOS, for tokenizers that do not themselves
 *   put one in front; null for none. It is the token without bytes, see {@link Vocabulary}.
 * @throws Error when the file is no tokenizer or of a kind that has no bytes to its tokens (WordPiece, WordLevel).
 */
export function readTokenizerFile(bytes: Buffer, namedBos: string | null): TokenizerFile {
  const head: Record<string, unknown> = {};
  const model: Record<string, unknown> = {};
  // Components decide how the vocabulary is read and may stand behind it, so the file is walked twice.
  const outer = new JsonCursor(bytes);
  outer.members((key) => {
    if (key !== 'model') head[key] = outer.value();
    else {
      outer.members((field) => {
        if (field === 'vocab' || field === 'merges') outer.skip();
        else model[field] = outer.value();
      });
    }
  });
  if (model['type'] !== undefined && !MODEL_TYPES.includes(model['type'])) {
    throw new Error(`tokenizers of type ${String(model['type'])} are not supported (only BPE and Unigram are)`);
  }

  const addedTokens = (head['added_tokens'] ?? []) as AddedToken[];
  const preTokenizer = (head['pre_tokenizer'] ?? null) as Component | null;
  const decoder = (head['decoder'] ?? null) as Component | null;
  const bos = leadingToken((head['post_processor'] ?? null) as Component | null, addedTokens) ?? namedBos;
  const alphabet = alphabetOf(preTokenizer, decoder, model['byte_fallback'] === true);

  const builder = new VocabularyBuilder();
  readVocabulary(bytes, alphabet, builder);
  const utf8 = new TextEncoder();
  for (const token of addedTokens) {
    const text = utf8.encode(token.content === bos ? '' : token.content);
    builder.set(token.id, text, text.length);
  }
  return {
    vocabulary: builder.build(),
    addedTokens,
    normalizer: (head['normalizer'] ?? null) as Component | null,
    preTokenizer,
    alphabet,
    bos,
  };
}

function readVocabulary(bytes: Buffer, alphabet: TokenAlphabet, builder: VocabularyBuilder): void {
  let scratch = new Uint8Array(1024);
  const add = (text: string, id: number): void => {
    if (text.length * 3 > scratch.length) scratch = new Uint8Array(text.length * 3);
    builder.set(id, scratch, tokenTextToBytes(text, alphabet, scratch));
  };
  const cursor = new JsonCursor(bytes);
  cursor.members((key) => {
    if (key !== 'model') cursor.skip();
    else {
      cursor.members((field) => {
        if (field !== 'vocab') cursor.skip();
        else if (cursor.peek() === '{') cursor.members((text) => add(text, cursor.value() as number));
        else cursor.elements((id) => add((cursor.value() as [string, number])[0], id));
      });
    }
  });
}

function alphabetOf(preTokenizer: Component | null, decoder: Component | null, byteFallback: boolean): TokenAlphabet {
  const parts = [...componentParts(preTokenizer, 'pretokenizers'), ...componentParts(decoder, 'decoders')];
  if (parts.some((part) => part.type === 'ByteLevel')) return { kind: 'byte-level' };
  const space = parts.find((part) => part.type === 'Metaspace')?.['replacement'];
  return { kind: 'text', space: typeof space === 'string' ? space : DEFAULT_SPACE, byteFallback };
}

/** Text of the special token with which a `TemplateProcessing` starts a single prompt. */
function leadingToken(postProcessor: Component | null, addedTokens: readonly AddedToken[]): string | null {
  for (const part of componentParts(postProcessor, 'processors')) {
    if (part.type !== 'TemplateProcessing') continue;
    const first = (part['single'] as { SpecialToken?: { id: string } }[])[0]?.SpecialToken?.id;
    if (first === undefined) continue;
    const special = (part['special_tokens'] as Record<string, { ids: number[] }>)[first];
    return addedTokens.find((token) => token.id === special?.ids[0])?.content ?? null;
  }
  return null;
}
