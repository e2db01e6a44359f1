import type { Rng } from '@sluice/model';
import { NO_CHANGES } from './kv-batch.ts';
import type { KvBatch } from './kv-batch.ts';
import type { KvHoldings } from './kv-holdings.ts';
import type { Timeline } from '../clock/timeline.ts';

/** Who believes the events: a router. */
export interface EventReader {
  eventsArrived(row: number, batch: KvBatch, nowMs: number): void;
  /** A batch is missing: nothing that the engine said stands any more. */
  eventsMissed(row: number): void;
  /** From here on: `batch` says all that the engine holds. */
  eventsReopened(row: number, batch: KvBatch, nowMs: number): void;
}

/** Events that get lost on the way to a router. */
export interface EventLoss {
  /** Of the batches, 0 to 1. */
  readonly share: number;
  readonly resyncMs: number;
  readonly rng: Rng;
  /** By row: what a resync brings. */
  readonly holdings: readonly KvHoldings[];
}

type Trust = 'whole' | 'a batch is missing' | 'resync under way';

/**
 * The KV events of all engines as they reach one router. Batches are numbered, so the one after a lost one shows the
 * gap: the engine's events are believed no more, and those until the resync are passed over.
 */
export class EventStream {
  private readonly reader: EventReader;
  private readonly timeline: Timeline;
  private readonly loss: EventLoss | null;
  /** By row; absent is whole. */
  private readonly trust = new Map<number, Trust>();

  constructor(reader: EventReader, timeline: Timeline, loss: EventLoss | null) {
    this.reader = reader;
    this.timeline = timeline;
    this.loss = loss;
  }

  batch(row: number, batch: KvBatch, nowMs: number): void {
    const { loss, trust } = this;
    const state = trust.get(row) ?? 'whole';
    if (loss !== null && loss.rng() < loss.share) {
      if (state === 'whole') trust.set(row, 'a batch is missing');
      return;
    }
    if (state === 'whole') this.reader.eventsArrived(row, batch, nowMs);
    else if (state === 'a batch is missing') {
      trust.set(row, 'resync under way');
      this.reader.eventsMissed(row);
      this.timeline.push(nowMs + loss!.resyncMs, { fire: (atMs) => this.resync(row, atMs) });
    }
  }

  /** The engine started anew, with an empty cache. */
  reopened(row: number, nowMs: number): void {
    this.trust.delete(row);
    this.reader.eventsReopened(row, NO_CHANGES, nowMs);
  }

  private resync(row: number, nowMs: number): void {
    // A new engine said all of itself meanwhile.
    if (this.trust.get(row) !== 'resync under way') return;
    this.trust.delete(row);
    this.reader.eventsReopened(row, this.loss!.holdings[row]!.announce(), nowMs);
  }
}
