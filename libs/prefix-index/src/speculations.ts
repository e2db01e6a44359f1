import { NODE_WORDS, PARENT, SPAN_BYTES, SPECULATIVE } from './node-table.ts';
import type { NodeTable } from './node-table.ts';
import {
  ENTRY_BYTES,
  ENTRY_WORDS,
  NEWER,
  NODE,
  OLDER,
  REFS,
  ROW,
  SETTLED,
  SpeculationEntries,
  UP,
} from './speculation-entries.ts';
import type { SpeculationId } from './types.ts';

interface Speculation {
  readonly row: number;
  /** Entries from the root towards the end of the prompt. */
  readonly entries: Uint32Array;
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

/**
 * Speculative holdings: one entry per (row, node), counted by the speculations in flight that cover it. On a worker
 * with a capacity, entries of computed prompts settle and form a list by last use. A prompt's entries join it from its
 * end to its start, so the least recently used entry never has one below it.
 *
 * A speculation is made by {@link Speculations.cover}, any number of {@link Speculations.extend} and then
 * {@link Speculations.begin}, with nothing in between.
 */
export class Speculations {
  readonly #table: NodeTable;
  readonly #entries = new SpeculationEntries();
  readonly #live = new Map<SpeculationId, Speculation>();
  readonly #accounts: Account[] = [];
  #nextId: SpeculationId = 1;
  #earliestExpiryMs = Infinity;
  /** Entries of the speculation that is being made. */
  #path = new Uint32Array(64);
  #pathLength = 0;

  constructor(table: NodeTable) {
    this.#table = table;
  }

  /** Entries of all rows. */
  get size(): number {
    return this.#entries.size;
  }

  get bytes(): number {
    return this.#entries.bytes;
  }

  open(row: number): void {
    this.#accounts[row] = { capacityBytes: null, bytes: 0, oldest: 0, newest: 0 };
  }

  /** Whether what the row holds is known from speculation alone. */
  hasCapacity(row: number): boolean {
    return this.#accounts[row]!.capacityBytes !== null;
  }

  setCapacity(row: number, bytes: number | null): void {
    this.#accounts[row]!.capacityBytes = bytes;
    this.shrink(row);
  }

  /** Starts a speculation with what the row holds speculatively from `last` up to, and without, `top`. */
  cover(row: number, last: number, top: number): void {
    this.#pathLength = 0;
    if (this.#accounts[row]!.bytes === 0) return;
    const table = this.#table;
    const entries = this.#entries;
    let below = 0;
    for (let node = last; node !== top; node = table.words[node * NODE_WORDS + PARENT]!) {
      let entry = entries.words[below * ENTRY_WORDS + UP]!;
      if (entries.words[entry * ENTRY_WORDS + NODE] !== node || entries.words[entry * ENTRY_WORDS + ROW] !== row) {
        if ((table.planes(node, row) & (1 << SPECULATIVE)) === 0) {
          below = 0;
          continue;
        }
        entry = entries.find(row, node);
        if (below !== 0) entries.words[below * ENTRY_WORDS + UP] = entry;
      }
      this.#count(row, entry);
      below = entry;
    }
    this.#path.subarray(0, this.#pathLength).reverse();
  }

  /** Adds the next node of the prompt to the speculation; the row holds it from here on. */
  extend(row: number, node: number): void {
    const entry = this.#table.hold(node, row, SPECULATIVE) ? this.#insert(row, node) : this.#entries.find(row, node);
    if (this.#pathLength > 0) this.#entries.words[entry * ENTRY_WORDS + UP] = this.#path[this.#pathLength - 1]!;
    this.#count(row, entry);
  }

  /** Completes the speculation and names it. */
  begin(row: number, expiresAtMs: number): SpeculationId {
    const id = this.#nextId++;
    this.#live.set(id, { row, entries: this.#path.slice(0, this.#pathLength), expiresAtMs });
    this.#earliestExpiryMs = Math.min(this.#earliestExpiryMs, expiresAtMs);
    return id;
  }

  /** Ends a speculation; unknown ids (ended already, or the worker was cleared) are ignored. */
  finish(id: SpeculationId, computed: boolean): void {
    const speculation = this.#live.get(id);
    if (speculation === undefined) return;
    this.#live.delete(id);
    const { row, entries } = speculation;
    const settles = computed && this.#accounts[row]!.capacityBytes !== null;
    const { words } = this.#entries;
    for (let i = entries.length - 1; i >= 0; i--) {
      const entry = entries[i]!;
      const at = entry * ENTRY_WORDS;
      if (settles) words[at + SETTLED] = 1;
      if (--words[at + REFS]! > 0) continue;
      if (words[at + SETTLED] === 1) this.#listAsNewest(row, entry);
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
    const { words } = this.#entries;
    for (const [id, speculation] of this.#live) {
      if (speculation.row !== row) continue;
      this.#live.delete(id);
      for (const entry of speculation.entries) {
        const at = entry * ENTRY_WORDS;
        if (--words[at + REFS]! > 0) continue;
        if (words[at + SETTLED] === 1) this.#listAsNewest(row, entry);
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

  /** The speculation in the making counts on the entry. */
  #count(row: number, entry: number): void {
    const { words } = this.#entries;
    const at = entry * ENTRY_WORDS;
    if (words[at + REFS]!++ === 0 && words[at + SETTLED] === 1) this.#unlist(row, entry);
    if (this.#pathLength === this.#path.length) {
      const larger = new Uint32Array(this.#path.length * 2);
      larger.set(this.#path);
      this.#path = larger;
    }
    this.#path[this.#pathLength++] = entry;
  }

  #listAsNewest(row: number, entry: number): void {
    const { words } = this.#entries;
    const account = this.#accounts[row]!;
    words[entry * ENTRY_WORDS + OLDER] = account.newest;
    words[entry * ENTRY_WORDS + NEWER] = 0;
    if (account.newest !== 0) words[account.newest * ENTRY_WORDS + NEWER] = entry;
    else account.oldest = entry;
    account.newest = entry;
  }

  #unlist(row: number, entry: number): void {
    const { words } = this.#entries;
    const account = this.#accounts[row]!;
    const older = words[entry * ENTRY_WORDS + OLDER]!;
    const newer = words[entry * ENTRY_WORDS + NEWER]!;
    if (older !== 0) words[older * ENTRY_WORDS + NEWER] = newer;
    else account.oldest = newer;
    if (newer !== 0) words[newer * ENTRY_WORDS + OLDER] = older;
    else account.newest = older;
  }

  #insert(row: number, node: number): number {
    const bytes = this.#table.words[node * NODE_WORDS + SPAN_BYTES]!;
    this.#accounts[row]!.bytes += bytes;
    return this.#entries.insert(row, node, bytes);
  }

  #drop(entry: number): void {
    const { words } = this.#entries;
    const node = words[entry * ENTRY_WORDS + NODE]!;
    const row = words[entry * ENTRY_WORDS + ROW]!;
    this.#accounts[row]!.bytes -= words[entry * ENTRY_WORDS + ENTRY_BYTES]!;
    this.#entries.erase(entry);
    this.#table.release(node, row, SPECULATIVE);
  }
}
