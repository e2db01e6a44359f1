import { AckPolicy, DeliverPolicy } from '@nats-io/jetstream';
import { createInbox } from '@nats-io/transport-node';
import type { Msg, NatsConnection, Subscription } from '@nats-io/transport-node';
import type { StreamSubject } from '@sluice/contracts';
import { setTimeout as sleep } from 'node:timers/promises';
import { errorText, firstToDeliver } from './bus.ts';
import type { BusCounters, BusLogger, ConsumeOptions, StreamHandler } from './bus.ts';
import { awaitStream, jetStreamName } from './nats-stream.ts';
import type { StreamLimits } from './nats-stream.ts';

export interface ConsumerOptions {
  readonly stream: StreamSubject;
  readonly limits: StreamLimits;
  readonly consume: ConsumeOptions;
  readonly handler: StreamHandler;
  readonly counters: BusCounters;
  readonly logger: BusLogger;
}

const NANOS_PER_MS = 1e6;
const HEARTBEAT_MS = 1000;
/** Silence after which the server's consumer is taken for lost. */
const SILENCE_MS = 3500;
/** The server forgets a consumer that nobody listens to for this long. */
const INACTIVE_MS = 10_000;
const RETRY_MS = 250;

/**
 * An ordered push consumer without acknowledgements: the server's consumer is cheap and thrown away, the position is ours.
 * After a gap, a silence or a new connection a new one is made at that position.
 */
export class NatsConsumer {
  readonly #options: ConsumerOptions;
  /** Stream sequence to deliver next; null until the stream was first seen. */
  #nextSeq: number | null = null;
  /** When the stream was made, which tells it from one of the same name made later. */
  #created: string | null = null;
  #session: Session | null = null;

  constructor(options: ConsumerOptions) {
    this.#options = options;
  }

  /** Consumes over `nc` from now on. */
  start(nc: NatsConnection): void {
    this.stop();
    const session: Session = {
      nc,
      abort: new AbortController(),
      subscription: null,
      consumerSeq: 0,
      heardAtMs: performance.now(),
      timer: null,
    };
    this.#session = session;
    void this.#open(session);
  }

  stop(): void {
    const session = this.#session;
    if (!session) return;
    this.#session = null;
    session.abort.abort();
    if (session.timer) clearInterval(session.timer);
    session.subscription?.unsubscribe();
  }

  async #open(session: Session): Promise<void> {
    const { stream, limits, logger, consume } = this.#options;
    const { nc, abort } = session;
    const found = await awaitStream(nc, stream, limits, logger, abort.signal);
    if (!found || this.#session !== session || nc.isClosed()) return;
    const { jsm, info } = found;
    const startSeq = this.#position(info.created, info.state.last_seq);
    const filter = consume.filter ?? stream.parameters.map(() => '*');
    const inbox = createInbox();
    session.subscription = nc.subscribe(inbox, {
      callback: (error, message) => {
        if (error) this.#restart(session, errorText(error));
        else this.#onMessage(session, message);
      },
    });
    try {
      await jsm.consumers.add(jetStreamName(stream), {
        deliver_subject: inbox,
        deliver_policy: DeliverPolicy.StartSequence,
        opt_start_seq: startSeq,
        filter_subject: [stream.name, ...filter].join('.'),
        ack_policy: AckPolicy.None,
        max_deliver: 1,
        mem_storage: true,
        num_replicas: 1,
        flow_control: true,
        idle_heartbeat: HEARTBEAT_MS * NANOS_PER_MS,
        inactive_threshold: INACTIVE_MS * NANOS_PER_MS,
      });
    } catch (error) {
      await sleep(RETRY_MS, undefined, { signal: abort.signal }).catch(() => undefined);
      this.#restart(session, errorText(error));
      return;
    }
    if (this.#session !== session) return;
    session.heardAtMs = performance.now();
    session.timer = setInterval(() => {
      if (performance.now() - session.heardAtMs > SILENCE_MS) this.#restart(session, 'the server fell silent');
    }, HEARTBEAT_MS).unref();
  }

  /** Where to go on in the stream made at `created`, whose newest message is `lastSeq`. */
  #position(created: string, lastSeq: number): number {
    const { consume, stream, logger } = this.#options;
    let next: number;
    if (this.#nextSeq === null) next = firstToDeliver(consume.from, lastSeq);
    else if (this.#created !== created || this.#nextSeq > lastSeq + 1) {
      logger.warn(`stream ${jetStreamName(stream)} was made again: consuming it from its start`);
      next = 1;
    } else next = this.#nextSeq;
    this.#nextSeq = next;
    this.#created = created;
    return next;
  }

  #onMessage(session: Session, message: Msg): void {
    if (this.#session !== session) return;
    session.heardAtMs = performance.now();
    if (message.headers?.code === 100) {
      this.#onStatus(session, message);
      return;
    }
    const position = message.reply === undefined ? null : parsePosition(message.reply);
    if (!position) return;
    if (position.consumerSeq !== session.consumerSeq + 1) {
      this.#restart(session, `expected delivery ${session.consumerSeq + 1}, got ${position.consumerSeq}`);
      return;
    }
    session.consumerSeq = position.consumerSeq;
    this.#nextSeq = position.streamSeq + 1;
    const { stream, handler, counters, logger } = this.#options;
    counters.consumed++;
    try {
      handler(message.subject.slice(stream.name.length + 1).split('.'), message.data, position.streamSeq);
    } catch (error) {
      counters.handlerErrors++;
      logger.warn(`handler of ${stream.name} failed: ${error instanceof Error ? error.stack : String(error)}`);
    }
  }

  /** A heartbeat (which says what was delivered last) or a request to confirm that we keep up. */
  #onStatus(session: Session, message: Msg): void {
    if (message.reply) message.respond();
    const stalled = message.headers?.get('Nats-Consumer-Stalled');
    if (stalled) session.nc.publish(stalled);
    const delivered = message.headers?.get('Nats-Last-Consumer');
    if (delivered && Number(delivered) !== session.consumerSeq) {
      this.#restart(session, `the server delivered ${delivered}, ${session.consumerSeq} came`);
    }
  }

  #restart(session: Session, reason: string): void {
    if (this.#session !== session || session.nc.isClosed()) return;
    this.#options.logger.warn(`consuming ${this.#options.stream.name} starts over: ${reason}`);
    this.start(session.nc);
  }
}

/** One server-side consumer. */
interface Session {
  readonly nc: NatsConnection;
  readonly abort: AbortController;
  subscription: Subscription | null;
  /** Delivery sequence of the last message that came. */
  consumerSeq: number;
  heardAtMs: number;
  timer: NodeJS.Timeout | null;
}

/**
 * Sequences in a JetStream reply subject, `$JS.ACK.<stream>.<consumer>.<delivered>.<stream seq>.<consumer seq>.<time>.<pending>`;
 * newer servers put `<domain>.<account>` in front of the stream and a random token behind. Null for another subject.
 */
export function parsePosition(reply: string): { streamSeq: number; consumerSeq: number } | null {
  const tokens = reply.split('.');
  if (tokens[0] !== '$JS' || tokens[1] !== 'ACK' || tokens.length < 9) return null;
  const at = tokens.length === 9 ? 5 : 7;
  return { streamSeq: Number(tokens[at]), consumerSeq: Number(tokens[at + 1]) };
}
