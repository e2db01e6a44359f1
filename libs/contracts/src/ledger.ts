import { IN_FLIGHT_COUNTS } from '@sluice/model';
import type { InFlight, LedgerMessage, LedgerRow, WorkerId } from '@sluice/model';
import { defineDatagram } from './subject.ts';

/**
 * What a router has in flight on the workers of one pool: `ledger.v1.<pool>`, little-endian, ids in ASCII.
 *
 * header  u8 version | u8 kind | u8 bytes of the router's id | u8 0 | u32 rows | f64 epoch | f64 seq | f64 sentAtMs | router
 * row     u8 bytes of the worker's id | worker | u32 each: requests, queuedPrefillTokens, decodes, decodeContextTokens, heldKvTokens, growthTokens
 */
export const ledgerMessages = defineDatagram('ledger.v1', ['pool']);

export const LEDGER_VERSION = 1;
const HEADER_BYTES = 32;
const COUNTS_BYTES = IN_FLIGHT_COUNTS.length * 4;
const KINDS = ['changes', 'state', 'leave'] as const satisfies readonly LedgerMessage['kind'][];
const MOST = 0xffffffff;
const ID = /^[A-Za-z0-9][A-Za-z0-9_-]*$/;

/** Encodes a message. Counts beyond 2^32 - 1 are sent as that. @throws RangeError for an id of more than 255 bytes (a bug). */
export function encodeLedgerMessage(message: LedgerMessage): Uint8Array {
  const { kind, router, epoch, seq, sentAtMs, rows } = message;
  let size = HEADER_BYTES + router.length;
  for (const { worker } of rows) size += 1 + worker.length + COUNTS_BYTES;
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, LEDGER_VERSION);
  view.setUint8(1, KINDS.indexOf(kind) + 1);
  view.setUint32(4, rows.length, true);
  view.setFloat64(8, epoch, true);
  view.setFloat64(16, seq, true);
  view.setFloat64(24, sentAtMs, true);
  let at = writeId(bytes, 2, HEADER_BYTES, router);
  for (const { worker, inFlight } of rows) {
    at = writeId(bytes, at, at + 1, worker);
    for (const name of IN_FLIGHT_COUNTS) {
      view.setUint32(at, Math.min(MOST, inFlight[name]), true);
      at += 4;
    }
  }
  return bytes;
}

/** @throws RangeError when the bytes are no message of this version, are cut short or too long. */
export function decodeLedgerMessage(bytes: Uint8Array): LedgerMessage {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < HEADER_BYTES) throw new RangeError(`ledger message of ${bytes.length} bytes is cut short`);
  if (view.getUint8(0) !== LEDGER_VERSION) {
    throw new RangeError(`ledger message version ${view.getUint8(0)} is not ${LEDGER_VERSION}`);
  }
  const kind = KINDS[view.getUint8(1) - 1];
  if (kind === undefined) throw new RangeError(`ledger message of unknown kind ${view.getUint8(1)}`);
  const router = readId(bytes, 2, HEADER_BYTES);
  const rows: LedgerRow[] = [];
  let at = HEADER_BYTES + router.length;
  for (let left = view.getUint32(4, true); left > 0; left--) {
    const worker = at < bytes.length ? readId(bytes, at, at + 1) : '';
    at += 1 + worker.length;
    if (at + COUNTS_BYTES > bytes.length) throw new RangeError(`ledger message is cut short by ${left} rows`);
    rows.push({ worker: worker as WorkerId, inFlight: readCounts(view, at) });
    at += COUNTS_BYTES;
  }
  if (at !== bytes.length) throw new RangeError(`ledger message has ${bytes.length - at} bytes too many`);
  const epoch = view.getFloat64(8, true);
  return { kind, router, epoch, seq: view.getFloat64(16, true), sentAtMs: view.getFloat64(24, true), rows };
}

const readCounts = (view: DataView, at: number): InFlight => ({
  requests: view.getUint32(at, true),
  queuedPrefillTokens: view.getUint32(at + 4, true),
  decodes: view.getUint32(at + 8, true),
  decodeContextTokens: view.getUint32(at + 12, true),
  heldKvTokens: view.getUint32(at + 16, true),
  growthTokens: view.getUint32(at + 20, true),
});

/** Writes the length of `id` at `lengthAt` and its text at `at`; returns where it ends. */
function writeId(bytes: Uint8Array, lengthAt: number, at: number, id: string): number {
  if (id.length > 255) throw new RangeError(`id '${id}' is too long for a ledger message`);
  bytes[lengthAt] = id.length;
  for (let i = 0; i < id.length; i++) bytes[at + i] = id.charCodeAt(i);
  return at + id.length;
}

function readId(bytes: Uint8Array, lengthAt: number, at: number): string {
  const id = String.fromCharCode(...bytes.subarray(at, at + bytes[lengthAt]!));
  if (!ID.test(id)) throw new RangeError(`'${id}' in a ledger message is no id`);
  return id;
}
