const KEY = Buffer.from('"finish_reason":');
const QUOTE = 0x22;
const SPACE = 0x20;
/** Longest value that is looked for, with its key. */
const MOST_BYTES = 64;

/** Finds why an engine stopped in an answer that passes by, in pieces cut anywhere. One reason for each choice. */
export class FinishReasons {
  readonly found: string[] = [];
  #carry: Buffer | null = null;

  push(piece: Buffer): void {
    const bytes = this.#carry === null ? piece : Buffer.concat([this.#carry, piece]);
    let at = bytes.indexOf(KEY);
    let read = 0;
    while (at >= 0) {
      const value = valueAt(bytes, at + KEY.length);
      if (value === undefined) break;
      if (value !== null) this.found.push(value);
      read = at + KEY.length;
      at = bytes.indexOf(KEY, read);
    }
    // A key that is cut, or whose value is, goes on in the next piece.
    const rest = at >= 0 ? at : Math.max(read, bytes.length - KEY.length + 1);
    this.#carry = rest < bytes.length && bytes.length - rest <= MOST_BYTES ? bytes.subarray(rest) : null;
  }
}

/** The text at `at`; null when it is none (`null`, a number), undefined when it is cut off. */
function valueAt(bytes: Buffer, at: number): string | null | undefined {
  while (bytes[at] === SPACE) at++;
  if (at >= bytes.length) return undefined;
  if (bytes[at] !== QUOTE) return null;
  const end = bytes.indexOf(QUOTE, at + 1);
  return end < 0 ? undefined : bytes.toString('latin1', at + 1, end);
}
