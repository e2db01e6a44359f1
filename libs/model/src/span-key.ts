/**
 * Keys of spans: `key = H(parent key, span bytes)`, 64 bits as two unsigned 32-bit words (hi, lo), because a JS number
 * cannot hold 64 bits and BigInt is too slow for the walk of a prompt.
 *
 * H is MurmurHash3_x86 mixing over two 32-bit lanes seeded with the parent key (Austin Appleby's public-domain
 * constants). The key (0, 0) is reserved for "none" and never produced.
 */

/** What separates KV that cannot be shared although its text is equal. */
export interface PrefixRoot {
  /** Pool id: the base model with its serving configuration. */
  readonly pool: string;
  /** LoRA adapter name, or null for the base model. */
  readonly lora: string | null;
  /** The request's `cache_salt`, or null. */
  readonly salt: string | null;
}

const C1 = 0x239b961b;
const C2 = 0xab0e9789;

const fmix = (h: number): number => {
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
};

// The array hashed last, and its view: a prompt is hashed span by span, whole words at a time are twice as fast as
// bytes, and making a view costs more than hashing a span.
let viewed: Uint8Array = new Uint8Array(0);
let view = new DataView(viewed.buffer);

/**
 * Key of the span `bytes[start, end)` below `(parentHi, parentLo)`, written to `out[0]` (hi) and `out[1]` (lo).
 * `end` must not exceed `bytes.length`.
 */
export function spanKey(
  parentHi: number,
  parentLo: number,
  bytes: Uint8Array,
  start: number,
  end: number,
  out: Uint32Array,
): void {
  if (bytes !== viewed) {
    viewed = bytes;
    view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }
  const words = view;
  let h1 = parentHi | 0;
  let h2 = parentLo | 0;
  let i = start;
  for (; i + 8 <= end; i += 8) {
    let k1 = words.getInt32(i, true);
    let k2 = words.getInt32(i + 4, true);
    k1 = Math.imul(k1, C1);
    k1 = Math.imul((k1 << 15) | (k1 >>> 17), C2);
    h1 ^= k1;
    h1 = (((h1 << 19) | (h1 >>> 13)) + h2) | 0;
    h1 = (Math.imul(h1, 5) + 0x561ccd1b) | 0;
    k2 = Math.imul(k2, C2);
    k2 = Math.imul((k2 << 16) | (k2 >>> 16), C1);
    h2 ^= k2;
    h2 = (((h2 << 17) | (h2 >>> 15)) + h1) | 0;
    h2 = (Math.imul(h2, 5) + 0x0bcaa747) | 0;
  }
  if (i < end) {
    let k1 = 0;
    let k2 = 0;
    for (let shift = 0; i < end && shift < 32; shift += 8) k1 |= bytes[i++]! << shift;
    for (let shift = 0; i < end; shift += 8) k2 |= bytes[i++]! << shift;
    h1 ^= Math.imul(Math.imul(k1, C1) ^ 0x38b34ae5, C2);
    h2 ^= Math.imul(Math.imul(k2, C2) ^ 0xa1e38b93, C1);
  }
  const length = end - start;
  h1 ^= length;
  h2 ^= length;
  h1 = (h1 + h2) | 0;
  h2 = (h2 + h1) | 0;
  h1 = fmix(h1);
  h2 = fmix(h2);
  h1 = (h1 + h2) | 0;
  h2 = (h2 + h1) | 0;
  out[0] = h1;
  out[1] = h1 === 0 && h2 === 0 ? 1 : h2;
}

/** Key of the root of all prefixes of `root`, written to `out[0]` (hi) and `out[1]` (lo). */
export function rootKey(root: PrefixRoot, out: Uint32Array): void {
  // JSON keeps the fields apart whatever they contain, and null apart from the empty string.
  const text = new TextEncoder().encode(JSON.stringify(['sluice.prefix.v1', root.pool, root.lora, root.salt]));
  spanKey(0, 0, text, 0, text.length, out);
}
