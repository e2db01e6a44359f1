import type { ExtraKey } from './kv-event.ts';
import { KvDecodeError } from './msgpack-reader.ts';
import type { MsgpackReader } from './msgpack-reader.ts';

const MAX_DEPTH = 16;

/** The `extra_keys` of a store event: per block a list or nil; a bare value counts as a list of one. Null for nil. */
export function readExtraKeys(reader: MsgpackReader): (readonly ExtraKey[] | null)[] | null {
  const value = readExtraKey(reader, 0);
  if (!isList(value)) return null;
  return value.map((block) => (block === null || isList(block) ? block : [block]));
}

const isList = (value: ExtraKey): value is readonly ExtraKey[] => Array.isArray(value);

function readExtraKey(reader: MsgpackReader, depth: number): ExtraKey {
  if (depth > MAX_DEPTH) throw new KvDecodeError(`extra keys nested deeper than ${MAX_DEPTH}`);
  switch (reader.kind()) {
    case 'string':
      return reader.string();
    case 'integer':
    case 'float':
      return reader.number();
    case 'boolean':
      return reader.boolean();
    case 'binary':
      return Uint8Array.from(reader.binary());
    case 'array': {
      const length = reader.array();
      const values: ExtraKey[] = [];
      for (let i = 0; i < length; i++) values.push(readExtraKey(reader, depth + 1));
      return values;
    }
    case 'nil':
    case 'map':
    case 'extension':
      reader.skip();
      return null;
  }
}

/**
 * The cache salt of a sequence's first block: vLLM sends values without tags, in the order adapter name, images, salt,
 * so it is the last bare text that is not the adapter's name. (Versions that send images as bare texts make an image
 * look like a salt: such blocks are kept apart, which is what the image needs.)
 */
export function saltOf(
  extraKeys: readonly (readonly ExtraKey[] | null)[] | null,
  loraName: string | null,
): string | null {
  const salt = extraKeys?.[0]?.findLast((key) => typeof key === 'string' && key !== loraName);
  return typeof salt === 'string' ? salt : null;
}

/** Per block what is left besides adapter and salt, as stable text; null when nothing is left in any block. */
export function foreignKeysOf(
  extraKeys: readonly (readonly ExtraKey[] | null)[] | null,
  loraName: string | null,
  salt: string | null,
): (string | null)[] | null {
  if (extraKeys === null) return null;
  let found = false;
  const keys = extraKeys.map((list, block) => {
    const rest = list?.filter((key) => key !== loraName && !(block === 0 && key === salt)) ?? [];
    if (rest.length === 0) return null;
    found = true;
    return JSON.stringify(rest, (_name, value: unknown) =>
      value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value,
    );
  });
  return found ? keys : null;
}
