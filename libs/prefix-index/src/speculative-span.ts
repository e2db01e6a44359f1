/** Bytes of the shortest speculative span: about a block of 16 tokens. */
const SHORTEST_SPAN_BYTES = 64;
/** Spans of a worker without events grow to this part of what lies before them. */
const GROWTH = 64;
/** Further than events by less than this, speculation says nothing more: blocks end here and there between its spans. */
const AHEAD_BYTES = 16 * SHORTEST_SPAN_BYTES;

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

/**
 * Whether a prompt is entered below what events confirmed, although what is speculated from the root on leads further. Before
 * its events come, a prompt is a chain of spans from the root; afterwards a chain of blocks lies beside it. Requests that
 * went on along the spans would keep them for as long as there is always one of them in flight, as with a system prompt.
 */
export function goesOnFromConfirmed(confirmedBytes: number, speculatedBytes: number): boolean {
  return confirmedBytes > 0 && speculatedBytes - confirmedBytes < AHEAD_BYTES;
}
