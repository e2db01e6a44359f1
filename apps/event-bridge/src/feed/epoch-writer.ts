import { KvBatchWriter, KvFlag } from '@sluice/contracts';
import type { KvBatchSink } from '@sluice/contracts';
import type { RankTable } from '../rank-table/rank-table.ts';

/** Operations in one published batch at most: 480 KB, well below a message's usual limit of 1 MB. */
export const MAX_BATCH_OPERATIONS = 20_000;

export interface EpochWriterOptions {
  /** Publishes one encoded batch. */
  readonly send: (bytes: Uint8Array) => void;
  /** Milliseconds since the Unix epoch: the name of a new epoch. */
  readonly now: () => number;
}

/**
 * Numbers a worker's batches: each epoch is newer than every one before, opens with a BEGIN batch and counts its
 * batches from 0. Operations are collected between {@link EpochWriter.flush} calls; large ones are split.
 */
export class EpochWriter implements KvBatchSink {
  readonly #options: EpochWriterOptions;
  readonly #writer = new KvBatchWriter();
  #epoch = 0;
  #seq = 0;
  #incomplete = false;
  #engineTimeMs = 0;

  constructor(options: EpochWriterOptions) {
    this.#options = options;
  }

  /** 0 before the first epoch. */
  get epoch(): number {
    return this.#epoch;
  }

  /** Batches published in this epoch. */
  get seq(): number {
    return this.#seq;
  }

  /** Opens an epoch with all that `table` holds. Operations not flushed yet are dropped: the table has them. */
  begin(table: RankTable, incomplete: boolean): void {
    this.#epoch = Math.max(this.#options.now(), this.#epoch + 1);
    this.#seq = 0;
    this.#incomplete = incomplete;
    if (this.#writer.operations > 0) this.#encode();
    table.dump(this);
    if (this.#seq === 0 || this.#writer.operations > 0) this.#send();
  }

  /** Publishes what was collected, if anything. */
  flush(engineTimeMs: number): void {
    this.#engineTimeMs = engineTimeMs;
    if (this.#writer.operations > 0) this.#send();
  }

  store(
    tier: number,
    keyHi: number,
    keyLo: number,
    parentHi: number,
    parentLo: number,
    spanBytes: number,
    tokens: number,
  ): void {
    this.#writer.store(tier, keyHi, keyLo, parentHi, parentLo, spanBytes, tokens);
    this.#sendWhenFull();
  }

  remove(tier: number, keyHi: number, keyLo: number): void {
    this.#writer.remove(tier, keyHi, keyLo);
    this.#sendWhenFull();
  }

  clear(tier: number): void {
    this.#writer.clear(tier);
    this.#sendWhenFull();
  }

  #sendWhenFull(): void {
    if (this.#writer.operations >= MAX_BATCH_OPERATIONS) this.#send();
  }

  #send(): void {
    this.#options.send(this.#encode());
    this.#seq++;
  }

  #encode(): Uint8Array {
    const flags = (this.#seq === 0 ? KvFlag.BEGIN : 0) | (this.#incomplete ? KvFlag.INCOMPLETE : 0);
    return this.#writer.finish({ flags, epoch: this.#epoch, seq: this.#seq, engineTimeMs: this.#engineTimeMs });
  }
}
