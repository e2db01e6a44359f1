const LF = 0x0a;
const CR = 0x0d;
/** An event longer than this is passed on in pieces rather than held. */
const MAX_HELD_BYTES = 256 * 1024;

/**
 * Cuts a byte stream at event boundaries: every buffer it hands on ends with a whole Server-Sent Event, in order and
 * byte for byte what came in. A client cannot use half an event, and an error event can follow only a whole one, so an
 * unfinished event waits here for its end. Engines write one event per chunk: as a rule nothing waits or is copied.
 * Lines may end in LF, CRLF or CR (HTML standard, 9.2.6).
 */
export class SseFramer {
  #held: Buffer | null = null;
  #cut = false;

  /** The bytes of an event that has begun and not ended. */
  get held(): Buffer | null {
    return this.#held;
  }

  /** Whether the beginning of an event was handed on whose end was not: nothing well-formed can follow. */
  get isCut(): boolean {
    return this.#cut;
  }

  /** Bytes that may be passed on, or null when no event is complete yet. */
  push(chunk: Buffer): Buffer | null {
    if (chunk.length === 0) return null;
    const data = this.#held === null ? chunk : Buffer.concat([this.#held, chunk]);
    // What was held has no end of an event but one that its last two bytes begin.
    const end = endOfLastEvent(data, data.length - chunk.length - 2);
    if (end === data.length || data.length - end > MAX_HELD_BYTES) {
      this.#held = null;
      this.#cut = end < data.length;
      return data;
    }
    if (end === 0) {
      this.#held = data;
      return null;
    }
    this.#held = data.subarray(end);
    this.#cut = false;
    return data.subarray(0, end);
  }
}

/** Offset just behind the last blank line that begins at `from` or behind, 0 when there is none. */
function endOfLastEvent(data: Buffer, from: number): number {
  const n = data.length;
  for (let at = n - 1; at > 0 && at > from; at--) {
    const byte = data[at];
    if (byte !== LF && byte !== CR) continue;
    const before = data[at - 1];
    // CR LF is one end of a line.
    if ((before !== LF && before !== CR) || (before === CR && byte === LF)) continue;
    if (byte === LF || before === CR) return endBehind(data, at);
    // LF CR: where lines end in CR LF, the LF of the blank line is to come.
    if (at + 1 < n) return endBehind(data, at);
  }
  return 0;
}

/** Offset behind the end of a line whose first byte is at `at`. */
const endBehind = (data: Buffer, at: number): number => (data[at] === CR && data[at + 1] === LF ? at + 2 : at + 1);
