import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import type { KvBatchSink } from '@sluice/contracts';
import { decodeKvBatch, kvBatchTimeMs, KvDecodeError } from '@sluice/engine-wire';
import type { EngineKvBatch, KvEventStream, KvEventStreamOptions, KvMessage, KvReplay } from '@sluice/engine-wire';
import type { KvEventSource } from '@sluice/model';
import type { RankTable } from '../rank-table/rank-table.ts';
import { EpochWriter } from './epoch-writer.ts';
import { MessageQueue } from './message-queue.ts';
import { newRankCounters } from './rank-counters.ts';
import { SeqHistory } from './seq-history.ts';

export type FeedState = 'waiting' | 'live' | 'incomplete';

export interface RankTiming {
  /** A replay socket that is silent for so long has nothing (more) to say. */
  readonly replaySilenceMs: number;
  /** Before a replay is asked for again, times the attempt. */
  readonly retryMs: number;
  /** After a connection came up, when its subscription is surely in force. */
  readonly settledMs: number;
  /** Without a message for so long, the engine is asked whether it published any. */
  readonly idleCheckMs: number;
  /** Between two epochs that receivers asked for. */
  readonly resyncMs: number;
}

export const DEFAULT_TIMING: RankTiming = {
  replaySilenceMs: 2_000,
  retryMs: 250,
  settledMs: 1_000,
  idleCheckMs: 10_000,
  resyncMs: 250,
};

export interface RankReaderOptions {
  readonly source: KvEventSource;
  /** The data-parallel rank that the stream is expected to be of; null: any. */
  readonly dpRank: number | null;
  readonly table: RankTable;
  readonly openStream: (options: KvEventStreamOptions) => KvEventStream;
  /** Publishes one encoded KV batch of the worker. */
  readonly send: (bytes: Uint8Array) => void;
  /** Milliseconds since the Unix epoch. */
  readonly now: () => number;
  readonly warn: (message: string) => void;
  /** The state or the epoch changed. */
  readonly onChange: () => void;
  /** An engine batch was published so long after the engine made it. */
  readonly onBatch: (lagMs: number) => void;
  readonly timing?: Partial<RankTiming>;
  readonly maxQueueBytes?: number;
}

const ATTEMPTS = 3;
const BATCHES_PER_TURN = 256;
const DISCARD: KvBatchSink = { store: () => undefined, remove: () => undefined, clear: () => undefined };

/**
 * Follows one rank's event stream: keeps its sequence without gaps, repairs it by replay, notices restarts, and
 * publishes what the table makes of it. The rules and their limits are in the app's README.
 *
 * Messages are taken one by one as they come. While anything is in doubt they queue up, and `#settle` asks the engine
 * what it has published; only then the queue is taken.
 */
export class RankReader {
  readonly counters = newRankCounters();
  lagMs = 0;
  readonly #options: RankReaderOptions;
  readonly #timing: RankTiming;
  readonly #table: RankTable;
  readonly #writer: EpochWriter;
  readonly #stream: KvEventStream;
  readonly #history = new SeqHistory();
  readonly #queue: MessageQueue;
  readonly #idleCheck: NodeJS.Timeout;
  #resyncTimer: NodeJS.Timeout | null = null;
  /** What the table is: nothing certain yet, all that the engine holds, or a part of it. */
  #knowledge: 'none' | 'complete' | 'partial' = 'none';
  #received = false;
  #lastMessageAtMs: number;
  /** The connection was lost: what comes next may be another process. */
  #linkInDoubt = false;
  #settling = false;
  #settleAgain = false;
  #overflowed = false;
  /** The number that the last gap began with. */
  #gapAt = -1;
  #resyncWanted = false;
  #closed = false;

