/**
 * FNV-1a over UTF-16 units, an unsigned 32-bit integer: stable across processes and releases, which is all that a hash of
 * a session or of a worker's id needs. Neighbouring texts have neighbouring hashes: mix before comparing. On ASCII it
 * is the published function over bytes.
 */
export function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
