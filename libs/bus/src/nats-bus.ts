import { errors, headers } from '@nats-io/transport-node';
import type { Msg, MsgHdrs, NatsConnection, Subscription } from '@nats-io/transport-node';
import type {
  DatagramSubject,
  ParsedRequestOf,
  PayloadOf,
  ReplyOf,
  RequestOf,
  RequestSubject,
  StreamSubject,
  Subject,
  TraceContext,
} from '@sluice/contracts';
import { setTimeout as sleep } from 'node:timers/promises';
import { errorText, silentLogger, subjectText, unavailable, zeroCounters } from './bus.ts';
import type {
  Bus,
  BusLogger,
  BusState,
  ConsumeOptions,
  DatagramHandler,
  DropListener,
  MessageHandler,
  RequestOptions,
  RequestOutcome,
  StreamHandler,
  Unsubscribe,
} from './bus.ts';
import { NatsAppender } from './nats-appender.ts';
import { NatsConsumer } from './nats-consumer.ts';
import { NatsLink } from './nats-link.ts';
import type { StreamLimits } from './nats-stream.ts';
import { PublishQueue } from './publish-queue.ts';

export interface NatsBusOptions {
  /** `nats://[user:password@]host:port`; several are tried in turn. */
  readonly servers: readonly string[];
  /** Name of the connection, seen in the server's monitoring. */
  readonly name: string;
  readonly logger?: BusLogger;
  /** Bounds of the JetStream streams. One that is given is enforced on a stream that is there already; default 256 MiB and 24 h. */
  readonly streamMaxBytes?: number;
  readonly streamMaxAgeMs?: number;
  /** Bound of what waits to be appended. Default 64 MiB. */
  readonly appendQueueBytes?: number;
}

/** Responders of one subject in all processes form this queue group: each request goes to one of them. */
const RESPONDERS = 'sluice';
const ERROR_HEADER = 'Sluice-Error';
const DRAIN_MS = 5000;

/**
 * A bus over NATS; streams need nats-server 2.9 or later with JetStream. Resolves also while no server answers: then the
 * state is `disconnected`, it keeps trying every 250 ms, and subscriptions and consumers start when it succeeds.
 */
export async function connectNatsBus(options: NatsBusOptions): Promise<Bus> {
  const bus = new NatsBus(options);
  await bus.open(options);
  return bus;
}

/** Something that lives on a connection and is put on every new one. */
interface Attachment {
  start(nc: NatsConnection): void;
  stop(): void;
}

class NatsBus implements Bus {
  readonly counters = zeroCounters();
  readonly #logger: BusLogger;
  readonly #limits: StreamLimits;
  readonly #queueMaxBytes: number;
  readonly #attachments = new Set<Attachment>();
  readonly #appenders = new Map<string, NatsAppender>();
  readonly #dropListeners = new Set<DropListener>();
  readonly #stateListeners = new Set<(state: BusState) => void>();
  readonly #encoder = new TextEncoder();
  readonly #publishes = new PublishQueue((subject, payload, trace) => this.#publishNow(subject, payload, trace));
  #link: NatsLink | null = null;
  #nc: NatsConnection | null = null;
  #draining = false;
  /** Requests that this process is answering. */
  #answering = 0;

