import { hashWords } from './hash-words.ts';
import type { BlocksRemoved, BlocksStored, EngineKvEvent, ExtraKey } from './kv-event.ts';
import type { MsgpackReader } from './msgpack-reader.ts';
import { readExtraKeys, saltOf, foreignKeysOf } from './extra-keys.ts';
import { tierOfMedium } from './tier-alias.ts';

/** What was skipped while decoding a batch, see {@link EngineKvBatch}. */
export interface DecodeTally {
  unknown: number;
  unknownFields: number;
  bigrams: number;
}

export const newTally = (): DecodeTally => ({ unknown: 0, unknownFields: 0, bigrams: 0 });

/** Names of the positions after the tag, by tag. */
const POSITIONS: Readonly<Record<string, readonly string[]>> = {
  BlockStored: [
    'block_hashes',
    'parent_block_hash',
    'token_ids',
    'block_size',
    'lora_id',
    'medium',
    'lora_name',
    'extra_keys',
    'group_idx',
    'kv_cache_spec_kind',
    'kv_cache_spec_sliding_window',
  ],
  BlockRemoved: ['block_hashes', 'medium', 'group_idx'],
  AllBlocksCleared: [],
};

/** Fields of an event as they came; null: absent, nil, or of a kind that the field never has. */
class Fields {
  tag: string | null = null;
  hashes: BigUint64Array | null = null;
  parent: bigint | null = null;
  /** The parent was neither a hash nor nil. */
  parentIsOdd = false;
  tokenIds: Uint32Array | null = null;
  blockSize: number | null = null;
  loraId: number | string | null = null;
  medium: string | null = null;
  loraName: string | null = null;
  cacheSalt: string | null = null;
  extraKeys: (readonly ExtraKey[] | null)[] | null = null;
  groupIndex: number | null = null;
  groupKind: string | null = null;
  slidingWindow: number | null = null;
  sessionId: string | null = null;
}

/** Reads one event; null when its tag, its tier or its shape is unknown. The reader stands behind it either way. */
export function decodeKvEvent(reader: MsgpackReader, tally: DecodeTally): EngineKvEvent | null {
  const fields = new Fields();
  const kind = reader.kind();
  if (kind === 'map') {
    for (let left = reader.map(); left > 0; left--) {
      if (reader.kind() === 'string') readField(reader, reader.string(), fields, tally);
      else {
        reader.skip();
        reader.skip();
        tally.unknownFields++;
      }
    }
  } else if (kind === 'array') readPositions(reader, fields, tally);
  else reader.skip();
  if (fields.tag === 'BlockStored') return stored(fields);
  if (fields.tag === 'BlockRemoved') return removed(fields);
  return fields.tag === 'AllBlocksCleared' ? { kind: 'cleared' } : null;
}

function readPositions(reader: MsgpackReader, fields: Fields, tally: DecodeTally): void {
  const length = reader.array();
  if (length === 0) return;
  readField(reader, 'type', fields, tally);
  const names = POSITIONS[fields.tag ?? ''];
  for (let i = 1; i < length; i++) {
    const name = names?.[i - 1];
    // for a time SGLang put a map of further fields where vLLM has the adapter's name
    if (name === 'lora_name' && reader.kind() === 'map') {
      for (let left = reader.map(); left > 0; left--) readField(reader, stringOrNull(reader) ?? '', fields, tally);
    } else if (name !== undefined) readField(reader, name, fields, tally);
    else {
      if (names !== undefined) tally.unknownFields++;
      reader.skip();
    }
  }
}

function readField(reader: MsgpackReader, name: string, fields: Fields, tally: DecodeTally): void {
  switch (name) {
    case 'type':
      fields.tag = stringOrNull(reader);
      break;
    case 'block_hashes':
      fields.hashes = readHashes(reader);
      break;
    case 'parent_block_hash':
      readParent(reader, fields);
      break;
    case 'token_ids':
      fields.tokenIds = readTokens(reader, tally);
      break;
    case 'block_size':
      fields.blockSize = integerOrNull(reader);
      break;
    case 'lora_id':
      fields.loraId = reader.kind() === 'string' ? reader.string() : integerOrNull(reader);
      break;
    case 'medium':
      fields.medium = stringOrNull(reader);
      break;
    case 'lora_name':
      fields.loraName = stringOrNull(reader);
      break;
    case 'cache_salt':
      fields.cacheSalt = stringOrNull(reader);
      break;
    case 'extra_keys':
      fields.extraKeys = readExtraKeys(reader);
      break;
    case 'group_idx':
      fields.groupIndex = integerOrNull(reader);
      break;
    case 'kv_cache_spec_kind':
      fields.groupKind = stringOrNull(reader);
      break;
    case 'kv_cache_spec_sliding_window':
      fields.slidingWindow = integerOrNull(reader);
      break;
    case 'session_id':
      fields.sessionId = stringOrNull(reader);
      break;
    default:
      tally.unknownFields++;
      reader.skip();
  }
}

