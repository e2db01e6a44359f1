import { createInbox } from '@nats-io/transport-node';
import type { Msg, NatsConnection, Subscription } from '@nats-io/transport-node';
import type { StreamSubject } from '@sluice/contracts';
import { errorText, subjectText } from './bus.ts';
import type { BusCounters, BusLogger } from './bus.ts';
import { awaitStream } from './nats-stream.ts';
import type { StreamLimits } from './nats-stream.ts';
import { SequencedQueue } from './sequenced-queue.ts';

export interface AppenderOptions {
  readonly stream: StreamSubject;
  readonly limits: StreamLimits;
  /** Bound of what waits to be stored. */
  readonly queueMaxBytes: number;
  readonly counters: BusCounters;
  readonly logger: BusLogger;
  readonly onDrop: (stream: StreamSubject, tokens: readonly string[]) => void;
}

interface Entry {
  readonly tokens: readonly string[];
  readonly subject: string;
  readonly bytes: Uint8Array;
  /** `sent` counts into the window; `done` is stored, or given up, and waits for those before it. */
  phase: 'queued' | 'sent' | 'done';
}

/** Messages and bytes sent ahead of their acknowledgements. */
const WINDOW_MESSAGES = 1024;
const WINDOW_BYTES = 4 << 20;
const ACK_TIMEOUT_MS = 3000;
/** What an entry costs beside its bytes. */
const ENTRY_BYTES = 128;

/**
 * Appends to one JetStream stream, in order and pipelined. Go-back-N: an entry leaves the queue when it and all before it
 * are acknowledged; after any failure everything from the first unacknowledged entry on is sent again.
 */
export class NatsAppender {
  readonly #options: AppenderOptions;
  readonly #queue = new SequencedQueue<Entry>();
  #queuedBytes = 0;
  #session: Session | null = null;

  constructor(options: AppenderOptions) {
    this.#options = options;
  }

  get isEmpty(): boolean {
    return this.#queue.length === 0;
  }

