const UTF8 = new TextEncoder();

/** Appends MessagePack values to a growing buffer, each in its shortest form as msgspec writes them. */
export class MsgpackWriter {
  #bytes = new Uint8Array(1024);
  #view = new DataView(this.#bytes.buffer);
  #at = 0;

  /** Forgets what was written. */
  reset(): void {
    this.#at = 0;
  }

  /** A copy of what was written; the writer is empty afterwards. */
  finish(): Uint8Array {
    const bytes = this.#bytes.slice(0, this.#at);
    this.reset();
    return bytes;
  }

  nil(): void {
    this.#byte(0xc0);
  }

  boolean(value: boolean): void {
    this.#byte(value ? 0xc3 : 0xc2);
  }

  float(value: number): void {
    this.#byte(0xcb);
    this.#room(8);
    this.#view.setFloat64(this.#at, value);
    this.#at += 8;
  }

  /** `value` must be a safe integer. */
  integer(value: number): void {
    if (value < 0) this.#negative(value);
    else if (value < 0x80) this.#byte(value);
    else if (value < 0x100) this.#tagged8(0xcc, value);
    else if (value < 0x1_0000) this.#tagged16(0xcd, value);
    else if (value < 0x1_0000_0000) this.#tagged32(0xce, value);
    else this.unsigned64(Math.floor(value / 0x1_0000_0000), value >>> 0);
  }

  /** An unsigned 64-bit integer given as two unsigned 32-bit words. */
  unsigned64(hi: number, lo: number): void {
    if (hi === 0) return this.integer(lo);
    this.#byte(0xcf);
    this.#room(8);
    this.#view.setUint32(this.#at, hi);
    this.#view.setUint32(this.#at + 4, lo);
    this.#at += 8;
  }

  bigint(value: bigint): void {
    if (value >= 0n) return this.unsigned64(Number(value >> 32n), Number(value & 0xffff_ffffn));
    if (value >= BigInt(Number.MIN_SAFE_INTEGER)) return this.integer(Number(value));
    this.#byte(0xd3);
    this.#room(8);
    this.#view.setBigInt64(this.#at, value);
    this.#at += 8;
  }

  string(text: string): void {
    const bytes = UTF8.encode(text);
    if (bytes.length < 32) this.#byte(0xa0 | bytes.length);
    else if (bytes.length < 0x100) this.#tagged8(0xd9, bytes.length);
    else if (bytes.length < 0x1_0000) this.#tagged16(0xda, bytes.length);
    else this.#tagged32(0xdb, bytes.length);
    this.#append(bytes);
  }

  binary(bytes: Uint8Array): void {
    if (bytes.length < 0x100) this.#tagged8(0xc4, bytes.length);
    else if (bytes.length < 0x1_0000) this.#tagged16(0xc5, bytes.length);
    else this.#tagged32(0xc6, bytes.length);
    this.#append(bytes);
  }

  /** Head of an array; the caller writes its `length` values next. */
  array(length: number): void {
    if (length < 16) this.#byte(0x90 | length);
    else if (length < 0x1_0000) this.#tagged16(0xdc, length);
    else this.#tagged32(0xdd, length);
  }

  /** Head of a map; the caller writes its `length` keys and values next. */
  map(length: number): void {
    if (length < 16) this.#byte(0x80 | length);
    else if (length < 0x1_0000) this.#tagged16(0xde, length);
    else this.#tagged32(0xdf, length);
  }

  #negative(value: number): void {
    if (value >= -32) this.#byte(value & 0xff);
    else if (value >= -0x80) this.#tagged8(0xd0, value & 0xff);
    else if (value >= -0x8000) this.#tagged16(0xd1, value & 0xffff);
    else if (value >= -0x8000_0000) this.#tagged32(0xd2, value >>> 0);
    else {
      this.#byte(0xd3);
      this.#room(8);
      this.#view.setBigInt64(this.#at, BigInt(value));
      this.#at += 8;
    }
  }

  #byte(value: number): void {
    this.#room(1);
    this.#bytes[this.#at++] = value;
  }

  #tagged8(tag: number, value: number): void {
    this.#room(2);
    this.#bytes[this.#at++] = tag;
    this.#bytes[this.#at++] = value;
  }

  #tagged16(tag: number, value: number): void {
    this.#room(3);
    this.#bytes[this.#at++] = tag;
    this.#view.setUint16(this.#at, value);
    this.#at += 2;
  }

  #tagged32(tag: number, value: number): void {
    this.#room(5);
    this.#bytes[this.#at++] = tag;
    this.#view.setUint32(this.#at, value);
    this.#at += 4;
  }

  #append(bytes: Uint8Array): void {
    this.#room(bytes.length);
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  #room(bytes: number): void {
    if (this.#at + bytes <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(this.#bytes.length * 2, this.#at + bytes));
    larger.set(this.#bytes.subarray(0, this.#at));
    this.#bytes = larger;
    this.#view = new DataView(larger.buffer);
  }
}
