import { setImmediate as nextTurn } from 'node:timers/promises';
import type { KvBatchSink } from '@sluice/contracts';
import { decodeKvBatch, kvBatchTimeMs, KvDecodeError } from '@sluice/engine-wire';
import type { EngineKvBatch, KvMessage, KvReplay } from '@sluice/engine-wire';
import type { RankTable } from '../rank-table/rank-table.ts';
import { EpochWriter } from './epoch-writer.ts';
import { newRankCounters } from './rank-counters.ts';
import { SeqHistory } from './seq-history.ts';

export interface RankFeedOptions {
  /** The data-parallel rank that the stream is expected to be of; null: any. */
  readonly dpRank: number | null;
  readonly table: RankTable;
  /** Publishes one encoded KV batch of the worker. */
  readonly send: (bytes: Uint8Array) => void;
  /** Milliseconds since the Unix epoch. */
  readonly now: () => number;
  readonly warn: (message: string) => void;
  /** The state or the epoch changed. */
  readonly onChange: () => void;
  /** An engine batch was published so long after the engine made it. */
  readonly onBatch: (lagMs: number) => void;
}

const BATCHES_PER_TURN = 256;
const DISCARD: KvBatchSink = { store: () => undefined, remove: () => undefined, clear: () => undefined };

/**
 * What is known of one rank and how it is published: judges whether a message or a replay follows what was taken,
 * applies it to the table, opens epochs. It asks nobody: `RankReader` brings it messages and replays.
 */
export class RankFeed {
  readonly counters = newRankCounters();
  readonly table: RankTable;
  lagMs = 0;
  readonly #options: RankFeedOptions;
  readonly #writer: EpochWriter;
  readonly #history = new SeqHistory();
  /** What the table is: nothing certain yet, all that the engine holds, or a part of it. */
  #knowledge: 'none' | 'complete' | 'partial' = 'none';
  /** The number that the last gap began with. */
  #gapAt = -1;
  #sawOrphans = false;

  constructor(options: RankFeedOptions) {
    this.#options = options;
    this.table = options.table;
    this.#writer = new EpochWriter({ send: options.send, now: options.now });
  }

  get isComplete(): boolean {
    return this.#knowledge === 'complete';
  }

  /** 0 before the first epoch. */
  get epoch(): number {
    return this.#writer.epoch;
  }

  /** Batches published in this epoch. */
  get seq(): number {
    return this.#writer.seq;
  }

  /** The engine's last sequence number taken; -1 before the first. */
  get engineSeq(): number {
    return this.#history.last;
  }

  /** Where a replay has to begin so that it can be compared with what was taken. */
  get checkFrom(): number {
    return this.#history.checkFrom;
  }

  /** Opens an epoch with all that is held. */
  beginEpoch(): void {
    this.#writer.begin(this.table, this.#knowledge !== 'complete');
    this.#options.onChange();
  }

  /** Whether a block turned up below an unknown parent in a feed that was complete, since this was last asked. */
  takeDoubt(): boolean {
    const doubt = this.#sawOrphans;
    this.#sawOrphans = false;
    return doubt;
  }

  /** Brings the table up to date with an answer of the engine; `replayAll` asks for everything it still has. */
  async reconcile(replay: KvReplay, replayAll: () => Promise<KvReplay>): Promise<void> {
    if (this.#history.last < 0 && this.#knowledge !== 'complete') await this.#rebuild(replay);
    else if (this.#isOtherProcess(replay)) {
      this.counters.restarts++;
      this.#options.warn('engine restarted: starting over');
      await this.#rebuild(this.#history.checkFrom === 0 ? replay : await replayAll());
    } else await this.#catchUp(replay);
  }

  /** A replay has delivered it already: its number is not new, nor is its time. */
  isRepeated([seq, payload]: KvMessage): boolean {
    if (seq > this.#history.last) return false;
    const timeMs = kvBatchTimeMs(payload);
    if (timeMs === null) return false;
    return timeMs <= this.#history.lastTimeMs || this.#history.confirms(Number(seq), timeMs);
  }

  /** Older than what was taken, although its number may follow: to be had from a replay, not to be believed as it comes. */
  isStale([, payload]: KvMessage): boolean {
    const timeMs = kvBatchTimeMs(payload);
    return timeMs !== null && this.#history.isStale(timeMs);
  }

  /** Applies a message that follows the last one; false when it does not. */
  take(message: KvMessage): boolean {
    const seq = Number(message[0]);
    if (seq !== this.#history.next) {
      this.#noteGap(seq);
      return false;
    }
    if (seq === 0 && this.#knowledge !== 'complete') {
      // the first batch of the process: nothing came before it
      this.table.reset();
      this.#knowledge = 'complete';
      this.beginEpoch();
    }
    this.#apply(message, false);
    return true;
  }

  /** Goes on from a message whose predecessors cannot be had. */
  adopt(message: KvMessage): void {
    const seq = Number(message[0]);
    if (seq <= this.#history.last) {
      this.counters.restarts++;
      this.#options.warn(`engine restarted (batch ${seq} after ${this.#history.last}) and replays nothing`);
      this.table.reset();
      this.#history.reset();
      this.#knowledge = seq === 0 ? 'complete' : 'partial';
      this.beginEpoch();
    } else this.#lose(false);
    this.#apply(message, false);
  }

  /** Whether the replay comes from another engine process than what was taken so far. */
  #isOtherProcess(replay: KvReplay): boolean {
    const { last, checkFrom, lastTimeMs } = this.#history;
    const newest = replay.messages.at(-1);
    if (replay.complete && checkFrom <= last && (newest === undefined || newest[0] < last)) return true;
    for (const [seq, payload] of replay.messages) {
      const timeMs = kvBatchTimeMs(payload);
      if (timeMs === null) continue;
      if (seq > last) return replay.late && timeMs < lastTimeMs;
      if (this.#history.contradicts(Number(seq), timeMs)) return true;
    }
    return false;
  }

  /** Starts over from a replay of everything that the engine still has. */
  async #rebuild(replay: KvReplay): Promise<void> {
    this.table.reset();
    this.#history.reset();
    this.#gapAt = -1;
    const known = replay.complete || replay.messages.length > 0;
    this.#knowledge = known && !replay.late ? 'complete' : known ? 'partial' : 'none';
    await this.#applyReplayed(replay.messages, true);
    this.beginEpoch();
  }

  /** Applies what a replay has beyond the last batch taken. */
  async #catchUp(replay: KvReplay): Promise<void> {
    await this.#applyReplayed(
      replay.messages.filter(([seq]) => seq > this.#history.last),
      false,
    );
  }

