import type { BlockChangeSink } from '@sluice/model';
import { defineStream } from './subject.ts';

/**
 * Normalised KV deltas of one worker: `kv.v1.<pool>.<worker>`, little-endian, 32-byte header and 24 bytes per operation.
 *
 * header  u8 version | u8 flags | u16 0 | u32 operations | f64 epoch | u32 seq | u32 0 | f64 engineTimeMs
 * op      u8 kind | u8 tier | u16 tokens | u32 spanBytes | u32 keyHi | u32 keyLo | u32 parentHi | u32 parentLo
 *
 * `epoch` (milliseconds, larger is newer) names one continuous history of the worker; `seq` counts its batches from 0.
 * A batch with BEGIN opens an epoch: the receiver forgets the worker first. A missing seq means a lost batch: the
 * receiver must ask for a resync and must not believe what it has until then.
 */
export const kvDeltas = defineStream('kv.v1', ['pool', 'worker']);

export const KV_BATCH_VERSION = 1;
export const KV_BATCH_HEADER_BYTES = 32;
export const KV_OP_BYTES = 24;

export const KvFlag = {
  /** First batch of an epoch. */
  BEGIN: 1,
  /** History before this epoch is only partly known: blocks may be missing, none is invented. */
  INCOMPLETE: 2,
} as const;

export const KvOp = { STORE: 1, REMOVE: 2, CLEAR: 3 } as const;

export interface KvBatchHeader {
  readonly flags: number;
  readonly operations: number;
  readonly epoch: number;
  readonly seq: number;
  /** The engine's clock when it sent the events, milliseconds since the Unix epoch; 0 when unknown. */
  readonly engineTimeMs: number;
}

/** Receives the operations of a batch in order. */
export type KvBatchSink = BlockChangeSink;

/** Collects operations and encodes them; reusable after {@link KvBatchWriter.finish}. */
export class KvBatchWriter {
  #view = new DataView(new ArrayBuffer(KV_BATCH_HEADER_BYTES + 64 * KV_OP_BYTES));
  #operations = 0;

  get operations(): number {
    return this.#operations;
  }

  store(
    tier: number,
    keyHi: number,
    keyLo: number,
    parentHi: number,
    parentLo: number,
    spanBytes: number,
    tokens: number,
  ): void {
    const at = this.#next(KvOp.STORE, tier);
    const view = this.#view;
    view.setUint16(at + 2, tokens, true);
    view.setUint32(at + 4, spanBytes, true);
    view.setUint32(at + 8, keyHi, true);
    view.setUint32(at + 12, keyLo, true);
    view.setUint32(at + 16, parentHi, true);
    view.setUint32(at + 20, parentLo, true);
  }

  remove(tier: number, keyHi: number, keyLo: number): void {
    const at = this.#next(KvOp.REMOVE, tier);
    this.#view.setUint32(at + 8, keyHi, true);
    this.#view.setUint32(at + 12, keyLo, true);
  }

  clear(tier: number): void {
    this.#next(KvOp.CLEAR, tier);
  }

  /** The encoded batch (a fresh buffer); the writer is empty afterwards. */
  finish(header: Omit<KvBatchHeader, 'operations'>): Uint8Array {
    const bytes = new Uint8Array(this.#view.buffer.slice(0, KV_BATCH_HEADER_BYTES + this.#operations * KV_OP_BYTES));
    const view = new DataView(bytes.buffer);
    view.setUint8(0, KV_BATCH_VERSION);
    view.setUint8(1, header.flags);
    view.setUint32(4, this.#operations, true);
    view.setFloat64(8, header.epoch, true);
    view.setUint32(16, header.seq, true);
    view.setFloat64(24, header.engineTimeMs, true);
    this.#operations = 0;
    return bytes;
  }

  #next(kind: number, tier: number): number {
    const at = KV_BATCH_HEADER_BYTES + this.#operations * KV_OP_BYTES;
    if (at + KV_OP_BYTES > this.#view.byteLength) {
      const larger = new Uint8Array(this.#view.byteLength * 2);
      larger.set(new Uint8Array(this.#view.buffer));
      this.#view = new DataView(larger.buffer);
    }
    for (let offset = 0; offset < KV_OP_BYTES; offset += 4) this.#view.setUint32(at + offset, 0);
    this.#view.setUint8(at, kind);
    this.#view.setUint8(at + 1, tier);
    this.#operations++;
    return at;
  }
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/**
 * Header of an encoded batch.
 * @throws RangeError when the bytes are no batch of this version or are cut short.
 */
export function readKvBatchHeader(bytes: Uint8Array): KvBatchHeader {
  if (bytes.length < KV_BATCH_HEADER_BYTES)
    throw new RangeError(`KV batch of ${bytes.length} bytes is shorter than its header`);
  const view = viewOf(bytes);
  if (view.getUint8(0) !== KV_BATCH_VERSION)
    throw new RangeError(`KV batch version ${view.getUint8(0)} is not ${KV_BATCH_VERSION}`);
  const operations = view.getUint32(4, true);
  if (bytes.length !== KV_BATCH_HEADER_BYTES + operations * KV_OP_BYTES) {
    throw new RangeError(`KV batch of ${bytes.length} bytes does not hold ${operations} operations`);
  }
  return {
    flags: view.getUint8(1),
    operations,
    epoch: view.getFloat64(8, true),
    seq: view.getUint32(16, true),
    engineTimeMs: view.getFloat64(24, true),
  };
}

/**
 * Hands every operation of an encoded batch to `sink`.
 * @throws RangeError as {@link readKvBatchHeader}, and for an unknown kind of operation, before anything was handed over.
 */
export function readKvBatch(bytes: Uint8Array, sink: KvBatchSink): KvBatchHeader {
  const header = readKvBatchHeader(bytes);
  const view = viewOf(bytes);
  for (let i = 0, at = KV_BATCH_HEADER_BYTES; i < header.operations; i++, at += KV_OP_BYTES) {
    const kind = view.getUint8(at);
    if (kind < KvOp.STORE || kind > KvOp.CLEAR)
      throw new RangeError(`KV batch has an operation of unknown kind ${kind}`);
  }
  for (let i = 0, at = KV_BATCH_HEADER_BYTES; i < header.operations; i++, at += KV_OP_BYTES) {
    const kind = view.getUint8(at);
    const tier = view.getUint8(at + 1);
    const keyHi = view.getUint32(at + 8, true);
    const keyLo = view.getUint32(at + 12, true);
    if (kind === KvOp.STORE) {
      const parentHi = view.getUint32(at + 16, true);
      const parentLo = view.getUint32(at + 20, true);
      sink.store(tier, keyHi, keyLo, parentHi, parentLo, view.getUint32(at + 4, true), view.getUint16(at + 2, true));
    } else if (kind === KvOp.REMOVE) sink.remove(tier, keyHi, keyLo);
    else sink.clear(tier);
  }
  return header;
}
