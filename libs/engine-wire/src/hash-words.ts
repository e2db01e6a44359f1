/**
 * The hashes as 32-bit words: `words[2 * i]` is the low and `words[2 * i + 1]` the high half of hash `i`. A view, not a
 * copy; with it a hash need not become a BigInt. Every platform that Node's prebuilt binaries serve is little-endian.
 */
export const hashWords = (hashes: BigUint64Array): Uint32Array =>
  new Uint32Array(hashes.buffer, hashes.byteOffset, hashes.length * 2);
