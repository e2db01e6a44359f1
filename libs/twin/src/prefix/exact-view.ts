import type { Candidates } from '@sluice/model';
import { KeyCounts } from '@sluice/numerics';
import { BlockDirectory, EXPECTED } from './block-directory.ts';
import { blocksOf, CLEARED, kindOf, REMOVED } from '../kv-events/kv-batch.ts';
import type { KvBatch } from '../kv-events/kv-batch.ts';
import { GRACE_MS, SPECULATION_MS } from './prefix-view.ts';
import type { PrefixView, Speculation, ViewedWorker } from './prefix-view.ts';
import type { RequestText } from '../text/request-text.ts';

/** Workers with blocks of one size: they know one another's keys. */
interface BlockGroup {
  readonly blockSize: number;
  /** Their rows, as bits. */
  readonly rows: Int32Array;
}

/** The blocks that a speculation keeps expected. */
class ExpectedBlocks {
  readonly row: number;
  readonly atMs: number;
  /** Keys of the prompt; null once it has ended, and where it keeps no block. */
  keys: Int32Array | null;
  /** The blocks are from `first` up to `end`, all of them or those in `some`. */
  readonly first: number;
  readonly end: number;
  some: Uint32Array | null;

  /** @param blocks numbers in ascending order, the first `count` of them */
  constructor(row: number, atMs: number, keys: Int32Array, blocks: Uint32Array, count: number) {
    this.row = row;
    this.atMs = atMs;
    this.keys = count === 0 ? null : keys;
    this.first = blocks[0]!;
    this.end = count === 0 ? this.first : blocks[count - 1]! + 1;
    this.some = count === this.end - this.first ? null : blocks.slice(0, count);
  }
}

/**
 * What the production index would answer, from a directory of blocks: a prompt's keys are given, so a match is one
 * lookup a block and nothing is hashed. Every worker tells its events; for one that does not, use the production index.
 */
export class ExactView implements PrefixView {
  private readonly directory: BlockDirectory;
  private readonly groups: BlockGroup[] = [];
  private readonly blockSizes: readonly number[];
  private readonly appliedAtMs: Float64Array;
  /** By row: copies beyond the first that the worker holds, and speculations beyond the first that expect it to. */
  private readonly copies: readonly KeyCounts[];
  private readonly expectations: readonly KeyCounts[];
  /** In order of their start, from number `first` on; those before `oldest` are over. */
  private speculations: ExpectedBlocks[] = [];
  private first = 0;
  private oldest = 0;
  /** Finished speculations that wait for the worker's events, oldest first. */
  private ending: { readonly speculation: ExpectedBlocks; readonly dueMs: number }[] = [];
  // leading blocks of the prompt by row
  private readonly confirmed: Int32Array;
  private readonly held: Int32Array;
  private path = new Uint32Array(64);

  constructor(workers: readonly ViewedWorker[]) {
    this.directory = new BlockDirectory(workers.length);
    this.blockSizes = workers.map(({ blockSize }) => blockSize);
    for (const [row, { blockSize }] of workers.entries()) {
      let group = this.groups.find((each) => each.blockSize === blockSize);
      if (group === undefined) {
        group = { blockSize, rows: new Int32Array((workers.length + 31) >>> 5) };
        this.groups.push(group);
      }
      group.rows[row >>> 5]! |= 1 << (row & 31);
    }
    this.appliedAtMs = new Float64Array(workers.length).fill(-Infinity);
    this.copies = workers.map(() => new KeyCounts());
    this.expectations = workers.map(() => new KeyCounts());
    this.confirmed = new Int32Array(workers.length);
    this.held = new Int32Array(workers.length);
  }

  fillCachedTokens({ cachedTokens, size }: Candidates, prompt: RequestText, nowMs: number): void {
    this.endDue(nowMs);
    this.expire(nowMs);
    const { confirmed, held, blockSizes } = this;
    const { promptTokens } = prompt;
    for (const { blockSize, rows } of this.groups) {
      const blocks = Math.floor(promptTokens / blockSize);
      this.directory.match(prompt.chainOf(blockSize).keys(blocks), blocks, rows, confirmed, held);
    }
    for (let row = 0; row < size; row++) {
      const blockSize = blockSizes[row]!;
      // an engine computes the last block again when it holds the whole prompt
      const isWhole = confirmed[row]! * blockSize === promptTokens;
      cachedTokens[row] = isWhole ? promptTokens - blockSize : Math.min(held[row]! * blockSize, promptTokens - 1);
    }
  }

