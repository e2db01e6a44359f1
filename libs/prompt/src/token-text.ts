/** How a model writes the bytes of its tokens in `tokenizer.json`. */
export type TokenAlphabet =
  /** GPT-2: one printable character per byte (`Ġ` is a space). */
  | { readonly kind: 'byte-level' }
  /** SentencePiece: text, a stand-in (`▁`) for the space, and `<0x0A>` for single bytes. */
  | { readonly kind: 'text'; readonly space: string; readonly byteFallback: boolean };

const BYTE_TOKEN = /^<0x([0-9A-Fa-f]{2})>$/;
const utf8 = new TextEncoder();

/** Byte of each GPT-2 character; -1 for characters that stand for none. `bytes_to_unicode` of OpenAI's GPT-2 encoder. */
const BYTE_OF_CHARACTER = (() => {
  const table = new Int16Array(0x144).fill(-1);
  let next = 0x100;
  for (let byte = 0; byte < 0x100; byte++) {
    const printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    table[printable ? byte : next++] = byte;
  }
  return table;
})();

/**
 * Writes the bytes that the token `text` stands for to `out`, which must have room for `3 * text.length`; returns their
 * number. A byte-level token with a character outside the alphabet is its text, as in the decoder of `tokenizers`.
 */
export function tokenTextToBytes(text: string, alphabet: TokenAlphabet, out: Uint8Array): number {
  if (alphabet.kind === 'text') {
    const byte = alphabet.byteFallback ? BYTE_TOKEN.exec(text) : null;
    if (byte !== null) {
      out[0] = parseInt(byte[1]!, 16);
      return 1;
    }
    return utf8.encodeInto(text.replaceAll(alphabet.space, ' '), out).written;
  }
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    const byte = code < BYTE_OF_CHARACTER.length ? BYTE_OF_CHARACTER[code]! : -1;
    if (byte < 0) return utf8.encodeInto(text, out).written;
    out[i] = byte;
  }
  return text.length;
}
