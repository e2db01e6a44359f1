import { RowSets } from './row-sets.ts';

const NONE = -1;

/** Bits of {@link BlockDirectory.holding}. */
export const CONFIRMED = 1;
export const EXPECTED = 2;

/** Words of a record. */
const STRIDE = 4;
/** Where a record has its sets. */
const SAYS = 2;
const EXPECTS = 3;

/**
 * Which workers hold a block, by the block's key: per block the set of rows that confirmed it and the set of rows that
 * are expected to hold it because it was routed there. Open addressing with linear probing over records in one
 * array; removal shifts back. A record is the key (low word first, signed; both words zero: the record is free) and the
 * two {@link RowSets}.
 */
export class BlockDirectory {
  /** Blocks that some row holds. */
  size = 0;
  private readonly sets: RowSets;
  private records: Int32Array;
  private mask = 1023;
  // the rows still on the chain that is matched
  private readonly confirming: Int32Array;
  private readonly having: Int32Array;

  constructor(rows: number) {
    this.sets = new RowSets(rows);
    this.records = new Int32Array((this.mask + 1) * STRIDE);
    this.confirming = new Int32Array((rows + 31) >>> 5);
    this.having = new Int32Array(this.confirming.length);
  }

  /** Whether the row confirmed the block, is expected to hold it, both, or neither (0). */
  holding(row: number, keyHi: number, keyLo: number): number {
    const at = this.find(keyHi, keyLo);
    if (at === NONE) return 0;
    const confirmed = this.sets.has(this.records[at + SAYS]!, row) ? CONFIRMED : 0;
    return this.sets.has(this.records[at + EXPECTS]!, row) ? confirmed | EXPECTED : confirmed;
  }

  /** The row says that it holds the block; false when it had said so. */
  confirm(row: number, keyHi: number, keyLo: number): boolean {
    return this.add(SAYS, row, keyHi, keyLo);
  }

  /** The row says that it holds the block no more. */
  unconfirm(row: number, keyHi: number, keyLo: number): void {
    this.remove(SAYS, row, keyHi, keyLo);
  }

  /** The block was routed to the row; false when it was expected there already. */
  expect(row: number, keyHi: number, keyLo: number): boolean {
    return this.add(EXPECTS, row, keyHi, keyLo);
  }

  /** The row is expected to hold the block no more. */
  unexpect(row: number, keyHi: number, keyLo: number): void {
    this.remove(EXPECTS, row, keyHi, keyLo);
  }

  /** Forgets all that the row said. Linear in the size of the table. */
  unconfirmAll(row: number): void {
    const { records } = this;
    this.records = new Int32Array(records.length);
    this.size = 0;
    for (let from = 0; from < records.length; from += STRIDE) {
      records[from + SAYS] = this.sets.without(records[from + SAYS]!, row);
      if (isHeld(records, from)) this.copy(records, from);
    }
  }

  /**
   * How many of the first `count` blocks of a chain each row of the set `rows` holds without a gap, into two columns:
   * by its own words, and with what it is expected to hold. Other rows are left alone.
   */
  match(keys: Int32Array, count: number, rows: Int32Array, confirmed: Int32Array, held: Int32Array): void {
    const { records, sets, confirming, having } = this;
    const words = confirming.length;
    for (let word = 0; word < words; word++) confirming[word] = having[word] = rows[word]!;
    let block = 0;
    for (let any = true; any && block < count; block++) {
      const at = this.find(keys[2 * block + 1]!, keys[2 * block]!);
      if (at === NONE) break;
      any = false;
      for (let word = 0; word < words; word++) {
        const says = sets.wordOf(records[at + SAYS]!, word);
        const has = says | sets.wordOf(records[at + EXPECTS]!, word);
        writeRows(confirmed, word, confirming[word]! & ~says, block);
        writeRows(held, word, having[word]! & ~has, block);
        confirming[word]! &= says;
        having[word]! &= has;
        any ||= having[word] !== 0;
      }
    }
    for (let word = 0; word < words; word++) {
      writeRows(confirmed, word, confirming[word]!, block);
      writeRows(held, word, having[word]!, block);
    }
  }

  private find(keyHi: number, keyLo: number): number {
    const { records, mask } = this;
    for (let slot = keyLo & mask; ; slot = (slot + 1) & mask) {
      const at = slot * STRIDE;
      const slotLo = records[at]!;
      const slotHi = records[at + 1]!;
      if (slotLo === keyLo && slotHi === keyHi) return at;
      if ((slotLo | slotHi) === 0) return NONE;
    }
  }

  private add(kind: number, row: number, keyHi: number, keyLo: number): boolean {
    let at = this.find(keyHi, keyLo);
    if (at === NONE) {
      if (3 * ++this.size > 2 * this.mask) this.grow();
      at = this.freeFor(keyLo);
      this.records[at] = keyLo;
      this.records[at + 1] = keyHi;
    }
    const set = this.records[at + kind]!;
    if (this.sets.has(set, row)) return false;
    this.records[at + kind] = this.sets.with(set, row);
    return true;
  }

  private remove(kind: number, row: number, keyHi: number, keyLo: number): void {
    const at = this.find(keyHi, keyLo);
    if (at === NONE) return;
    this.records[at + kind] = this.sets.without(this.records[at + kind]!, row);
    if (!isHeld(this.records, at)) this.close(at / STRIDE);
  }

  /** Frees a slot, moving later records of the same run of slots forward. */
  private close(gap: number): void {
    const { records, mask } = this;
    this.size--;
    for (let slot = (gap + 1) & mask; ; slot = (slot + 1) & mask) {
      const from = slot * STRIDE;
      if ((records[from]! | records[from + 1]!) === 0) break;
      if (((slot - records[from]!) & mask) < ((slot - gap) & mask)) continue;
      for (let i = 0; i < STRIDE; i++) records[gap * STRIDE + i] = records[from + i]!;
      gap = slot;
    }
    for (let i = 0; i < STRIDE; i++) records[gap * STRIDE + i] = 0;
  }

  /** Place of the first free slot for a key. */
  private freeFor(keyLo: number): number {
    const { records, mask } = this;
    let slot = keyLo & mask;
    while ((records[slot * STRIDE]! | records[slot * STRIDE + 1]!) !== 0) slot = (slot + 1) & mask;
    return slot * STRIDE;
  }

  private grow(): void {
    const old = this.records;
    this.mask = 2 * this.mask + 1;
    this.records = new Int32Array((this.mask + 1) * STRIDE);
    const { size } = this;
    for (let from = 0; from < old.length; from += STRIDE) {
      if ((old[from]! | old[from + 1]!) !== 0) this.copy(old, from);
    }
    this.size = size;
  }

  /** Enters a record of an older array. */
  private copy(records: Int32Array, from: number): void {
    this.size++;
    const at = this.freeFor(records[from]!);
    for (let i = 0; i < STRIDE; i++) this.records[at + i] = records[from + i]!;
  }
}

const isHeld = (records: Int32Array, at: number): boolean => (records[at + SAYS]! | records[at + EXPECTS]!) !== 0;

/** Writes `value` for the rows of one word of a set. */
function writeRows(column: Int32Array, word: number, rows: number, value: number): void {
  for (let bits = rows; bits !== 0; bits &= bits - 1) column[32 * word + 31 - Math.clz32(bits & -bits)] = value;
}
