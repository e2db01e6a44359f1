import { randomFillSync } from 'node:crypto';

const TRACE_BYTES = 16;
const SPAN_BYTES = 8;
/** Random numbers are drawn for many ids at once: a draw costs a hundred times what an id does. */
const pool = Buffer.allocUnsafe(SPAN_BYTES * 1024);
let at = pool.length;

function hex(bytes: number): string {
  if (at + bytes > pool.length) {
    randomFillSync(pool);
    at = 0;
  }
  const from = at;
  at += bytes;
  return pool.toString('hex', from, at);
}

/** Of a new trace: 32 hexadecimal digits, all of them random. */
export const newTraceId = (): string => hex(TRACE_BYTES);

/** Of a new span: 16 hexadecimal digits. */
export const newSpanId = (): string => hex(SPAN_BYTES);
