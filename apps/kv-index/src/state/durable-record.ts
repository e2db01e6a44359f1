import type { BlockRecord } from '@sluice/prefix-index';

/** Field of a worker's map that holds its {@link DurableHeader}; block fields are 16 hex digits. */
export const HEADER_FIELD = '@';
const HEADER_BYTES = 16;
const BLOCK_BYTES = 16;
const VERSION = 1;

/** Where in the worker's history the map is. */
export interface DurableHeader {
  readonly epoch: number;
  readonly seq: number;
  readonly incomplete: boolean;
}

/** Key of a block as 16 hex digits. */
export const keyText = (hi: number, lo: number): string =>
  (hi >>> 0).toString(16).padStart(8, '0') + (lo >>> 0).toString(16).padStart(8, '0');

export const keyHi = (text: string): number => Number.parseInt(text.slice(0, 8), 16);
export const keyLo = (text: string): number => Number.parseInt(text.slice(8), 16);

/** `u8 version | u8 incomplete | u16 0 | u32 seq | f64 epoch`, little-endian. */
export function encodeHeader(header: DurableHeader): Uint8Array {
  const view = new DataView(new ArrayBuffer(HEADER_BYTES));
  view.setUint8(0, VERSION);
  view.setUint8(1, header.incomplete ? 1 : 0);
  view.setUint32(4, header.seq, true);
  view.setFloat64(8, header.epoch, true);
  return new Uint8Array(view.buffer);
}

/** Null when the bytes are no header of this version. */
export function decodeHeader(bytes: Uint8Array): DurableHeader | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length !== HEADER_BYTES || view.getUint8(0) !== VERSION) return null;
  return { incomplete: view.getUint8(1) === 1, seq: view.getUint32(4, true), epoch: view.getFloat64(8, true) };
}

/** `u32 parentHi | u32 parentLo | u32 spanBytes | u16 tokens | u8 tiers | u8 0`, little-endian. */
export function encodeBlock(block: Readonly<BlockRecord>): Uint8Array {
  const view = new DataView(new ArrayBuffer(BLOCK_BYTES));
  view.setUint32(0, block.parentHi, true);
  view.setUint32(4, block.parentLo, true);
  view.setUint32(8, block.spanBytes, true);
  view.setUint16(12, block.tokens, true);
  view.setUint8(14, block.tiers);
  return new Uint8Array(view.buffer);
}

/** Null when the bytes are no block. */
export function decodeBlock(bytes: Uint8Array): BlockRecord | null {
  if (bytes.length !== BLOCK_BYTES) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return {
    parentHi: view.getUint32(0, true),
    parentLo: view.getUint32(4, true),
    spanBytes: view.getUint32(8, true),
    tokens: view.getUint16(12, true),
    tiers: view.getUint8(14),
  };
}
