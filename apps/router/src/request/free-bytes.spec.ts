import { describe, expect, it } from '@jest/globals';
import { freeBytes } from './free-bytes.ts';

const KB = 1024;

describe('freeBytes', () => {
  it('empties long bytes', () => {
    const bytes = new Uint8Array(64 * KB);
    const view = Buffer.from(bytes.buffer);
    freeBytes(bytes);
    expect([bytes.length, view.length, bytes.buffer.byteLength]).toEqual([0, 0, 0]);
  });

  it('leaves alone what is short, and what shares its memory with others', () => {
    const [short, whole, shared] = [Buffer.from('short'), new Uint8Array(64 * KB), new SharedArrayBuffer(64 * KB)];
    const part = whole.subarray(1);
    for (const bytes of [short, part, new Uint8Array(shared)]) freeBytes(bytes);
    expect([short.toString(), part.length, whole.length, shared.byteLength]).toEqual([
      'short',
      64 * KB - 1,
      64 * KB,
      64 * KB,
    ]);
  });
});
