/** Below this the collector is as cheap. */
const MIN_BYTES = 16 * 1024;

/**
 * Frees the memory of `bytes` now. Left to the garbage collector, the memory of a few dozen long requests makes it look
 * through everything that the process has, which costs more than all else that a long request does here.
 *
 * Nobody may need the bytes any more, nor may the kernel have been given them: they are empty from here on.
 */
export function freeBytes(bytes: Uint8Array): void {
  const { buffer } = bytes;
  if (bytes.length < MIN_BYTES || bytes.length < buffer.byteLength || !(buffer instanceof ArrayBuffer)) return;
  buffer.transfer(0);
}
