/**
 * GPT-2's map of bytes to printable characters, in which byte-level BPE vocabularies are written: printable Latin-1
 * stands for itself, every other byte for U+0100 and up.
 */
export const BYTE_TO_CHARACTER: readonly string[] = (() => {
  const printable = (byte: number): boolean =>
    (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || (byte >= 0xae && byte <= 0xff);
  let next = 0x100;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(printable(byte) ? byte : next++));
})();

const encoder = new TextEncoder();

/** `text` as a byte-level vocabulary writes it. */
export function toByteLevel(text: string): string {
  let out = '';
  for (const byte of encoder.encode(text)) out += BYTE_TO_CHARACTER[byte]!;
  return out;
}
