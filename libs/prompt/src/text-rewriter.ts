import { createNormalizer } from './normalizer.ts';
import type { AddedToken, TokenizerFile } from './tokenizer-file.ts';

/**
 * Turns the text of a prompt into its key bytes: what the bytes of its tokens are when joined. That is the text itself in
 * UTF-8, but for what the tokenizer changes about it: added tokens are cut out first (with the white space some of them
 * take along), the rest is normalised, a space may be put in front, and the BOS has no bytes.
 */
export interface TextRewriter {
  /**
   * Key bytes of the text that `pieces` make together, or null when it is no Unicode text (a lone surrogate), which no
   * engine accepts.
   */
  toBytes(pieces: readonly string[]): Uint8Array | null;
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

  const leadingBos = bosStandsAlone(bos, tokens);

  /** The pieces without a BOS in front when that is all there is to change, else null. */
  const untouched = (pieces: readonly string[]): readonly string[] | null => {
    if (cutsMatter || !pieces.every((piece) => normalizer.keeps(piece))) return null;
    if (bos === null) return pieces;
    const [first = '', ...others] = pieces;
    const starts = leadingBos && first.startsWith(bos);
    const rest = starts ? [first.slice(bos.length), ...others] : pieces;
    return contains(rest, bos) ? null : rest;
  };

  return {
    toBytes(pieces) {
      const kept = untouched(pieces);
      if (kept !== null) return encode(kept);
      const text = pieces.join('');
      if (!text.isWellFormed()) return null;
      const unchanged = !cutsMatter && (bos === null || !text.includes(bos)) && normalizer.apply(text, true) === text;
      return utf8.encode(unchanged ? text : rewrite(text));
    },
  };
}

/** Whether a BOS at the start of a text is always found as such: it is a token, and none that is longer starts with it. */
function bosStandsAlone(bos: string | null, tokens: readonly AddedToken[]): boolean {
  if (bos === null) return false;
  const alike = tokens.filter(({ content }) => content.startsWith(bos));
  return alike.length === 1 && alike[0]!.content === bos && !alike[0]!.single_word;
}

/** Whether the text that the pieces make has `word` in it, within a piece or across several. */
function contains(pieces: readonly string[], word: string): boolean {
  const part = word.length - 1;
  let end = '';
  for (const piece of pieces) {
    if (piece.includes(word) || (end + piece.slice(0, part)).includes(word)) return true;
    end = part === 0 ? '' : (end + piece.slice(-part)).slice(-part);
  }
  return false;
}

function encode(pieces: readonly string[]): Uint8Array {
  if (pieces.length === 1) return utf8.encode(pieces[0]);
  const bytes = new Uint8Array(pieces.reduce((length, piece) => length + Buffer.byteLength(piece), 0));
  let at = 0;
  for (const piece of pieces) at += utf8.encodeInto(piece, bytes.subarray(at)).written;
  return bytes;
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
