import { MsgpackWriter } from '../msgpack-writer.ts';

export type Value =
  null | boolean | number | bigint | string | Uint8Array | readonly Value[] | { readonly [key: string]: Value };

/** Any value as MessagePack; numbers with a fraction as floats, so give times one. */
export function msgpack(value: Value): Uint8Array {
  const writer = new MsgpackWriter();
  write(writer, value);
  return writer.finish();
}

function write(writer: MsgpackWriter, value: Value): void {
  if (value === null) writer.nil();
  else if (typeof value === 'boolean') writer.boolean(value);
  else if (typeof value === 'number') {
    if (Number.isSafeInteger(value)) writer.integer(value);
    else writer.float(value);
  } else if (typeof value === 'bigint') writer.bigint(value);
  else if (typeof value === 'string') writer.string(value);
  else if (value instanceof Uint8Array) writer.binary(value);
  else if (isList(value)) {
    writer.array(value.length);
    for (const item of value) write(writer, item);
  } else {
    const entries = Object.entries(value);
    writer.map(entries.length);
    for (const [key, item] of entries) {
      writer.string(key);
      write(writer, item);
    }
  }
}

const isList = (value: Value): value is readonly Value[] => Array.isArray(value);