  speculate(row: number, prompt: RequestText, nowMs: number): Speculation {
    this.expire(nowMs);
    const blockSize = this.blockSizes[row]!;
    const blocks = Math.floor(prompt.promptTokens / blockSize);
    const keys = prompt.chainOf(blockSize).keys(blocks);
    if (this.path.length < blocks) this.path = new Uint32Array(2 * blocks);
    const { directory, path } = this;
    const expectations = this.expectations[row]!;
    let isHeld = true;
    let count = 0;
    for (let block = 0; block < blocks; block++) {
      const lo = keys[2 * block]!;
      const hi = keys[2 * block + 1]!;
      if (isHeld) {
        const holding = directory.holding(row, hi, lo);
        // what it confirmed itself needs no expectation
        if (holding !== 0 && (holding & EXPECTED) === 0) continue;
        isHeld = holding !== 0;
      }
      if (!directory.expect(row, hi, lo)) expectations.add(hi, lo);
      path[count++] = block;
    }
    return this.first + this.speculations.push(new ExpectedBlocks(row, nowMs, keys, path, count)) - 1;
  }

  settle(number: Speculation, row: number, sentAtMs: number, computed: boolean, nowMs: number): void {
    if (number < this.first) return; // it has expired
    const speculation = this.speculations[number - this.first]!;
    if (!computed || this.appliedAtMs[row]! > sentAtMs) this.end(speculation);
    else this.ending.push({ speculation, dueMs: nowMs + GRACE_MS });
  }

  apply(row: number, batch: KvBatch, nowMs: number): void {
    this.appliedAtMs[row] = nowMs;
    const { directory } = this;
    const copies = this.copies[row]!;
    for (let at = 0; at < batch.length;) {
      const head = batch[at++]!;
      const kind = kindOf(head);
      if (kind === CLEARED) {
        this.forgetEvents(row);
        for (const each of this.speculations) if (each.row === row) this.end(each);
      } else if (kind === REMOVED) {
        for (const end = at + 2 * blocksOf(head); at < end; at += 2) {
          const lo = batch[at]!;
          const hi = batch[at + 1]!;
          if (!copies.remove(hi, lo)) directory.unconfirm(row, hi, lo);
        }
      } else {
        at += 2; // a directory of blocks needs no parents
        for (const end = at + 2 * blocksOf(head); at < end; at += 2) {
          const lo = batch[at]!;
          const hi = batch[at + 1]!;
          if (!directory.confirm(row, hi, lo)) copies.add(hi, lo);
        }
      }
    }
  }

  /** @throws RangeError always: it does not know what a worker keeps that tells no events. */
  distrust(): never {
    throw new RangeError('where events can be lost, the production index must be kept');
  }

  reopen(row: number, batch: KvBatch, nowMs: number): void {
    this.forgetEvents(row);
    this.apply(row, batch, nowMs);
  }

  private forgetEvents(row: number): void {
    this.directory.unconfirmAll(row);
    this.copies[row]!.clear();
  }

  private end(speculation: ExpectedBlocks): void {
    const { row, keys, first, end, some } = speculation;
    if (keys === null) return;
    const expectations = this.expectations[row]!;
    const count = some === null ? end - first : some.length;
    for (let i = 0; i < count; i++) {
      const block = some === null ? first + i : some[i]!;
      const lo = keys[2 * block]!;
      const hi = keys[2 * block + 1]!;
      if (!expectations.remove(hi, lo)) this.directory.unexpect(row, hi, lo);
    }
    speculation.keys = null;
    speculation.some = null;
  }

  private expire(nowMs: number): void {
    const { speculations } = this;
    while (this.oldest < speculations.length) {
      const speculation = speculations[this.oldest]!;
      if (speculation.keys !== null && speculation.atMs + SPECULATION_MS > nowMs) break;
      this.end(speculation);
      this.oldest++;
    }
    if (this.oldest > 64 && 2 * this.oldest > speculations.length) {
      this.speculations = speculations.slice(this.oldest);
      this.first += this.oldest;
      this.oldest = 0;
    }
  }

  private endDue(nowMs: number): void {
    let due = 0;
    while (due < this.ending.length && this.ending[due]!.dueMs <= nowMs) this.end(this.ending[due++]!.speculation);
    if (due > 0) this.ending = this.ending.slice(due);
  }
}