function stored(fields: Fields): BlocksStored | null {
  const { hashes, tokenIds, blockSize, parentIsOdd } = fields;
  const tier = tierOfMedium(fields.medium);
  if (hashes === null || tokenIds === null || blockSize === null || tier === null || parentIsOdd) return null;
  // before vLLM named adapters, and in SGLang, the id alone keeps their blocks apart from the base model's
  const loraName = fields.loraName ?? (fields.loraId === null ? null : `lora-id:${fields.loraId}`);
  const inKeys = fields.parent === null ? saltOf(fields.extraKeys, loraName) : null;
  return {
    kind: 'stored',
    hashes,
    parent: fields.parent,
    tokenIds,
    blockSize,
    tier,
    medium: fields.medium,
    loraId: typeof fields.loraId === 'number' ? fields.loraId : null,
    loraName,
    cacheSalt: fields.cacheSalt ?? inKeys,
    extraKeys: fields.extraKeys,
    foreignKeys: foreignKeysOf(fields.extraKeys, loraName, inKeys),
    groupIndex: fields.groupIndex,
    groupKind: fields.groupKind,
    slidingWindow: fields.slidingWindow,
    sessionId: fields.sessionId,
  };
}

function removed(fields: Fields): BlocksRemoved | null {
  const tier = tierOfMedium(fields.medium);
  if (fields.hashes === null || tier === null) return null;
  const { hashes, medium, groupIndex, cacheSalt } = fields;
  return { kind: 'removed', hashes, tier, medium, groupIndex, cacheSalt };
}

/** Null unless it is a list of hashes. */
function readHashes(reader: MsgpackReader): BigUint64Array | null {
  if (reader.kind() !== 'array') {
    reader.skip();
    return null;
  }
  const length = reader.array();
  const hashes = new BigUint64Array(length);
  const words = hashWords(hashes);
  let valid = true;
  for (let i = 0; i < length; i++) valid = readHash(reader, words, 2 * i) && valid;
  return valid ? hashes : null;
}

function readHash(reader: MsgpackReader, words: Uint32Array, at: number): boolean {
  const kind = reader.kind();
  if (kind === 'integer') reader.integerWords(words, at);
  else if (kind === 'binary') lastWords(reader.binary(), words, at);
  else {
    reader.skip();
    return false;
  }
  return true;
}

/** The last 8 bytes, big-endian; shorter hashes count as padded in front. */
function lastWords(bytes: Uint8Array, words: Uint32Array, at: number): void {
  const word = (end: number): number => {
    let value = 0;
    for (let i = Math.max(0, end - 4); i < end; i++) value = ((value << 8) | bytes[i]!) >>> 0;
    return value;
  };
  words[at] = word(bytes.length);
  words[at + 1] = word(bytes.length - 4);
}

function readParent(reader: MsgpackReader, fields: Fields): void {
  const parent = new BigUint64Array(1);
  if (reader.kind() === 'nil') reader.skip();
  else if (readHash(reader, hashWords(parent), 0)) fields.parent = parent[0]!;
  else fields.parentIsOdd = true;
}

/** Null unless it is a list of token ids, or of bigram pairs, whose first ids are the sequence. */
function readTokens(reader: MsgpackReader, tally: DecodeTally): Uint32Array | null {
  if (reader.kind() !== 'array') {
    reader.skip();
    return null;
  }
  const length = reader.array();
  const ids = new Uint32Array(length);
  let valid = true;
  for (let i = 0; i < length; i++) {
    const kind = reader.kind();
    if (kind === 'integer') valid = readToken(reader, ids, i) && valid;
    else if (kind === 'array') {
      const parts = reader.array();
      const isToken = parts > 0 && reader.kind() === 'integer';
      valid = isToken && readToken(reader, ids, i) && valid;
      for (let left = isToken ? parts - 1 : parts; left > 0; left--) reader.skip();
      tally.bigrams++;
    } else {
      reader.skip();
      valid = false;
    }
  }
  return valid ? ids : null;
}

function readToken(reader: MsgpackReader, ids: Uint32Array, at: number): boolean {
  const id = reader.number();
  ids[at] = id;
  return id >= 0 && id <= 0xffff_ffff;
}

function integerOrNull(reader: MsgpackReader): number | null {
  if (reader.kind() === 'integer') return reader.number();
  reader.skip();
  return null;
}

function stringOrNull(reader: MsgpackReader): string | null {
  if (reader.kind() === 'string') return reader.string();
  reader.skip();
  return null;
}
