/** The bytes are not MessagePack, are cut short, or are no KV event batch. */
export class KvDecodeError extends Error {
  override readonly name = 'KvDecodeError';
}

export type MsgpackKind = 'nil' | 'boolean' | 'integer' | 'float' | 'string' | 'binary' | 'array' | 'map' | 'extension';

const MAX_DEPTH = 64;

/**
 * Reads MessagePack values one by one, without building objects. Reading past the end throws {@link KvDecodeError};
 * a value of another kind than asked for is the caller's to check with {@link MsgpackReader.kind} and to skip.
 */
export class MsgpackReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Bytes not read yet: an upper bound of the values that can follow. */
  get remaining(): number {
    return this.#bytes.length - this.#at;
  }

  /** Kind of the next value. */
  kind(): MsgpackKind {
    const head = this.#peek();
    if (head < 0x80 || head >= 0xe0) return 'integer';
    if (head < 0x90) return 'map';
    if (head < 0xa0) return 'array';
    if (head < 0xc0) return 'string';
    if (head === 0xc0) return 'nil';
    if (head === 0xc1) throw new KvDecodeError('byte 0xc1 is never used');
    if (head < 0xc4) return 'boolean';
    if (head < 0xc7) return 'binary';
    if (head < 0xca) return 'extension';
    if (head < 0xcc) return 'float';
    if (head < 0xd4) return 'integer';
    if (head < 0xd9) return 'extension';
    if (head < 0xdc) return 'string';
    return head < 0xde ? 'array' : 'map';
  }

  /** An integer or float; integers beyond 2^53 are rounded. */
  number(): number {
    const head = this.#byte();
    if (head < 0x80) return head;
    if (head >= 0xe0) return head - 0x100;
    const at = this.#at;
    switch (head) {
      case 0xcc:
        return this.#byte();
      case 0xcd:
        this.#take(2);
        return this.#bytes.readUInt16BE(at);
      case 0xce:
        this.#take(4);
        return this.#bytes.readUInt32BE(at);
      case 0xcf:
        this.#take(8);
        return this.#bytes.readUInt32BE(at) * 0x1_0000_0000 + this.#bytes.readUInt32BE(at + 4);
      case 0xd0:
        this.#take(1);
        return this.#bytes.readInt8(at);
      case 0xd1:
        this.#take(2);
        return this.#bytes.readInt16BE(at);
      case 0xd2:
        this.#take(4);
        return this.#bytes.readInt32BE(at);
      case 0xd3:
        this.#take(8);
        return this.#bytes.readInt32BE(at) * 0x1_0000_0000 + this.#bytes.readUInt32BE(at + 4);
      case 0xca:
        this.#take(4);
        return this.#bytes.readFloatBE(at);
      case 0xcb:
        this.#take(8);
        return this.#bytes.readDoubleBE(at);
      default:
        throw new KvDecodeError(`byte 0x${head.toString(16)} starts no number`);
    }
  }

  /** An integer of up to 64 bits as its low 64 bits: `words[at]` low, `words[at + 1]` high. */
  integerWords(words: Uint32Array, at: number): void {
    const head = this.#peek();
    if (head === 0xcf || head === 0xd3) {
      this.#take(9);
      words[at + 1] = this.#bytes.readUInt32BE(this.#at - 8);
      words[at] = this.#bytes.readUInt32BE(this.#at - 4);
    } else {
      const value = this.number();
      words[at] = value;
      words[at + 1] = value < 0 ? 0xffff_ffff : 0;
    }
  }

  boolean(): boolean {
    return this.#byte() === 0xc3;
  }

  string(): string {
    const length = this.#stringLength();
    const at = this.#take(length);
    return this.#bytes.toString('utf8', at, at + length);
  }

  /** A view of the bytes of a binary value. */
  binary(): Uint8Array {
    const length = this.#sized(this.#byte() - 0xc4);
    const at = this.#take(length);
    return this.#bytes.subarray(at, at + length);
  }

  /** Head of an array: the number of values that follow. */
  array(): number {
    const head = this.#byte();
    const length = head < 0xa0 ? head & 0x0f : this.#sized(head - 0xdb);
    return this.#plausible(length);
  }

  /** Head of a map: the number of pairs that follow. */
  map(): number {
    const head = this.#byte();
    const length = head < 0x90 ? head & 0x0f : this.#sized(head - 0xdd);
    return this.#plausible(length);
  }

  /** Steps over one value of any kind. */
  skip(depth = 0): void {
    if (depth > MAX_DEPTH) throw new KvDecodeError(`values nested deeper than ${MAX_DEPTH}`);
    switch (this.kind()) {
      case 'nil':
      case 'boolean':
        this.#take(1);
        break;
      case 'integer':
      case 'float':
        this.number();
        break;
      case 'string':
        this.#take(this.#stringLength());
        break;
      case 'binary':
        this.binary();
        break;
      case 'array':
        for (let left = this.array(); left > 0; left--) this.skip(depth + 1);
        break;
      case 'map':
        for (let left = 2 * this.map(); left > 0; left--) this.skip(depth + 1);
        break;
      case 'extension':
        this.#skipExtension();
        break;
    }
  }

  #skipExtension(): void {
    const head = this.#byte();
    const length = head >= 0xd4 ? 1 << (head - 0xd4) : this.#sized(head - 0xc7);
    this.#take(1 + length);
  }

  #stringLength(): number {
    const head = this.#byte();
    return head < 0xc0 ? head & 0x1f : this.#sized(head - 0xd9);
  }

  /** A length in 1, 2 or 4 bytes (width 0, 1, 2). */
  #sized(width: number): number {
    if (width === 0) return this.#byte();
    const at = this.#take(width === 1 ? 2 : 4);
    return width === 1 ? this.#bytes.readUInt16BE(at) : this.#bytes.readUInt32BE(at);
  }

  /** A value takes a byte at least, so a length beyond the end is refused before anything is allocated for it. */
  #plausible(length: number): number {
    if (length > this.remaining) throw new KvDecodeError(`${length} values do not fit in ${this.remaining} bytes`);
    return length;
  }

  #peek(): number {
    const head = this.#bytes[this.#at];
    if (head === undefined) throw new KvDecodeError('message is cut short');
    return head;
  }

  #byte(): number {
    const head = this.#peek();
    this.#at++;
    return head;
  }

  #take(length: number): number {
    const at = this.#at;
    if (length > this.#bytes.length - at) throw new KvDecodeError('message is cut short');
    this.#at = at + length;
    return at;
  }
}
