const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;

const isSpace = (byte: number | undefined): boolean => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;

/** Bytes of a string that are looked at one by one before the search for its end is left to the machine. */
const SHORT_STRING_BYTES = 32;

/** Bytes of the UTF-8 byte order mark at the start: 3 or 0. */
export const byteOrderMarkLength = (bytes: Uint8Array): 0 | 3 =>
  bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;

/**
 * Reads JSON member by member over its bytes. A `tokenizer.json` is 10 MB of which a quarter million merges are never
 * needed: parsing it whole leaves the heap 100 MB larger for good, walking it leaves nothing behind.
 *
 * Every method starts at the current position and ends behind what it read. What is left out is not checked.
 */
export class JsonCursor {
  private readonly bytes: Buffer;
  private at: number;

  constructor(bytes: Uint8Array) {
    this.bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.at = byteOrderMarkLength(bytes);
  }

  /** Where the value here starts, in bytes. */
  start(): number {
    return this.skipSpace();
  }

  /** Byte behind what was read last. */
  get end(): number {
    return this.at;
  }

  /** Goes on at byte `at`, which must stand where this cursor could have come to. */
  jump(at: number): void {
    this.at = at;
  }

  /**
   * Calls `visit` for every member of the object here; `visit` must consume the member's value by one of these methods.
   * @throws SyntaxError when there is no object here.
   */
  members(visit: (key: string) => void): void {
    this.take(OPEN_BRACE, 'an object');
    if (this.takeIf(CLOSE_BRACE)) return;
    do {
      const key = this.string();
      this.take(COLON, "':'");
      visit(key);
    } while (this.takeIf(COMMA));
    this.take(CLOSE_BRACE, "',' or '}'");
  }

  /** Calls `visit` for every element of the array here; `visit` must consume it. @throws SyntaxError when there is none. */
  elements(visit: (index: number) => void): void {
    this.take(OPEN_BRACKET, 'an array');
    if (this.takeIf(CLOSE_BRACKET)) return;
    let index = 0;
    do visit(index++);
    while (this.takeIf(COMMA));
    this.take(CLOSE_BRACKET, "',' or ']'");
  }

  /** The string here. @throws SyntaxError when there is none. */
  string(): string {
    const start = this.skipSpace();
    if (this.bytes[start] !== QUOTE) throw this.expected('a string');
    this.skipString();
    const written = this.bytes.toString('utf8', start + 1, this.at - 1);
    return written.includes('\\') ? (JSON.parse(`"${written}"`) as string) : written;
  }

  /** The value here, parsed whole. @throws SyntaxError when it is not JSON. */
  value(): unknown {
    return JSON.parse(this.text());
  }

  /** The value here as it is written. */
  text(): string {
    const start = this.skipSpace();
    this.skip();
    return this.bytes.toString('utf8', start, this.at);
  }

  /** First character of the value here, by which its kind is known. */
  peek(): string {
    return String.fromCharCode(this.bytes[this.skipSpace()]!);
  }

  /** Leaves out the value here. */
  skip(): void {
    const { bytes } = this;
    let depth = 0;
    this.skipSpace();
    do {
      const byte = bytes[this.at];
      if (byte === undefined) throw this.expected('a value');
      if (byte === QUOTE) {
        this.skipString();
        continue;
      }
      if (byte === OPEN_BRACE || byte === OPEN_BRACKET) depth++;
      else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) depth--;
      this.at++;
      // a number or a literal at the top level has no bracket of its own to end it
      if (depth === 0 && byte !== CLOSE_BRACE && byte !== CLOSE_BRACKET) {
        while (!this.atEndOfScalar()) this.at++;
      }
    } while (depth > 0);
  }

  private atEndOfScalar(): boolean {
    const byte = this.bytes[this.at];
    return byte === undefined || byte <= 0x20 || byte === COMMA || byte === CLOSE_BRACE || byte === CLOSE_BRACKET;
  }

  /** Moves behind the string here. */
  private skipString(): void {
    const { bytes } = this;
    const start = this.at + 1;
    const near = Math.min(start + SHORT_STRING_BYTES, bytes.length);
    for (let at = start; at < near; at++) {
      const byte = bytes[at];
      if (byte === BACKSLASH) break;
      if (byte === QUOTE) {
        this.at = at + 1;
        return;
      }
    }
    let end = bytes.indexOf(QUOTE, start);
    for (; end >= 0 && this.isEscaped(start, end); end = this.nextQuote(end + 1));
    if (end < 0) throw this.expected('the end of a string');
    this.at = end + 1;
  }

  /** Whether an odd number of backslashes stands before `at`, in a string that starts at `start`. */
  private isEscaped(start: number, at: number): boolean {
    let from = at;
    while (from > start && this.bytes[from - 1] === BACKSLASH) from--;
    return (at - from) % 2 === 1;
  }

  /** Next quote at `from` or behind, -1 for none. Escaped quotes often come in short distances. */
  private nextQuote(from: number): number {
    const { bytes } = this;
    const near = Math.min(from + SHORT_STRING_BYTES, bytes.length);
    for (let at = from; at < near; at++) if (bytes[at] === QUOTE) return at;
    return bytes.indexOf(QUOTE, near);
  }

  private skipSpace(): number {
    while (isSpace(this.bytes[this.at])) this.at++;
    return this.at;
  }

  private takeIf(byte: number): boolean {
    if (this.bytes[this.skipSpace()] !== byte) return false;
    this.at++;
    return true;
  }

  private take(byte: number, what: string): void {
    if (!this.takeIf(byte)) throw this.expected(what);
  }

  private expected(what: string): SyntaxError {
    return new SyntaxError(`expected ${what} at byte ${this.at} of ${this.bytes.length}`);
  }
}
