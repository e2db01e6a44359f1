/** Bytes of the shortest speculative span: about a block of 16 tokens. */
const SHORTEST_SPAN_BYTES = 64;
/** Spans of a worker without events grow to this part of what lies before them. */
const GROWTH = 64;

/**
 * Bytes of the speculative span that starts `at` bytes into a prompt. Where events count blocks, spans are short
 * throughout. Where speculation is all there is, tokens are estimated from bytes anyway, and spans grow with the depth:
 * a prompt of 220 KB is 358 spans instead of 3,520, and a common prefix is known to within 1/64 of its length. What
 * follows a place depends on the place alone, so that prompts with a common prefix are cut alike.
 */
export function speculativeSpanBytes(at: number, sendsEvents: boolean): number {
  if (sendsEvents) return SHORTEST_SPAN_BYTES;
  return Math.max(1, Math.floor(at / (GROWTH * SHORTEST_SPAN_BYTES))) * SHORTEST_SPAN_BYTES;
}
