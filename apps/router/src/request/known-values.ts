/** Bytes at the start of a text by which it is looked up. */
const HEAD_BYTES = 256;
/** Every so many of them four are looked at. */
const HEAD_STEP = 20;
/** Texts kept that start alike. */
const MAX_ALIKE = 8;
/** Texts remembered as seen once. */
const MAX_SEEN_ONCE = 8192;

interface Known {
  readonly head: number;
  readonly text: Buffer;
  readonly value: unknown;
}

/**
 * JSON texts that came more than once, with the values they parse to. A text is known by its bytes, all of which are
 * compared: a JSON object or array ends where it ends, so whatever starts with the bytes of one starts with that one.
 * Bounded by bytes of text (values take about as much again); the least recently used go first.
 */
export class KnownValues {
  /** Shortest text worth being known. */
  static readonly MIN_BYTES = 1024;
  readonly maxBytes: number;
  heldBytes = 0;
  /** Texts that went because others needed their bytes. */
  evicted = 0;
  /** Oldest use first. */
  readonly #all = new Set<Known>();
  readonly #byHead = new Map<number, Known[]>();
  #seenOnce = new Set<number>();

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  /** The known text that stands at `start`, null when it is none. */
  find(bytes: Buffer, start: number): { readonly value: unknown; readonly end: number } | null {
    if (start + KnownValues.MIN_BYTES > bytes.length) return null;
    for (const known of this.#byHead.get(this.#headOf(bytes, start, 0)) ?? []) {
      const end = start + known.text.length;
      if (end > bytes.length || known.text.compare(bytes, start, end) !== 0) continue;
      this.#all.delete(known);
      this.#all.add(known);
      return { value: known.value, end };
    }
    return null;
  }

  /**
   * The object or array written in [start, end) was parsed. When it comes for the second time it is kept, and frozen,
   * because several requests will have it.
   */
  parsed(bytes: Buffer, start: number, end: number, value: unknown): void {
    const length = end - start;
    if (length < KnownValues.MIN_BYTES || length > this.maxBytes || typeof value !== 'object') return;
    const sight = this.#headOf(bytes, start, length);
    if (!this.#seenOnce.delete(sight)) {
      if (this.#seenOnce.size >= MAX_SEEN_ONCE) this.#seenOnce.clear();
      this.#seenOnce.add(sight);
      return;
    }
    const head = this.#headOf(bytes, start, 0);
    const alike = this.#byHead.get(head) ?? [];
    if (alike.length >= MAX_ALIKE) this.#drop(alike[0]!);
    const known = { head, text: Buffer.from(bytes.subarray(start, end)), value: frozen(value) };
    this.#byHead.set(head, [...(this.#byHead.get(head) ?? []), known]);
    this.#all.add(known);
    this.heldBytes += length;
    for (const oldest of this.#all) {
      if (this.heldBytes <= this.maxBytes) break;
      this.#drop(oldest);
      this.evicted++;
    }
  }

  #drop(known: Known): void {
    this.#all.delete(known);
    this.heldBytes -= known.text.length;
    const alike = this.#byHead.get(known.head)!.filter((one) => one !== known);
    if (alike.length === 0) this.#byHead.delete(known.head);
    else this.#byHead.set(known.head, alike);
  }

  /** Of some of the text's first bytes and `length`: every message is asked about, and most are short. */
  #headOf(bytes: Buffer, start: number, length: number): number {
    let head = length;
    for (let at = start; at < start + HEAD_BYTES; at += HEAD_STEP)
      head = Math.imul(head ^ bytes.readInt32LE(at), 0x9e3779b1) ^ (head >>> 15);
    return head;
  }
}

function frozen(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  for (const member of Object.values(value)) frozen(member);
  return Object.freeze(value);
}
