import { NODE_WORDS, SPAN_BYTES, SPECULATIVE } from './node-table.ts';
import type { NodeTable } from './node-table.ts';
import type { SpeculationId } from './types.ts';

interface Speculation {
  readonly row: number;
  /** Entries from the root towards the end of the prompt. */
  readonly entries: number[];
  readonly expiresAtMs: number;
}

/** Entries of one worker. */
interface Account {
  /** Bytes that a worker without events may hold; null: the worker sends events. */
  capacityBytes: number | null;
  bytes: number;
  /** Ends of the list of settled entries that nothing in flight counts on. */
  oldest: number;
  newest: number;
}

const FIRST_ENTRIES = 64;

/**
 * Speculative holdings: one entry per (row, node), counted by the speculations in flight that cover it. On a worker
 * with a capacity, entries of computed prompts settle and form a list by last use. A prompt's entries join it from its
 * end to its start, so the least recently used entry never has one below it.
 */
export class Speculations {
  /** Entries of all rows. */
  size = 0;
  readonly #table: NodeTable;
  readonly #live = new Map<SpeculationId, Speculation>();
  readonly #accounts: Account[] = [];
  #nextId: SpeculationId = 1;
  #earliestExpiryMs = Infinity;

  // columns by entry; entry 0 is none
  #node = new Uint32Array(FIRST_ENTRIES);
  #row = new Uint32Array(FIRST_ENTRIES);
  #refs = new Uint32Array(FIRST_ENTRIES);
  #settled = new Uint8Array(FIRST_ENTRIES);
  #older = new Uint32Array(FIRST_ENTRIES);
  /** Towards the newest; of a free entry, the next free one. */
  #newer = new Uint32Array(FIRST_ENTRIES);
  #end = 1;
  #firstFree = 0;
  #slots = new Uint32Array(2 * FIRST_ENTRIES);

  constructor(table: NodeTable) {
    this.#table = table;
  }

  get bytes(): number {
    return this.#node.length * (5 * 4 + 1) + this.#slots.byteLength;
  }

  open(row: number): void {
    this.#accounts[row] = { capacityBytes: null, bytes: 0, oldest: 0, newest: 0 };
  }

  setCapacity(row: number, bytes: number | null): void {
    this.#accounts[row]!.capacityBytes = bytes;
    this.shrink(row);
  }

  begin(row: number, expiresAtMs: number): SpeculationId {
    const id = this.#nextId++;
    this.#live.set(id, { row, entries: [], expiresAtMs });
    this.#earliestExpiryMs = Math.min(this.#earliestExpiryMs, expiresAtMs);
    return id;
  }

