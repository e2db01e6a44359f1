import { hashWords } from './hash-words.ts';
import type { BlocksRemovedInput, BlocksStoredInput, EngineKvBatchInput, ExtraKey } from './kv-event.ts';
import { MsgpackWriter } from './msgpack-writer.ts';
import { MEDIUM_OF_TIER } from './tier-alias.ts';

/** `map`: tagged maps, vLLM since June 2026; `array`: positional arrays, vLLM before that. */
export type KvBatchForm = 'map' | 'array';

const writer = new MsgpackWriter();

/**
 * A batch as vLLM's publisher writes it, byte for byte: the envelope `[seconds, events, rank]`, hashes as unsigned
 * integers, fields in declaration order, optional fields that are null left out of maps.
 */
export function encodeKvBatch(batch: EngineKvBatchInput, form: KvBatchForm = 'map'): Uint8Array {
  writer.reset();
  writer.array(3);
  writer.float(batch.timeMs / 1000);
  writer.array(batch.events.length);
  for (const event of batch.events) {
    if (event.kind === 'stored') (form === 'map' ? storedMap : storedArray)(event);
    else if (event.kind === 'removed') (form === 'map' ? removedMap : removedArray)(event);
    else cleared(form);
  }
  integerOrNil(batch.dpRank);
  return writer.finish();
}

function storedMap(event: BlocksStoredInput): void {
  const { groupIndex = null, groupKind = null, slidingWindow = null, sessionId = null } = event;
  const extraKeys = event.extraKeys === undefined ? extraKeysOf(event) : event.extraKeys;
  const optional = [extraKeys, groupIndex, groupKind, slidingWindow, sessionId].filter((value) => value !== null);
  writer.map(8 + optional.length);
  field('type').string('BlockStored');
  field('block_hashes');
  hashes(event.hashes);
  field('parent_block_hash');
  bigintOrNil(event.parent);
  field('token_ids');
  tokens(event.tokenIds);
  field('block_size').integer(event.blockSize);
  field('lora_id');
  integerOrNil(event.loraId ?? null);
  field('medium');
  stringOrNil(mediumOf(event));
  field('lora_name');
  stringOrNil(event.loraName ?? null);
  if (extraKeys !== null) {
    field('extra_keys');
    extraKeyLists(extraKeys);
  }
  if (groupIndex !== null) field('group_idx').integer(groupIndex);
  if (groupKind !== null) field('kv_cache_spec_kind').string(groupKind);
  if (slidingWindow !== null) field('kv_cache_spec_sliding_window').integer(slidingWindow);
  if (sessionId !== null) field('session_id').string(sessionId);
}

function storedArray(event: BlocksStoredInput): void {
  writer.array(12);
  writer.string('BlockStored');
  hashes(event.hashes);
  bigintOrNil(event.parent);
  tokens(event.tokenIds);
  writer.integer(event.blockSize);
  integerOrNil(event.loraId ?? null);
  stringOrNil(mediumOf(event));
  stringOrNil(event.loraName ?? null);
  const extraKeys = event.extraKeys === undefined ? extraKeysOf(event) : event.extraKeys;
  if (extraKeys === null) writer.nil();
  else extraKeyLists(extraKeys);
  integerOrNil(event.groupIndex ?? null);
  stringOrNil(event.groupKind ?? null);
  integerOrNil(event.slidingWindow ?? null);
}

function removedMap(event: BlocksRemovedInput): void {
  const { groupIndex = null } = event;
  writer.map(groupIndex === null ? 3 : 4);
  field('type').string('BlockRemoved');
  field('block_hashes');
  hashes(event.hashes);
  field('medium');
  stringOrNil(mediumOf(event));
  if (groupIndex !== null) field('group_idx').integer(groupIndex);
}

function removedArray(event: BlocksRemovedInput): void {
  writer.array(4);
  writer.string('BlockRemoved');
  hashes(event.hashes);
  stringOrNil(mediumOf(event));
  integerOrNil(event.groupIndex ?? null);
}

function cleared(form: KvBatchForm): void {
  if (form === 'map') {
    writer.map(1);
    field('type');
  } else writer.array(1);
  writer.string('AllBlocksCleared');
}

/** vLLM folds the adapter's name into every block and the salt into the first of a sequence, in this order. */
function extraKeysOf(event: BlocksStoredInput): readonly (readonly ExtraKey[] | null)[] {
  const lora = event.loraName ?? null;
  const salt = event.parent === null ? (event.cacheSalt ?? null) : null;
  return Array.from(event.hashes, (_hash, block) => {
    const keys = [lora, block === 0 ? salt : null].filter((key) => key !== null);
    return keys.length === 0 ? null : keys;
  });
}

const mediumOf = (event: BlocksStoredInput | BlocksRemovedInput): string | null =>
  event.medium === undefined ? MEDIUM_OF_TIER[event.tier ?? 'hbm'] : event.medium;

function field(name: string): MsgpackWriter {
  writer.string(name);
  return writer;
}

function hashes(values: BigUint64Array): void {
  const words = hashWords(values);
  writer.array(values.length);
  for (let i = 0; i < words.length; i += 2) writer.unsigned64(words[i + 1]!, words[i]!);
}

function tokens(ids: Uint32Array): void {
  writer.array(ids.length);
  for (let i = 0; i < ids.length; i++) writer.integer(ids[i]!);
}

function extraKeyLists(lists: readonly (readonly ExtraKey[] | null)[]): void {
  writer.array(lists.length);
  for (const list of lists) extraKey(list);
}

function extraKey(key: ExtraKey): void {
  if (key === null) writer.nil();
  else if (typeof key === 'string') writer.string(key);
  else if (typeof key === 'bigint') writer.bigint(key);
  else if (typeof key === 'boolean') writer.boolean(key);
  else if (typeof key === 'number') (Number.isSafeInteger(key) ? writer.integer : writer.float).call(writer, key);
  else if (key instanceof Uint8Array) writer.binary(key);
  else {
    writer.array(key.length);
    for (const part of key) extraKey(part);
  }
}

const integerOrNil = (value: number | null): void => (value === null ? writer.nil() : writer.integer(value));
const bigintOrNil = (value: bigint | null): void => (value === null ? writer.nil() : writer.bigint(value));
const stringOrNil = (value: string | null): void => (value === null ? writer.nil() : writer.string(value));
