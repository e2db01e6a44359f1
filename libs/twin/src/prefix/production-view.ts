import { ALL_TIERS, rootKey } from '@sluice/model';
import type { Candidates } from '@sluice/model';
import { KeyCounts } from '@sluice/numerics';
import { createMatches, createPrefixIndex } from '@sluice/prefix-index';
import type { BlockRecord } from '@sluice/prefix-index';
import { ENGINE_ROOT } from '../text/block-chain.ts';
import { blocksOf, CLEARED, kindOf, REMOVED } from '../kv-events/kv-batch.ts';
import type { KvBatch } from '../kv-events/kv-batch.ts';
import { GRACE_MS, SPECULATION_MS } from './prefix-view.ts';
import type { PrefixView, Speculation, ViewedWorker } from './prefix-view.ts';
import type { RequestText } from '../text/request-text.ts';

/** Every simulated token is four bytes of prompt, which is also how the engines hash their blocks. */
export const BYTES_PER_TOKEN = 4;
const HBM = 0;

/** The index of production over the prompts' bytes, called as the router calls it. */
export class ProductionView implements PrefixView {
  private readonly index = createPrefixIndex();
  private readonly matches = createMatches(16);
  private readonly rootHi: number;
  private readonly rootLo: number;
  private readonly blockSizes: readonly number[];
  private readonly appliedAtMs: number[] = [];
  /** Rows whose events have a gap. */
  private readonly distrusted = new Set<number>();
  private readonly copies: KeyCounts[] = [];
  private readonly record: BlockRecord = { parentHi: 0, parentLo: 0, spanBytes: 0, tokens: 0, tiers: 0 };
  /** Finished speculations that wait for the worker's events, oldest first. */
  private ending: { readonly id: Speculation; readonly dueMs: number }[] = [];

  constructor(workers: readonly ViewedWorker[]) {
    const root = new Uint32Array(2);
    rootKey(ENGINE_ROOT, root);
    this.rootHi = root[0]!;
    this.rootLo = root[1]!;
    this.blockSizes = workers.map(({ blockSize }) => blockSize);
    for (const { id } of workers) {
      const row = this.index.addWorker(id);
      this.index.setCapacity(row, null, BYTES_PER_TOKEN);
      this.appliedAtMs[row] = -Infinity;
      this.copies[row] = new KeyCounts();
    }
  }

  fillCachedTokens({ cachedTokens, size }: Candidates, prompt: RequestText, nowMs: number): void {
    this.endDue(nowMs);
    const { matches } = this;
    this.index.match(this.rootHi, this.rootLo, prompt.promptBytes, BYTES_PER_TOKEN, nowMs, matches);
    for (let row = 0; row < size; row++) {
      const tokens = matches.cachedTokens[row]!;
      cachedTokens[row] =
        matches.whole[row] === 1 ? tokens - matches.lastBlockTokens[row]! : Math.min(tokens, prompt.promptTokens - 1);
    }
  }

  speculate(row: number, prompt: RequestText, nowMs: number): Speculation {
    return this.index.speculate(row, this.rootHi, this.rootLo, prompt.promptBytes, nowMs, nowMs + SPECULATION_MS);
  }

  settle(id: Speculation, row: number, sentAtMs: number, computed: boolean, nowMs: number): void {
    if (!computed) this.index.forget(id);
    else if (this.appliedAtMs[row]! > sentAtMs || this.distrusted.has(row)) this.index.confirm(id);
    else this.ending.push({ id, dueMs: nowMs + GRACE_MS });
  }

  apply(row: number, batch: KvBatch, nowMs: number): void {
    this.appliedAtMs[row] = nowMs;
    const copies = this.copies[row]!;
    for (let at = 0; at < batch.length;) {
      const head = batch[at++]!;
      if (kindOf(head) === CLEARED) {
        this.index.clear(row, ALL_TIERS);
        copies.clear();
      } else if (kindOf(head) === REMOVED) {
        for (const end = at + 2 * blocksOf(head); at < end; at += 2) {
          if (!copies.remove(batch[at + 1]!, batch[at]!)) this.index.remove(row, HBM, batch[at + 1]!, batch[at]!);
        }
      } else {
        this.store(row, batch, at, at + 2 + 2 * blocksOf(head));
        at += 2 + 2 * blocksOf(head);
      }
    }
  }

  distrust(row: number, capacityTokens: number): void {
    this.forgetEvents(row);
    this.distrusted.add(row);
    this.index.setCapacity(row, capacityTokens, BYTES_PER_TOKEN);
  }

  reopen(row: number, batch: KvBatch, nowMs: number): void {
    this.forgetEvents(row);
    if (this.distrusted.delete(row)) this.index.setCapacity(row, null, BYTES_PER_TOKEN);
    this.apply(row, batch, nowMs);
  }

  /** Stores the blocks of the words [at, end): the parent's key, then theirs. */
  private store(row: number, batch: KvBatch, at: number, end: number): void {
    const copies = this.copies[row]!;
    const blockSize = this.blockSizes[row]!;
    const isFirst = (batch[at]! | batch[at + 1]!) === 0;
    let parentLo = isFirst ? this.rootLo : batch[at]!;
    let parentHi = isFirst ? this.rootHi : batch[at + 1]!;
    for (let key = at + 2; key < end; key += 2) {
      const lo = batch[key]!;
      const hi = batch[key + 1]!;
      if (this.index.lookup(row, hi, lo, this.record)) copies.add(hi, lo);
      else this.index.store(row, HBM, hi, lo, parentHi, parentLo, blockSize * BYTES_PER_TOKEN, blockSize);
      parentHi = hi;
      parentLo = lo;
    }
  }

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