  /** The row holds the node until the speculation ends. Called from the root to the end of the prompt. */
  cover(id: SpeculationId, node: number): void {
    const { row, entries } = this.#live.get(id)!;
    const entry = this.#find(row, node) || this.#insert(row, node);
    if (this.#refs[entry]!++ === 0 && this.#settled[entry] === 1) this.#unlist(row, entry);
    entries.push(entry);
  }

  /** Ends a speculation; unknown ids (ended already, or the worker was cleared) are ignored. */
  finish(id: SpeculationId, computed: boolean): void {
    const speculation = this.#live.get(id);
    if (speculation === undefined) return;
    this.#live.delete(id);
    const { row, entries } = speculation;
    const settles = computed && this.#accounts[row]!.capacityBytes !== null;
    for (let i = entries.length - 1; i >= 0; i--) {
      const entry = entries[i]!;
      if (settles) this.#settled[entry] = 1;
      if (--this.#refs[entry]! > 0) continue;
      if (this.#settled[entry] === 1) this.#listAsNewest(row, entry);
      else this.#drop(entry);
    }
    this.shrink(row);
  }

  expire(nowMs: number): void {
    if (nowMs < this.#earliestExpiryMs) return;
    this.#earliestExpiryMs = Infinity;
    for (const [id, { expiresAtMs }] of this.#live) {
      if (expiresAtMs <= nowMs) this.finish(id, true);
      else this.#earliestExpiryMs = Math.min(this.#earliestExpiryMs, expiresAtMs);
    }
  }

  /** Drops everything of the row. Linear in the row's entries and the speculations in flight. */
  clear(row: number): void {
    for (const [id, speculation] of this.#live) {
      if (speculation.row !== row) continue;
      this.#live.delete(id);
      for (const entry of speculation.entries) {
        if (--this.#refs[entry]! > 0) continue;
        if (this.#settled[entry] === 1) this.#listAsNewest(row, entry);
        else this.#drop(entry);
      }
    }
    this.#shrinkTo(row, -1);
  }

  /** Drops the least recently used entries that exceed the row's capacity and that nothing in flight counts on. */
  shrink(row: number): void {
    this.#shrinkTo(row, this.#accounts[row]!.capacityBytes ?? 0);
  }

  #shrinkTo(row: number, bytes: number): void {
    const account = this.#accounts[row]!;
    while (account.bytes > bytes && account.oldest !== 0) {
      const entry = account.oldest;
      this.#unlist(row, entry);
      this.#drop(entry);
    }
  }

  #listAsNewest(row: number, entry: number): void {
    const account = this.#accounts[row]!;
    this.#older[entry] = account.newest;
    this.#newer[entry] = 0;
    if (account.newest !== 0) this.#newer[account.newest] = entry;
    else account.oldest = entry;
    account.newest = entry;
  }

  #unlist(row: number, entry: number): void {
    const account = this.#accounts[row]!;
    const older = this.#older[entry]!;
    const newer = this.#newer[entry]!;
    if (older !== 0) this.#newer[older] = newer;
    else account.oldest = newer;
    if (newer !== 0) this.#older[newer] = older;
    else account.newest = older;
  }

  #insert(row: number, node: number): number {
    let entry = this.#firstFree;
    if (entry !== 0) this.#firstFree = this.#newer[entry]!;
    else {
      entry = this.#end++;
      if (this.#end > this.#node.length) this.#growColumns();
    }
    this.#node[entry] = node;
    this.#row[entry] = row;
    this.#refs[entry] = 0;
    this.#settled[entry] = 0;
    this.size++;
    if (this.size * 3 > this.#slots.length * 2) this.#growSlots();
    this.#place(entry);
    this.#table.hold(node, row, SPECULATIVE);
    this.#accounts[row]!.bytes += this.#spanBytes(node);
    return entry;
  }

  #drop(entry: number): void {
    const node = this.#node[entry]!;
    const row = this.#row[entry]!;
    this.#accounts[row]!.bytes -= this.#spanBytes(node);
    this.#erase(entry);
    this.#newer[entry] = this.#firstFree;
    this.#firstFree = entry;
    this.size--;
    this.#table.release(node, row, SPECULATIVE);
  }

  #spanBytes(node: number): number {
    return this.#table.words[node * NODE_WORDS + SPAN_BYTES]!;
  }

  // open addressing by (row, node), linear probing

  #home(row: number, node: number): number {
    const h = Math.imul(node, 0x9e3779b1) ^ Math.imul(row + 1, 0x85ebca6b);
    return (h ^ (h >>> 15)) & (this.#slots.length - 1);
  }

  #find(row: number, node: number): number {
    const mask = this.#slots.length - 1;
    for (let slot = this.#home(row, node); ; slot = (slot + 1) & mask) {
      const entry = this.#slots[slot]!;
      if (entry === 0 || (this.#node[entry] === node && this.#row[entry] === row)) return entry;
    }
  }

  #place(entry: number): void {
    const mask = this.#slots.length - 1;
    let slot = this.#home(this.#row[entry]!, this.#node[entry]!);
    while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
    this.#slots[slot] = entry;
  }

  #erase(entry: number): void {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let hole = this.#home(this.#row[entry]!, this.#node[entry]!);
    while (slots[hole] !== entry) hole = (hole + 1) & mask;
    for (let slot = (hole + 1) & mask; slots[slot] !== 0; slot = (slot + 1) & mask) {
      const home = this.#home(this.#row[slots[slot]!]!, this.#node[slots[slot]!]!);
      if (((slot - home) & mask) >= ((slot - hole) & mask)) {
        slots[hole] = slots[slot]!;
        hole = slot;
      }
    }
    slots[hole] = 0;
  }

  #growColumns(): void {
    const grown = (column: Uint32Array): Uint32Array<ArrayBuffer> => {
      const larger = new Uint32Array(column.length * 2);
      larger.set(column);
      return larger;
    };
    this.#node = grown(this.#node);
    this.#row = grown(this.#row);
    this.#refs = grown(this.#refs);
    this.#older = grown(this.#older);
    this.#newer = grown(this.#newer);
    const settled = new Uint8Array(this.#node.length);
    settled.set(this.#settled);
    this.#settled = settled;
  }

  #growSlots(): void {
    const old = this.#slots;
    this.#slots = new Uint32Array(old.length * 2);
    for (const entry of old) if (entry !== 0) this.#place(entry);
  }
}