  constructor(options: RankReaderOptions) {
    this.#options = options;
    this.#timing = { ...DEFAULT_TIMING, ...options.timing };
    this.#table = options.table;
    this.#queue = new MessageQueue(options.maxQueueBytes ?? 64 * 1024 * 1024);
    this.#writer = new EpochWriter({ send: options.send, now: options.now });
    this.#lastMessageAtMs = options.now();
    this.#stream = options.openStream({
      source: options.source,
      onMessage: (seq, payload) => this.#onMessage([seq, payload]),
      onError: (error) => {
        this.counters.socketErrors++;
        options.warn(`event stream ${options.source.endpoint}: ${String(error)}`);
      },
      onLink: (state) => this.#onLink(state),
    });
    this.#idleCheck = setInterval(() => this.#checkIdle(), this.#timing.idleCheckMs).unref();
    this.#startSettling();
  }

  get state(): FeedState {
    if (this.#knowledge === 'complete') return 'live';
    return this.#received ? 'incomplete' : 'waiting';
  }

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

  /** Whether the engine is being asked: messages queue up until it has answered. */
  get isSettling(): boolean {
    return this.#settling;
  }

  get #canReplay(): boolean {
    return this.#options.source.replayEndpoint !== null;
  }

  get table(): RankTable {
    return this.#table;
  }

  /** Opens a new epoch with all that is held, soon: requests that come together are answered together. */
  resync(): void {
    this.#resyncTimer ??= setTimeout(() => {
      this.#resyncTimer = null;
      if (this.#settling) this.#resyncWanted = true;
      else this.#beginEpoch();
    }, this.#timing.resyncMs).unref();
  }

  /** Asks the engine now whether it published anything that did not arrive. */
  checkNow(): void {
    this.#startSettling();
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#idleCheck);
    if (this.#resyncTimer !== null) clearTimeout(this.#resyncTimer);
    this.#stream.close();
  }

  #onMessage(message: KvMessage): void {
    this.#received = true;
    this.#lastMessageAtMs = this.#options.now();
    const inDoubt = this.#settling || this.#linkInDoubt || this.#isStale(message);
    if (!inDoubt && this.#take(message)) return;
    if (!this.#queue.push(message)) {
      this.counters.overflows++;
      this.#overflowed = true;
    }
    if (!this.#settling) this.#startSettling();
  }

  #onLink(state: 'up' | 'down'): void {
    if (this.#closed) return;
    if (state === 'down') this.#linkInDoubt = true;
    else {
      this.#startSettling();
      setTimeout(() => this.#startSettling(), this.#timing.settledMs).unref();
    }
  }

  #checkIdle(): void {
    const idleMs = this.#options.now() - this.#lastMessageAtMs;
    if (idleMs >= this.#timing.idleCheckMs && this.#canReplay) this.#startSettling();
  }

  #startSettling(): void {
    if (this.#settling) this.#settleAgain = true;
    else if (!this.#closed) {
      this.#settle().catch((error: unknown) => this.#options.warn(`reader failed: ${String(error)}`));
    }
  }

  /** Asks the engine until every queued message follows what was taken, or gives up what is missing. */
  async #settle(): Promise<void> {
    this.#settling = true;
    try {
      let failures = 0;
      do {
        this.#settleAgain = false;
        await this.#reconcile();
        if (this.#closed) return;
        if (this.#writer.epoch === 0) this.#beginEpoch();
        if (this.#drain(!this.#canReplay || failures >= ATTEMPTS)) failures = 0;
        else {
          this.#settleAgain = true;
          await sleep(this.#timing.retryMs * ++failures);
        }
      } while (this.#settleAgain && !this.#closed);
    } finally {
      this.#settling = false;
    }
    if (this.#resyncWanted) {
      this.#resyncWanted = false;
      this.#beginEpoch();
    }
  }

  /** Asks for a replay and brings the table up to date with it. Without an answer nothing changes. */
  async #reconcile(): Promise<void> {
    const wasInDoubt = this.#linkInDoubt;
    this.#linkInDoubt = false;
    const replay = await this.#replay(this.#history.checkFrom);
    if (this.#closed) return;
    if (!replay.complete && replay.messages.length === 0) {
      // an engine without replay cannot prove that it is still the same process
      this.#linkInDoubt ||= wasInDoubt;
    } else if (this.#history.last < 0 && this.#knowledge !== 'complete') await this.#rebuild(replay);
    else if (this.#isOtherProcess(replay)) {
      this.counters.restarts++;
      this.#options.warn('engine restarted: starting over');
      await this.#rebuild(this.#history.checkFrom === 0 ? replay : await this.#replay(0));
    } else await this.#catchUp(replay);
  }

  async #replay(from: number): Promise<KvReplay> {
    const replay = await this.#stream.replay(BigInt(from), { silenceMs: this.#timing.replaySilenceMs });
    if (replay.complete) this.counters.replays++;
    return replay;
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
    this.#table.reset();
    this.#history.reset();
    this.#gapAt = -1;
    const known = replay.complete || replay.messages.length > 0;
    this.#knowledge = known && !replay.late ? 'complete' : known ? 'partial' : 'none';
    if (replay.messages.length > 0) this.#received = true;
    await this.#applyReplayed(replay.messages, true);
    if (!this.#closed) this.#beginEpoch();
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
      if (this.#closed) return;
    }
  }

  /** Takes queued messages; false when one does not follow and is not to be given up on. */
  #drain(giveUp: boolean): boolean {
    for (let message = this.#queue.first; message !== undefined; message = this.#queue.first) {
      if (this.#isRepeated(message)) this.counters.duplicates++;
      else if (this.#isStale(message)) {
        // if it is of this process after all, the next replay has it
        this.counters.stale++;
        this.#settleAgain = true;
      } else if (this.#linkInDoubt || !this.#take(message)) {
        if (!giveUp) return false;
        this.#adopt(message);
      }
      this.#queue.dropFirst();
    }
    if (this.#overflowed) this.#settleAgain = true;
    this.#overflowed = false;
    return true;
  }

  /** A replay has delivered it already: its number is not new, nor is its time. */
  #isRepeated([seq, payload]: KvMessage): boolean {
    if (seq > this.#history.last) return false;
    const timeMs = kvBatchTimeMs(payload);
    if (timeMs === null) return false;
    return timeMs <= this.#history.lastTimeMs || this.#history.confirms(Number(seq), timeMs);
  }

  /** Older than what was taken, although its number may follow: to be had from a replay, not to be believed as it comes. */
  #isStale([, payload]: KvMessage): boolean {
    const timeMs = this.#canReplay ? kvBatchTimeMs(payload) : null;
    return timeMs !== null && this.#history.isStale(timeMs);
  }

  /** Applies a message that follows the last one; false when it does not. */
  #take(message: KvMessage): boolean {
    const seq = Number(message[0]);
    if (seq !== this.#history.next) {
      this.#noteGap(seq);
      return false;
    }
    if (seq === 0 && this.#knowledge !== 'complete') {
      // the first batch of the process: nothing came before it
      this.#table.reset();
      this.#knowledge = 'complete';
      this.#beginEpoch();
    }
    this.#apply(message, false);
    return true;
  }

  /** Counts a gap once, however often it is met while it is being repaired. */
  #noteGap(seq: number): void {
    const { last, next } = this.#history;
    if (last < 0 || seq < next || this.#gapAt === next) return;
    this.#gapAt = next;
    this.counters.gaps++;
  }

  /** Goes on from a message whose predecessors cannot be had. */
  #adopt(message: KvMessage): void {
    const seq = Number(message[0]);
    if (seq <= this.#history.last) {
      this.counters.restarts++;
      this.#options.warn(`engine restarted (batch ${seq} after ${this.#history.last}) and replays nothing`);
      this.#table.reset();
      this.#history.reset();
      this.#knowledge = seq === 0 ? 'complete' : 'partial';
      this.#beginEpoch();
    } else this.#lose(false);
    this.#linkInDoubt = false;
    this.#apply(message, false);
  }

  /** Batches are lost for good: any block may be gone. */
  #lose(quiet: boolean): void {
    if (this.#history.last >= 0) {
      this.counters.losses++;
      this.#options.warn(`batches after ${this.#history.last} are lost: going on with what is certain`);
    }
    this.#table.forgetCopies();
    this.#knowledge = 'partial';
    if (!quiet) this.#beginEpoch();
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
    const orphansBefore = this.#table.counters.orphans;
    let cleared = false;
    for (const event of batch.events) {
      this.#table.apply(event, quiet ? DISCARD : this.#writer);
      if (event.kind === 'stored') this.counters.storedEvents++;
      else if (event.kind === 'removed') this.counters.removedEvents++;
      else {
        this.counters.clearedEvents++;
        cleared = true;
      }
    }
    this.#history.push(Number(seq), batch.timeMs);
    this.#count(batch);
    const changed = this.#judge(this.#table.counters.orphans > orphansBefore, cleared);
    if (quiet) return;
    this.lagMs = Math.max(0, this.#options.now() - batch.timeMs);
    this.#options.onBatch(this.lagMs);
    if (changed) this.#beginEpoch();
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
      this.#startSettling();
      return true;
    }
    // after a reset of the only tier in use everything is known again
    if (cleared && !sawOrphans && this.#knowledge === 'partial' && !this.#table.seesOtherTiers) {
      this.#knowledge = 'complete';
      return true;
    }
    return false;
  }

  #beginEpoch(): void {
    this.#writer.begin(this.#table, this.#knowledge !== 'complete');
    this.#options.onChange();
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