  append(tokens: readonly string[], bytes: Uint8Array): void {
    const { stream, counters, queueMaxBytes } = this.#options;
    const subject = subjectText(stream, tokens);
    counters.appended++;
    this.#queue.push({ tokens, subject, bytes, phase: 'queued' });
    this.#account(bytes.length + ENTRY_BYTES);
    while (this.#queuedBytes > queueMaxBytes) this.#drop();
    this.#pump();
  }

  /** Sends over `nc` from now on, once the stream is there. */
  start(nc: NatsConnection): void {
    this.stop();
    const abort = new AbortController();
    const session: Session = {
      nc,
      abort,
      inbox: '',
      subscription: null,
      nextSeq: 0,
      inFlightBytes: 0,
      timer: null,
      progress: 0,
    };
    this.#session = session;
    void this.#open(session);
  }

  /** Sends no more; what is queued waits for the next start. */
  stop(): void {
    const session = this.#session;
    if (!session) return;
    this.#session = null;
    session.abort.abort();
    if (session.timer) clearInterval(session.timer);
    session.subscription?.unsubscribe();
    for (let seq = this.#queue.firstSeq; seq < session.nextSeq; seq++) this.#queue.at(seq).phase = 'queued';
  }

  async #open(session: Session): Promise<void> {
    const { stream, limits, logger } = this.#options;
    const found = await awaitStream(session.nc, stream, limits, logger, session.abort.signal);
    if (!found || this.#session !== session || session.nc.isClosed()) return;
    session.inbox = createInbox();
    session.subscription = session.nc.subscribe(`${session.inbox}.*`, {
      callback: (error, message) => {
        if (error) this.#restart(errorText(error));
        else this.#onAck(session, message);
      },
    });
    session.nextSeq = this.#queue.firstSeq;
    session.timer = setInterval(() => this.#checkProgress(session), ACK_TIMEOUT_MS).unref();
    this.#pump();
  }

  #pump(): void {
    const session = this.#session;
    if (!session?.subscription) return;
    const { nc } = session;
    // Entries that were dropped meanwhile need not be sent.
    if (session.nextSeq < this.#queue.firstSeq) session.nextSeq = this.#queue.firstSeq;
    const maxBytes = nc.info?.max_payload ?? Infinity;
    while (session.nextSeq <= this.#queue.lastSeq) {
      const inFlight = session.nextSeq - this.#queue.firstSeq;
      if (inFlight >= WINDOW_MESSAGES || session.inFlightBytes >= WINDOW_BYTES) return;
      const entry = this.#queue.at(session.nextSeq);
      if (entry.bytes.length > maxBytes) {
        // It can never be sent: it leaves the queue in its turn.
        this.#options.logger.warn(`${entry.subject}: ${entry.bytes.length} bytes exceed the server's ${maxBytes}`);
        entry.phase = 'done';
        session.nextSeq++;
        this.#countDrop(entry);
        this.#release(session);
        continue;
      }
      try {
        nc.publish(entry.subject, entry.bytes, { reply: `${session.inbox}.${session.nextSeq}` });
      } catch {
        // The connection is closing; the next one sends it.
        return;
      }
      entry.phase = 'sent';
      session.nextSeq++;
      session.inFlightBytes += entry.bytes.length;
    }
  }

  #onAck(session: Session, message: Msg): void {
    if (this.#session !== session) return;
    const seq = Number(message.subject.slice(session.inbox.length + 1));
    const failure = failureOf(message);
    if (failure !== null) {
      this.#restart(failure);
      return;
    }
    session.progress++;
    if (seq < this.#queue.firstSeq || seq >= session.nextSeq) return;
    const entry = this.#queue.at(seq);
    if (entry.phase === 'sent') session.inFlightBytes -= entry.bytes.length;
    entry.phase = 'done';
    this.#release(session);
    this.#pump();
  }

  /** Lets go of what is done at the head. */
  #release(session: Session): void {
    while (this.#queue.firstSeq < session.nextSeq && this.#queue.at(this.#queue.firstSeq).phase === 'done') {
      this.#account(-(this.#queue.shift()!.bytes.length + ENTRY_BYTES));
    }
  }

  /** Gives up the oldest entry, which may be on its way and stored all the same. */
  #drop(): void {
    const entry = this.#queue.shift()!;
    this.#account(-(entry.bytes.length + ENTRY_BYTES));
    if (this.#session && entry.phase === 'sent') this.#session.inFlightBytes -= entry.bytes.length;
    if (entry.phase !== 'done') this.#countDrop(entry);
  }

  #countDrop(entry: Entry): void {
    this.#options.counters.appendDropped++;
    this.#options.onDrop(this.#options.stream, entry.tokens);
  }

  #restart(reason: string): void {
    const session = this.#session;
    if (!session) return;
    this.#options.logger.warn(`appending to ${this.#options.stream.name} starts over: ${reason}`);
    this.start(session.nc);
  }

  #checkProgress(session: Session): void {
    const inFlight = session.nextSeq > this.#queue.firstSeq;
    if (inFlight && session.progress === 0) this.#restart(`no acknowledgement within ${ACK_TIMEOUT_MS} ms`);
    session.progress = 0;
  }

  #account(bytes: number): void {
    this.#queuedBytes += bytes;
    this.#options.counters.appendQueuedBytes += bytes;
  }
}

/** One run of sending over one connection; acknowledgements of an earlier run come to another inbox. */
interface Session {
  readonly nc: NatsConnection;
  readonly abort: AbortController;
  inbox: string;
  /** Null until the stream is there. */
  subscription: Subscription | null;
  /** Queue sequence to send next. */
  nextSeq: number;
  inFlightBytes: number;
  timer: NodeJS.Timeout | null;
  /** Acknowledgements since the last check. */
  progress: number;
}

/** Why the server did not store a message; null when it did. */
function failureOf(message: Msg): string | null {
  // 503: no stream takes the subject.
  if (message.headers && message.headers.code >= 400)
    return message.headers.description || `status ${message.headers.code}`;
  try {
    const ack = message.json<{ error?: { description?: string } }>();
    return ack.error ? (ack.error.description ?? 'unknown error') : null;
  } catch {
    return 'an acknowledgement that is no JSON';
  }
}
