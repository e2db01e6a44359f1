import type { KvEvent } from '@sluice/engine-model';
import { ALL_TIERS, rootKey } from '@sluice/model';
import type { Candidates, WorkerId } from '@sluice/model';
import { createMatches, createPrefixIndex } from '@sluice/prefix-index';
import type { BlockRecord, SpeculationId } from '@sluice/prefix-index';
import { CopyCounts } from './copy-counts.ts';

/** Every simulated token is four bytes of prompt, which is also how the engine model hashes its blocks. */
export const BYTES_PER_TOKEN = 4;
const HBM = 0;
// as in the router
const SPECULATION_MS = 600_000;
const GRACE_MS = 250;

/** A routed prompt that the index takes the worker to hold, until the worker's own events say so. */
export interface Speculation {
  readonly row: number;
  readonly id: SpeculationId;
  readonly atMs: number;
}

/**
 * Which worker holds which prefix as the router believes: the production index, fed by delayed events and by what was
 * routed, in the order of the router's own view. Rows are the fleet table's: workers are added once, in the same order.
 */
export class PrefixView {
  private readonly index = createPrefixIndex();
  private readonly matches = createMatches(16);
  private readonly rootHi: number;
  private readonly rootLo: number;
  private readonly appliedAtMs: number[] = [];
  /** Rows whose events have a gap. */
  private readonly distrusted = new Set<number>();
  private readonly copies: CopyCounts[] = [];
  private readonly record: BlockRecord = { parentHi: 0, parentLo: 0, spanBytes: 0, tokens: 0, tiers: 0 };
  /** Finished speculations that wait for the worker's events, oldest first. */
  private ending: { readonly id: SpeculationId; readonly dueMs: number }[] = [];

  constructor(workers: readonly WorkerId[]) {
    const root = new Uint32Array(2);
    rootKey({ pool: 'engine', lora: null, salt: null }, root);
    this.rootHi = root[0]!;
    this.rootLo = root[1]!;
    for (const worker of workers) {
      const row = this.index.addWorker(worker);
      this.index.setCapacity(row, null, BYTES_PER_TOKEN);
      this.appliedAtMs[row] = -Infinity;
      this.copies[row] = new CopyCounts();
    }
  }

  /** Fills `cachedTokens` of every row, by the rules of the router's `fillCachedTokens`. */
  fillCachedTokens({ cachedTokens, size }: Candidates, prompt: Uint8Array, nowMs: number): void {
    this.endDue(nowMs);
    const { matches } = this;
    this.index.match(this.rootHi, this.rootLo, prompt, BYTES_PER_TOKEN, nowMs, matches);
    const promptTokens = prompt.length / BYTES_PER_TOKEN;
    for (let row = 0; row < size; row++) {
      const tokens = matches.cachedTokens[row]!;
      cachedTokens[row] =
        matches.whole[row] === 1 ? tokens - matches.lastBlockTokens[row]! : Math.min(tokens, promptTokens - 1);
    }
  }

  /** The prompt was routed to the worker. */
  speculate(row: number, prompt: Uint8Array, nowMs: number): Speculation {
    const id = this.index.speculate(row, this.rootHi, this.rootLo, prompt, nowMs, nowMs + SPECULATION_MS);
    return { row, id, atMs: nowMs };
  }

  /** The request ended. `computed`: the worker has computed the prompt. */
  settle({ row, id, atMs }: Speculation, computed: boolean, nowMs: number): void {
    if (!computed) this.index.forget(id);
    else if (this.appliedAtMs[row]! > atMs || this.distrusted.has(row)) this.index.confirm(id);
    else this.ending.push({ id, dueMs: nowMs + GRACE_MS });
  }

  /** The worker's events have arrived. Copies of a block are counted, as the event bridge does: the last one to go counts. */
  apply(row: number, events: readonly KvEvent[], nowMs: number): void {
    this.appliedAtMs[row] = nowMs;
    const copies = this.copies[row]!;
    for (const event of events) {
      if (event.kind === 'cleared') {
        this.index.clear(row, ALL_TIERS);
        copies.clear();
        continue;
      }
      // low word first
      const { buffer, byteOffset, length } = event.hashes;
      const words = new Uint32Array(buffer, byteOffset, 2 * length);
      if (event.kind === 'removed') {
        for (let at = 0; at < words.length; at += 2) {
          if (!copies.remove(words[at + 1]!, words[at]!)) this.index.remove(row, HBM, words[at + 1]!, words[at]!);
        }
        continue;
      }
      const { parent, blockSize } = event;
      let parentHi = parent === null ? this.rootHi : Number(parent >> 32n);
      let parentLo = parent === null ? this.rootLo : Number(parent & 0xffffffffn);
      for (let at = 0; at < words.length; at += 2) {
        const lo = words[at]!;
        const hi = words[at + 1]!;
        if (this.index.lookup(row, hi, lo, this.record)) copies.add(hi, lo);
        else this.index.store(row, HBM, hi, lo, parentHi, parentLo, blockSize * BYTES_PER_TOKEN, blockSize);
        parentHi = hi;
        parentLo = lo;
      }
    }
  }

  /** The worker's events have a gap: what they said is dropped, and what was routed there stands in, up to its capacity. */
  distrust(row: number, capacityTokens: number): void {
    this.forgetEvents(row);
    this.distrusted.add(row);
    this.index.setCapacity(row, capacityTokens, BYTES_PER_TOKEN);
  }

  /** An opening batch of the worker: `events` say all that it holds. */
  reopen(row: number, events: readonly KvEvent[], nowMs: number): void {
    this.forgetEvents(row);
    if (this.distrusted.delete(row)) this.index.setCapacity(row, null, BYTES_PER_TOKEN);
    this.apply(row, events, nowMs);
  }

  /** Routed prompts stay. */
  private forgetEvents(row: number): void {
    this.index.clear(row, HBM);
    this.copies[row]!.clear();
  }

  private endDue(nowMs: number): void {
    let due = 0;
    while (due < this.ending.length && this.ending[due]!.dueMs <= nowMs) this.index.confirm(this.ending[due++]!.id);
    if (due > 0) this.ending = this.ending.slice(due);
  }
}