  async #applyReplayed(messages: readonly KvMessage[], quiet: boolean): Promise<void> {
    let count = 0;
    for (const message of messages) {
      const seq = Number(message[0]);
      const starts = quiet && count === 0;
      if (!starts && seq > this.#history.next) this.#lose(quiet);
      this.#apply(message, quiet);
      if (++count % BATCHES_PER_TURN === 0) await nextTurn();
    }
  }

  /** Counts a gap once, however often it is met while it is being repaired. */
  #noteGap(seq: number): void {
    const { last, next } = this.#history;
    if (last < 0 || seq < next || this.#gapAt === next) return;
    this.#gapAt = next;
    this.counters.gaps++;
  }

  /** Batches are lost for good: any block may be gone. */
  #lose(quiet: boolean): void {
    if (this.#history.last >= 0) {
      this.counters.losses++;
      this.#options.warn(`batches after ${this.#history.last} are lost: going on with what is certain`);
    }
    this.table.forgetCopies();
    this.#knowledge = 'partial';
    if (!quiet) this.beginEpoch();
  }

  /** `quiet`: an epoch with all that is held is opened afterwards, so the changes themselves are not published. */
  #apply([seq, payload]: KvMessage, quiet: boolean): void {
    const batch = decodeOrNull(payload);
    if (batch === null) {
      this.counters.decodeErrors++;
      this.#lose(quiet);
      this.#history.skip(Number(seq));
      return;
    }
    const orphansBefore = this.table.counters.orphans;
    let cleared = false;
    for (const event of batch.events) {
      this.table.apply(event, quiet ? DISCARD : this.#writer);
      if (event.kind === 'stored') this.counters.storedEvents++;
      else if (event.kind === 'removed') this.counters.removedEvents++;
      else {
        this.counters.clearedEvents++;
        cleared = true;
      }
    }
    this.#history.push(Number(seq), batch.timeMs);
    this.#count(batch);
    const changed = this.#judge(this.table.counters.orphans > orphansBefore, cleared);
    if (quiet) return;
    this.lagMs = Math.max(0, this.#options.now() - batch.timeMs);
    this.#options.onBatch(this.lagMs);
    if (changed) this.beginEpoch();
    else this.#writer.flush(batch.timeMs);
  }

  #count(batch: EngineKvBatch): void {
    this.counters.batches++;
    this.counters.unknownEvents += batch.unknown;
    this.counters.unknownFields += batch.unknownFields;
    this.counters.bigrams += batch.bigrams;
    const { dpRank } = this.#options;
    if (dpRank === null || batch.dpRank === null || batch.dpRank === dpRank) return;
    if (this.counters.otherRank++ === 0) this.#options.warn(`expected rank ${dpRank}, got events of ${batch.dpRank}`);
  }

  /** Whether the batch changed how much of the truth the table is. */
  #judge(sawOrphans: boolean, cleared: boolean): boolean {
    if (sawOrphans && this.#knowledge === 'complete') {
      this.#options.warn('a block was stored below one that was never announced: asking for a replay');
      this.#knowledge = 'partial';
      this.#sawOrphans = true;
      return true;
    }
    // after a reset of the only tier in use everything is known again
    if (cleared && !sawOrphans && this.#knowledge === 'partial' && !this.table.seesOtherTiers) {
      this.#knowledge = 'complete';
      return true;
    }
    return false;
  }
}

function decodeOrNull(payload: Uint8Array): EngineKvBatch | null {
  try {
    return decodeKvBatch(payload);
  } catch (error) {
    if (error instanceof KvDecodeError) return null;
    throw error;
  }
}
