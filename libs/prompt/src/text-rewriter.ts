import { createNormalizer } from './normalizer.ts';
import type { AddedToken, TokenizerFile } from './tokenizer-file.ts';

/**
 * Turns the text of a prompt into its key bytes: what the bytes of its tokens are when joined. That is the text itself in
 * UTF-8, but for what the tokenizer changes about it: added tokens are cut out first (with the white space some of them
 * take along), the rest is normalised, a space may be put in front, and the BOS has no bytes.
 */
export interface TextRewriter {
  /** Key bytes of `text`, or null when it is no Unicode text (a lone surrogate), which no engine accepts. */
  toBytes(text: string): Uint8Array | null;
}

const utf8 = new TextEncoder();
const SPACE = /\s/u;
const WORD = /[\p{L}\p{N}_]/u;

/** @throws Error that names the part of the tokenizer whose effect on the text is not known. */
export function createTextRewriter(file: TokenizerFile): TextRewriter {
  const { bos } = file;
  const normalizer = createNormalizer(file.normalizer, file.preTokenizer, file.alphabet);
  const tokens = file.addedTokens.filter((token) => token.content !== '');
  const pattern = tokensPattern(tokens);
  const byContent = new Map(tokens.map((token) => [token.content, token]));
  const cutsMatter = !normalizer.piecewise || tokens.some((token) => token.lstrip || token.rstrip);

  const rewrite = (text: string): string => {
    let out = '';
    let end = 0;
    for (const match of pattern === null ? [] : text.matchAll(pattern)) {
      const token = byContent.get(match[0])!;
      const behind = match.index + token.content.length;
      if (token.single_word && touchesWord(text, match.index, behind)) continue;
      let start = match.index;
      if (token.lstrip) while (start > end && SPACE.test(text[start - 1]!)) start--;
      out += normalizer.apply(text.slice(end, Math.max(start, end)), end === 0);
      if (token.content !== bos) out += token.content;
      end = behind;
      if (token.rstrip) while (end < text.length && SPACE.test(text[end]!)) end++;
    }
    return out + normalizer.apply(text.slice(end), end === 0);
  };

  return {
    toBytes(text) {
      if (!text.isWellFormed()) return null;
      const unchanged = !cutsMatter && (bos === null || !text.includes(bos)) && normalizer.apply(text, true) === text;
      return utf8.encode(unchanged ? text : rewrite(text));
    },
  };
}

/** Matches the added token that starts leftmost, of several the longest. */
function tokensPattern(tokens: readonly AddedToken[]): RegExp | null {
  if (tokens.length === 0) return null;
  const contents = tokens.map((token) => token.content).sort((a, b) => b.length - a.length);
  return new RegExp(contents.map((content) => content.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')).join('|'), 'gu');
}

function touchesWord(text: string, start: number, end: number): boolean {
  return (start > 0 && WORD.test(text[start - 1]!)) || (end < text.length && WORD.test(text[end]!));
}
