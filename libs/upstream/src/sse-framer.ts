const LF = 0x0a;
const CR = 0x0d;
const BLANK_LF = Buffer.from('\n\n');
const BLANK_CRLF = Buffer.from('\r\n\r\n');
/** An event longer than this is passed on in pieces rather than held. */
const MAX_HELD_BYTES = 256 * 1024;

/**
 * Cuts a byte stream at event boundaries: every buffer it hands on ends with a whole Server-Sent Event, in order and
 * byte for byte what came in. A client cannot use half an event, and an error event can follow only a whole one, so an
 * unfinished event waits here for its end. Engines write one event per chunk: as a rule nothing waits or is copied.
 */
export class SseFramer {
  #held: Buffer | null = null;

  /** The bytes of an event that has begun and not ended. */
  get held(): Buffer | null {
    return this.#held;
  }

  /** Bytes that may be passed on, or null when no event is complete yet. */
  push(chunk: Buffer): Buffer | null {
    const data = this.#held === null ? chunk : Buffer.concat([this.#held, chunk]);
    const end = endOfLastEvent(data);
    if (end === data.length || data.length - end > MAX_HELD_BYTES) {
      this.#held = null;
      return data;
    }
    if (end === 0) {
      this.#held = data;
      return null;
    }
    this.#held = data.subarray(end);
    return data.subarray(0, end);
  }
}

/** Offset just behind the last blank line, 0 when there is none. */
function endOfLastEvent(data: Buffer): number {
  const n = data.length;
  if (n >= 2 && data[n - 1] === LF && (data[n - 2] === LF || (n >= 4 && data[n - 2] === CR && data[n - 3] === LF))) {
    return n;
  }
  const lf = data.lastIndexOf(BLANK_LF);
  const crlf = data.lastIndexOf(BLANK_CRLF);
  return Math.max(lf < 0 ? 0 : lf + 2, crlf < 0 ? 0 : crlf + 4);
}
