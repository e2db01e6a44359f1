import { kvDeltas, KvFlag, readKvBatch, readKvBatchHeader } from '@sluice/contracts';
import type { Bus } from '@sluice/bus';
import { HeldSet } from './naive-rank-table.ts';

/** What a consumer of the bus believes a worker holds: applies batches by the rules of epochs and sequence numbers. */
export class Receiver {
  held = new HeldSet();
  epoch = -1;
  incomplete = true;
  epochs = 0;
  batches = 0;
  operations: number[] = [];
  /** Batches that did not follow: none may come out of a bridge. */
  readonly violations: string[] = [];
  #nextSeq = 0;

  constructor(bus: Bus, pool: string, worker: string) {
    bus.consume(kvDeltas, { from: 'start', filter: [pool, worker] }, (_tokens, bytes) => this.#take(bytes));
  }

  #take(bytes: Uint8Array): void {
    const header = readKvBatchHeader(bytes);
    this.batches++;
    this.operations.push(header.operations);
    if ((header.flags & KvFlag.BEGIN) !== 0) {
      if (header.epoch <= this.epoch) this.violations.push(`epoch ${header.epoch} after ${this.epoch}`);
      if (header.seq !== 0) this.violations.push(`epoch opens with seq ${header.seq}`);
      this.held = new HeldSet();
      this.epochs++;
    } else if (header.epoch !== this.epoch || header.seq !== this.#nextSeq) {
      this.violations.push(`${header.epoch}/${header.seq} after ${this.epoch}/${this.#nextSeq - 1}`);
    }
    this.epoch = header.epoch;
    this.#nextSeq = header.seq + 1;
    this.incomplete = (header.flags & KvFlag.INCOMPLETE) !== 0;
    readKvBatch(bytes, this.held);
  }
}