  constructor(options: NatsBusOptions) {
    this.#logger = options.logger ?? silentLogger;
    this.#queueMaxBytes = options.appendQueueBytes ?? 64 << 20;
    this.#limits = {
      ...(options.streamMaxBytes !== undefined && { maxBytes: options.streamMaxBytes }),
      ...(options.streamMaxAgeMs !== undefined && { maxAgeMs: options.streamMaxAgeMs }),
    };
  }

  async open(options: NatsBusOptions): Promise<void> {
    this.#link = await NatsLink.open({
      servers: options.servers,
      name: options.name,
      logger: this.#logger,
      onUp: (nc) => {
        this.#nc = nc;
        for (const attachment of this.#attachments) attachment.start(nc);
        this.#tellState('connected');
      },
      onDown: () => {
        this.#nc = null;
        for (const attachment of this.#attachments) attachment.stop();
        this.#tellState('disconnected');
      },
    });
  }

  state(): BusState {
    return this.#nc ? 'connected' : 'disconnected';
  }

  onState(listener: (state: BusState) => void): Unsubscribe {
    this.#stateListeners.add(listener);
    return () => this.#stateListeners.delete(listener);
  }

  publish<T extends Subject>(subject: T, payload: PayloadOf<T>, trace: TraceContext | null = null): void {
    try {
      if (this.#nc && !this.#draining) {
        this.#publishes.add(subject.name, Buffer.from(JSON.stringify(payload)), trace);
        return;
      }
    } catch (error) {
      this.#logger.warn(`cannot publish ${subject.name}: ${errorText(error)}`);
    }
    this.counters.publishDropped++;
  }

  #publishNow(subject: string, payload: Uint8Array, trace: TraceContext | null): void {
    try {
      if (this.#nc) {
        if (trace === null) this.#nc.publish(subject, payload);
        else this.#nc.publish(subject, payload, { headers: headersOf(trace) });
        this.counters.published++;
        return;
      }
    } catch (error) {
      this.#logger.warn(`cannot publish ${subject}: ${errorText(error)}`);
    }
    this.counters.publishDropped++;
  }

  subscribe<T extends Subject>(subject: T, handler: MessageHandler<PayloadOf<T>>): Unsubscribe {
    return this.#subscription(subject.name, undefined, (message) => {
      this.counters.received++;
      const payload = parseJson(message, subject.schema);
      if (!payload.ok) {
        this.counters.invalid++;
        this.#logger.warn(`invalid ${subject.name}: ${payload.reason}`);
        return;
      }
      this.#guard(subject.name, () => handler(payload.value as PayloadOf<T>, contextOf(message)));
    });
  }

  send(datagram: DatagramSubject, tokens: readonly string[], bytes: Uint8Array): void {
    const subject = subjectText(datagram, tokens);
    if (this.#draining) this.counters.publishDropped++;
    else this.#publishNow(subject, bytes, null);
  }

  receive(datagram: DatagramSubject, handler: DatagramHandler): Unsubscribe {
    const every = [datagram.name, ...datagram.parameters.map(() => '*')].join('.');
    return this.#subscription(every, undefined, (message) => {
      this.counters.received++;
      const tokens = message.subject.slice(datagram.name.length + 1).split('.');
      this.#guard(datagram.name, () => handler(tokens, message.data));
    });
  }

  async request<T extends RequestSubject>(
    subject: T,
    payload: RequestOf<T>,
    options?: RequestOptions,
  ): Promise<RequestOutcome<ReplyOf<T>>> {
    const timeout = options?.timeoutMs ?? 2000;
    if (!this.#nc || this.#draining) return unavailable('disconnected from NATS');
    this.#publishes.flush(); // what was said before is heard before
    try {
      const reply = await this.#nc.request(subject.name, this.#encoder.encode(JSON.stringify(payload)), { timeout });
      const failure = reply.headers?.get(ERROR_HEADER);
      if (failure) return unavailable(failure);
      const parsed = parseJson(reply, subject.reply);
      if (!parsed.ok) return unavailable(`invalid reply: ${parsed.reason}`);
      return { kind: 'reply', value: parsed.value as ReplyOf<T> };
    } catch (error) {
      return unavailable(explain(subject.name, error, timeout));
    }
  }

  respond<T extends RequestSubject>(
    subject: T,
    handler: (payload: ParsedRequestOf<T>) => Promise<ReplyOf<T>> | ReplyOf<T>,
  ): Unsubscribe {
    return this.#subscription(subject.name, RESPONDERS, (message) => {
      this.#answering++;
      void this.#answer(subject, message, handler).finally(() => this.#answering--);
    });
  }

  append(stream: StreamSubject, tokens: readonly string[], bytes: Uint8Array): void {
    let appender = this.#appenders.get(stream.name);
    if (!appender) {
      appender = new NatsAppender({
        stream,
        limits: this.#limits,
        queueMaxBytes: this.#queueMaxBytes,
        counters: this.counters,
        logger: this.#logger,
        onDrop: (dropped, of) => {
          for (const listener of this.#dropListeners) listener(dropped, of);
        },
      });
      this.#appenders.set(stream.name, appender);
      this.#attach(appender);
    }
    if (this.#draining) this.counters.appendDropped++;
    else appender.append(tokens, bytes);
  }

  onDrop(listener: DropListener): Unsubscribe {
    this.#dropListeners.add(listener);
    return () => this.#dropListeners.delete(listener);
  }

  consume(stream: StreamSubject, options: ConsumeOptions, handler: StreamHandler): Unsubscribe {
    const { counters } = this;
    return this.#attach(
      new NatsConsumer({ stream, limits: this.#limits, consume: options, handler, counters, logger: this.#logger }),
    );
  }

  async drain(): Promise<void> {
    if (this.#draining) return;
    this.#draining = true;
    this.#publishes.flush();
    const appenders = new Set<Attachment>(this.#appenders.values());
    for (const attachment of this.#attachments) if (!appenders.has(attachment)) attachment.stop();
    const deadline = performance.now() + DRAIN_MS;
    const busy = (): boolean => this.#answering > 0 || [...this.#appenders.values()].some((a) => !a.isEmpty);
    while (this.#nc && busy() && performance.now() < deadline) await sleep(10);
    // A server that does not answer must not hold up the end.
    await Promise.race([this.#nc?.flush().catch(() => undefined), sleep(1000, undefined, { ref: false })]);
    await this.#link?.close();
  }

  /** Keeps `attachment` on the present and every later connection. */
  #attach(attachment: Attachment): Unsubscribe {
    this.#attachments.add(attachment);
    if (this.#nc) attachment.start(this.#nc);
    return () => {
      this.#attachments.delete(attachment);
      attachment.stop();
    };
  }

  #subscription(name: string, queue: string | undefined, onMessage: (message: Msg) => void): Unsubscribe {
    let subscription: Subscription | null = null;
    return this.#attach({
      start: (nc) => {
        const callback = (error: Error | null, message: Msg): void => {
          if (error) this.#logger.warn(`subscription ${name}: ${errorText(error)}`);
          else onMessage(message);
        };
        subscription = nc.subscribe(name, queue === undefined ? { callback } : { callback, queue });
      },
      stop: () => {
        subscription?.unsubscribe();
        subscription = null;
      },
    });
  }

  #guard(name: string, run: () => void): void {
    try {
      run();
    } catch (error) {
      this.counters.handlerErrors++;
      this.#logger.warn(`handler of ${name} failed: ${error instanceof Error ? error.stack : String(error)}`);
    }
  }

  async #answer<T extends RequestSubject>(
    subject: T,
    message: Msg,
    handler: (payload: ParsedRequestOf<T>) => Promise<ReplyOf<T>> | ReplyOf<T>,
  ): Promise<void> {
    const request = parseJson(message, subject.request);
    try {
      if (!request.ok) {
        this.counters.invalid++;
        this.#refuse(subject, message, `invalid request: ${request.reason}`);
        return;
      }
      const reply = subject.reply.safeParse(await handler(request.value as ParsedRequestOf<T>));
      if (reply.success) message.respond(this.#encoder.encode(JSON.stringify(reply.data)));
      else this.#refuse(subject, message, `invalid reply: ${reply.error.message}`);
    } catch (error) {
      this.#refuse(subject, message, `the responder failed: ${errorText(error)}`);
    }
  }

  #refuse(subject: RequestSubject, message: Msg, reason: string): void {
    this.#logger.warn(`${subject.name}: ${reason}`);
    const answer = headers();
    answer.set(ERROR_HEADER, reason.replace(/\s+/g, ' ').slice(0, 1000));
    try {
      message.respond(undefined, { headers: answer });
    } catch {
      // The connection is gone, and the requester has found out by itself.
    }
  }

  #tellState(state: BusState): void {
    for (const listener of this.#stateListeners) listener(state);
  }
}

const TRACEPARENT = 'traceparent';
const TRACESTATE = 'tracestate';

/** The headers that OpenTelemetry's own NATS instrumentations use. */
function headersOf({ traceparent, tracestate }: TraceContext): MsgHdrs {
  const named = headers();
  named.set(TRACEPARENT, traceparent);
  if (tracestate !== null) named.set(TRACESTATE, tracestate);
  return named;
}

/** Most messages belong to no sampled trace and have no headers. Whoever goes on with the trace checks what it says. */
function contextOf({ headers: named }: Msg): TraceContext | null {
  const traceparent = named?.get(TRACEPARENT) ?? '';
  if (traceparent === '') return null;
  return { traceparent, tracestate: named!.get(TRACESTATE) || null };
}

type Parsed = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly reason: string };

function parseJson(message: Msg, schema: Subject['schema']): Parsed {
  let value: unknown;
  try {
    value = message.json();
  } catch (error) {
    return { ok: false, reason: errorText(error) };
  }
  const parsed = schema.safeParse(value);
  return parsed.success ? { ok: true, value: parsed.data } : { ok: false, reason: parsed.error.message };
}

function explain(name: string, error: unknown, timeoutMs: number): string {
  if (error instanceof errors.RequestError && error.isNoResponders()) return `nobody answers ${name}`;
  if (error instanceof errors.TimeoutError) return `no reply within ${timeoutMs} ms`;
  return errorText(error);
}
