/** Walks the fields of a protobuf message: `next` moves to a field, one of the others reads it. */
export class ProtobufReader {
  /** Number of the field that `next` has moved to. */
  field = 0;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;
  #wire = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** False at the end. @throws RangeError when the bytes are no protobuf message, as all methods here */
  next(): boolean {
    if (this.#at >= this.#bytes.length) return false;
    const tag = Number(this.#varint());
    this.field = tag >>> 3;
    this.#wire = tag & 7;
    return true;
  }

  /** Passes over the field. */
  skip(): void {
    if (this.#wire === 0) this.#varint();
    else if (this.#wire === 1) this.#take(8);
    else if (this.#wire === 2) this.bytes();
    else if (this.#wire === 5) this.#take(4);
    else throw new RangeError(`protobuf wire type ${this.#wire} is not known`);
  }

  bytes(): Uint8Array {
    this.#expect(2);
    const length = Number(this.#varint());
    const start = this.#take(length);
    return this.#bytes.subarray(start, start + length);
  }

  text(): string {
    return Buffer.from(this.bytes()).toString('utf8');
  }

  message(): ProtobufReader {
    return new ProtobufReader(this.bytes());
  }

  /** A signed 64-bit integer, as the nearest number. */
  integer(): number {
    this.#expect(0);
    return Number(BigInt.asIntN(64, this.#varint()));
  }

  double(): number {
    this.#expect(1);
    return this.#view.getFloat64(this.#take(8), true);
  }

  /** A fixed64 of nanoseconds, in milliseconds. */
  nanosAsMs(): number {
    this.#expect(1);
    const nanos = this.#view.getBigUint64(this.#take(8), true);
    return Number(nanos / 1_000_000n) + Number(nanos % 1_000_000n) / 1e6;
  }

  #varint(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#bytes[this.#take(1)]!;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw new RangeError('protobuf number is too long');
  }

  #take(length: number): number {
    const start = this.#at;
    if (start + length > this.#bytes.length) throw new RangeError('protobuf message is cut short');
    this.#at += length;
    return start;
  }

  #expect(wire: number): void {
    if (this.#wire !== wire) throw new RangeError(`protobuf field ${this.field} has wire type ${this.#wire}`);
  }
}
