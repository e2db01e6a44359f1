import { setTimeout as sleep } from 'node:timers/promises';
import type { KvEventStream, KvEventStreamOptions, KvMessage, KvReplay } from '@sluice/engine-wire';
import type { KvEventSource } from '@sluice/model';
import type { RankTable } from '../rank-table/rank-table.ts';
import { MessageQueue } from './message-queue.ts';
import type { RankCounters } from './rank-counters.ts';
import { RankFeed } from './rank-feed.ts';
import type { RankFeedOptions } from './rank-feed.ts';

/**
 * `waiting`: nothing was ever received; `disconnected`: something was, and no publisher is connected now, so no event can
 * come; else whether all that the rank holds is known.
 */
export type FeedState = 'waiting' | 'disconnected' | 'live' | 'incomplete';

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

export interface RankReaderOptions extends RankFeedOptions {
  readonly source: KvEventSource;
  readonly openStream: (options: KvEventStreamOptions) => KvEventStream;
  readonly timing?: Partial<RankTiming>;
  readonly maxQueueBytes?: number;
}

const ATTEMPTS = 3;

/**
 * Follows one rank's event stream: keeps its sequence without gaps, repairs it by replay, notices restarts, and
 * publishes what the table makes of it. The rules and their limits are in the app's README.
 *
 * Messages are taken one by one as they come. While anything is in doubt they queue up, and `#settle` asks the engine
 * what it has published; only then the queue is taken.
 */
export class RankReader {
  readonly #options: RankReaderOptions;
  readonly #timing: RankTiming;
  readonly #feed: RankFeed;
  readonly #stream: KvEventStream;
  readonly #queue: MessageQueue;
  readonly #idleCheck: NodeJS.Timeout;
  #resyncTimer: NodeJS.Timeout | null = null;
  #received = false;
  #lastMessageAtMs: number;
  /** How often the connection was lost: what comes next may be another process. */
  #breaks = 0;
  /** Those that the engine has answered after. */
  #answeredBreaks = 0;
  #toldState: FeedState = 'waiting';
  #settling = false;
  #settleAgain = false;
  #overflowed = false;
  #resyncWanted = false;
  #closed = false;

  constructor(options: RankReaderOptions) {
    this.#options = options;
    this.#timing = { ...DEFAULT_TIMING, ...options.timing };
    // a reader of the same worker may have taken over by the time that a replay ends
    const whileOpen = (bytes: Uint8Array): void => {
      if (!this.#closed) options.send(bytes);
    };
    this.#feed = new RankFeed({ ...options, send: whileOpen, onChange: () => this.#tellChange() });
    this.#queue = new MessageQueue(options.maxQueueBytes ?? 64 * 1024 * 1024);
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
    if (!this.#feed.isComplete && !this.#received) return 'waiting';
    if (!this.#stream.connected) return 'disconnected';
    return this.#feed.isComplete && !this.#linkInDoubt ? 'live' : 'incomplete';
  }

  get counters(): RankCounters {
    return this.#feed.counters;
  }

  get table(): RankTable {
    return this.#feed.table;
  }

  get epoch(): number {
    return this.#feed.epoch;
  }

  /** Batches published in this epoch. */
  get seq(): number {
    return this.#feed.seq;
  }

  /** The engine's last sequence number taken; -1 before the first. */
  get engineSeq(): number {
    return this.#feed.engineSeq;
  }

  /** Engine clock to publication, last batch. */
  get lagMs(): number {
    return this.#feed.lagMs;
  }

  /** Whether the engine is being asked: messages queue up until it has answered. */
  get isSettling(): boolean {
    return this.#settling;
  }

  get #canReplay(): boolean {
    return this.#options.source.replayEndpoint !== null;
  }

  /** The connection was lost, and the engine has not answered since: it may be another process. */
  get #linkInDoubt(): boolean {
    return this.#answeredBreaks < this.#breaks;
  }

  /** Opens a new epoch with all that is held, soon: requests that come together are answered together. */
  resync(): void {
    this.#resyncTimer ??= setTimeout(() => {
      this.#resyncTimer = null;
      if (this.#settling) this.#resyncWanted = true;
      else this.#feed.beginEpoch();
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
    if (!inDoubt && this.#feed.take(message)) {
      if (this.#feed.takeDoubt()) this.#startSettling();
      return;
    }
    if (!this.#queue.push(message)) {
      this.counters.overflows++;
      this.#overflowed = true;
    }
    if (!this.#settling) this.#startSettling();
  }

  #onLink(state: 'up' | 'down'): void {
    if (this.#closed) return;
    if (state === 'down') {
      this.#breaks++;
      this.#tellState();
    } else {
      this.#startSettling();
      setTimeout(() => this.#startSettling(), this.#timing.settledMs).unref();
    }
  }

  #tellChange(): void {
    this.#toldState = this.state;
    this.#options.onChange();
  }

  /** Tells of a state that no new epoch has told of. */
  #tellState(): void {
    if (this.state !== this.#toldState) this.#tellChange();
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
        if (this.#feed.epoch === 0) this.#feed.beginEpoch();
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
      this.#feed.beginEpoch();
    }
    this.#tellState();
  }

  /** Asks for a replay and brings the table up to date with it. Without an answer nothing changes. */
  async #reconcile(): Promise<void> {
    const breaks = this.#breaks;
    const replay = await this.#replay(this.#feed.checkFrom);
    // an engine without replay cannot prove that it is still the same process
    if (this.#closed || (!replay.complete && replay.messages.length === 0)) return;
    if (replay.messages.length > 0) this.#received = true;
    this.#answeredBreaks = breaks;
    await this.#feed.reconcile(replay, () => this.#replay(0));
  }

  async #replay(from: number): Promise<KvReplay> {
    const replay = await this.#stream.replay(BigInt(from), { silenceMs: this.#timing.replaySilenceMs });
    if (replay.complete) this.counters.replays++;
    return replay;
  }

  /** Takes queued messages; false when one does not follow and is not to be given up on. */
  #drain(giveUp: boolean): boolean {
    const feed = this.#feed;
    for (let message = this.#queue.first; message !== undefined; message = this.#queue.first) {
      if (feed.isRepeated(message)) this.counters.duplicates++;
      else if (this.#isStale(message)) {
        // if it is of this process after all, the next replay has it
        this.counters.stale++;
        this.#settleAgain = true;
      } else if (this.#linkInDoubt || !feed.take(message)) {
        if (!giveUp) return false;
        this.#answeredBreaks = this.#breaks;
        feed.adopt(message);
      }
      this.#queue.dropFirst();
    }
    if (this.#overflowed || feed.takeDoubt()) this.#settleAgain = true;
    this.#overflowed = false;
    return true;
  }

  /** Only a replay can tell whether an old message is to be believed; without one it is taken as it comes. */
  #isStale(message: KvMessage): boolean {
    return this.#canReplay && this.#feed.isStale(message);
  }
}
