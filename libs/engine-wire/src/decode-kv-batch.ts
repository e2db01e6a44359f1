import { decodeKvEvent, newTally } from './decode-kv-event.ts';
import type { DecodeTally } from './decode-kv-event.ts';
import type { EngineKvBatch, EngineKvEvent } from './kv-event.ts';
import { KvDecodeError, MsgpackReader } from './msgpack-reader.ts';

/**
 * Decodes one published batch of any known vLLM, SGLang or LMCache version: events as maps or positional arrays, the
 * envelope as either, event lists packed as binary, missing trailing fields, integer or byte hashes. What it does not
 * know it skips and counts.
 * @throws KvDecodeError when the bytes are no MessagePack or no batch.
 */
export function decodeKvBatch(payload: Uint8Array): EngineKvBatch {
  const reader = new MsgpackReader(payload);
  const tally = newTally();
  const events: EngineKvEvent[] = [];
  let seconds: number | null = null;
  let dpRank: number | null = null;
  let sawEvents = false;
  const part = (name: string): void => {
    if (name === 'ts') seconds = numberOrNull(reader);
    else if (name === 'data_parallel_rank') dpRank = numberOrNull(reader);
    else if (name === 'events') {
      decodeEvents(reader, tally, events);
      sawEvents = true;
    } else {
      tally.unknownFields++;
      reader.skip();
    }
  };
  const kind = reader.kind();
  if (kind === 'array') {
    const length = reader.array();
    for (let i = 0; i < length; i++) part(ENVELOPE[i] ?? '');
  } else if (kind === 'map') {
    for (let left = reader.map(); left > 0; left--)
      part(reader.kind() === 'string' ? reader.string() : skipped(reader));
  } else throw new KvDecodeError(`a batch is an array or a map, not ${kind}`);
  if (seconds === null || !sawEvents) throw new KvDecodeError('batch without time or events');
  return {
    timeMs: seconds * 1000,
    events,
    dpRank,
    unknown: tally.unknown,
    unknownFields: tally.unknownFields,
    bigrams: tally.bigrams,
  };
}

/** The time of a batch, milliseconds since the Unix epoch, without decoding its events; null when it is no batch. */
export function kvBatchTimeMs(payload: Uint8Array): number | null {
  try {
    const reader = new MsgpackReader(payload);
    if (reader.kind() !== 'array') return decodeKvBatch(payload).timeMs;
    const seconds = reader.array() < 2 ? null : numberOrNull(reader);
    return seconds === null ? null : seconds * 1000;
  } catch (error) {
    if (error instanceof KvDecodeError) return null;
    throw error;
  }
}

const ENVELOPE = ['ts', 'events', 'data_parallel_rank'];

function decodeEvents(reader: MsgpackReader, tally: DecodeTally, events: EngineKvEvent[]): void {
  const kind = reader.kind();
  if (kind === 'binary') return decodeEvents(new MsgpackReader(reader.binary()), tally, events);
  if (kind !== 'array') throw new KvDecodeError(`events are a list, not ${kind}`);
  for (let left = reader.array(); left > 0; left--) {
    const event = decodeKvEvent(reader.kind() === 'binary' ? new MsgpackReader(reader.binary()) : reader, tally);
    if (event === null) tally.unknown++;
    else events.push(event);
  }
}

function numberOrNull(reader: MsgpackReader): number | null {
  const kind = reader.kind();
  if (kind === 'integer' || kind === 'float') return reader.number();
  reader.skip();
  return null;
}

function skipped(reader: MsgpackReader): string {
  reader.skip();
  return '';
}
