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
import { errorText, firstToDeliver, silentLogger, subjectText, unavailable, zeroCounters } from './bus.ts';
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
import { MemoryStream } from './memory-stream.ts';

export interface MemoryBusOptions {
  readonly logger?: BusLogger;
  /** Bound of what one stream keeps for `from: 'start'`. Default 64 MiB. */
  readonly streamMaxBytes?: number;
}

/** Entries handed to one consumer before other work gets a turn. */
const CONSUME_BATCH = 512;
const DRAIN_MS = 5000;

/**
 * A bus within one process. Deliveries are asynchronous and in order, as over a network, so that a publisher never runs
 * its subscribers' code.
 */
export function createMemoryBus(options: MemoryBusOptions = {}): Bus {
  return new MemoryBus(options);
}

interface Subscriber {
  readonly schema: Subject['schema'];
  readonly handler: MessageHandler<never>;
}

interface Responder {
  readonly subject: RequestSubject;
  readonly handler: (payload: never) => unknown;
}

class MemoryBus implements Bus {
  readonly counters = zeroCounters();
  readonly #logger: BusLogger;
  readonly #streamMaxBytes: number;
  readonly #subscribers = new Map<string, Set<Subscriber>>();
  readonly #receivers = new Map<string, Set<DatagramHandler>>();
  readonly #responders = new Map<string, Responder[]>();
  readonly #streams = new Map<string, { stream: MemoryStream; consumers: Set<Consumer> }>();
  readonly #stateListeners = new Set<(state: BusState) => void>();
  #queue: (() => void)[] = [];
  #scheduled = false;
  #state: BusState = 'connected';
  /** Requests that are being answered. */
  #answering = 0;

  constructor(options: MemoryBusOptions) {
    this.#logger = options.logger ?? silentLogger;
    this.#streamMaxBytes = options.streamMaxBytes ?? 64 << 20;
  }

  state(): BusState {
    return this.#state;
  }

  onState(listener: (state: BusState) => void): Unsubscribe {
    this.#stateListeners.add(listener);
    return () => this.#stateListeners.delete(listener);
  }

  publish<T extends Subject>(subject: T, payload: PayloadOf<T>, trace: TraceContext | null = null): void {
    if (this.#state === 'disconnected') {
      this.counters.publishDropped++;
      return;
    }
    this.counters.published++;
    const subscribers = this.#subscribers.get(subject.name);
    if (!subscribers || subscribers.size === 0) return;
    // The copy is made now: the publisher may change its object afterwards.
    const text = JSON.stringify(payload);
    this.#later(() => {
      for (const { schema, handler } of [...subscribers]) {
        this.counters.received++;
        const parsed = schema.safeParse(JSON.parse(text));
        if (parsed.success) this.#guard(subject.name, () => handler(parsed.data as never, trace));
        else {
          this.counters.invalid++;
          this.#logger.warn(`invalid ${subject.name}: ${parsed.error.message}`);
        }
      }
    });
  }

  subscribe<T extends Subject>(subject: T, handler: MessageHandler<PayloadOf<T>>): Unsubscribe {
    const subscribers = this.#subscribers.get(subject.name) ?? new Set();
    this.#subscribers.set(subject.name, subscribers);
    const subscriber: Subscriber = { schema: subject.schema, handler };
    subscribers.add(subscriber);
    return () => subscribers.delete(subscriber);
  }

  send(datagram: DatagramSubject, tokens: readonly string[], bytes: Uint8Array): void {
    subjectText(datagram, tokens);
    if (this.#state === 'disconnected') {
      this.counters.publishDropped++;
      return;
    }
    this.counters.published++;
    const receivers = this.#receivers.get(datagram.name);
    if (!receivers || receivers.size === 0) return;
    this.#later(() => {
      for (const handler of [...receivers]) {
        this.counters.received++;
        this.#guard(datagram.name, () => handler(tokens, bytes));
      }
    });
  }

  receive(datagram: DatagramSubject, handler: DatagramHandler): Unsubscribe {
    const receivers = this.#receivers.get(datagram.name) ?? new Set();
    this.#receivers.set(datagram.name, receivers);
    const receiver: DatagramHandler = (tokens, bytes) => handler(tokens, bytes);
    receivers.add(receiver);
    return () => receivers.delete(receiver);
  }

  async request<T extends RequestSubject>(
    subject: T,
    payload: RequestOf<T>,
    options?: RequestOptions,
  ): Promise<RequestOutcome<ReplyOf<T>>> {
    if (this.#state === 'disconnected') return unavailable('the bus is closed');
    const responders = this.#responders.get(subject.name);
    const responder = responders?.shift();
    if (!responders || !responder) return unavailable(`nobody answers ${subject.name}`);
    // Each in turn.
    responders.push(responder);

    const timeoutMs = options?.timeoutMs ?? 2000;
    const text = JSON.stringify(payload);
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(unavailable(`no reply within ${timeoutMs} ms`)), timeoutMs);
      this.#later(() => {
        void this.#answer(subject, responder, JSON.parse(text)).then((outcome) => {
          clearTimeout(timer);
          if (outcome.kind === 'unavailable') this.#logger.warn(`${subject.name}: ${outcome.reason}`);
          resolve(outcome);
        });
      });
    });
  }

  respond<T extends RequestSubject>(
    subject: T,
    handler: (payload: ParsedRequestOf<T>) => Promise<ReplyOf<T>> | ReplyOf<T>,
  ): Unsubscribe {
    const responders = this.#responders.get(subject.name) ?? [];
    this.#responders.set(subject.name, responders);
    const responder: Responder = { subject, handler };
    responders.push(responder);
    return () => {
      const at = responders.indexOf(responder);
      if (at >= 0) responders.splice(at, 1);
    };
  }

  append(stream: StreamSubject, tokens: readonly string[], bytes: Uint8Array): void {
    subjectText(stream, tokens);
    if (this.#state === 'disconnected') {
      this.counters.appendDropped++;
      return;
    }
    this.counters.appended++;
    const { stream: log, consumers } = this.#streamOf(stream);
    log.push({ tokens, bytes });
    for (const consumer of consumers) this.#wake(consumer);
  }

  /** Nothing is ever dropped here: an append is stored at once. */
  onDrop(_listener: DropListener): Unsubscribe {
    return () => undefined;
  }

  consume(stream: StreamSubject, options: ConsumeOptions, handler: StreamHandler): Unsubscribe {
    const { stream: log, consumers } = this.#streamOf(stream);
    const { from } = options;
    const next = firstToDeliver(from, log.lastSeq);
    const consumer: Consumer = { name: stream.name, log, filter: options.filter ?? null, handler, next, awake: false };
    consumers.add(consumer);
    this.#wake(consumer);
    return () => {
      consumers.delete(consumer);
      consumer.next = Infinity;
    };
  }

  async drain(): Promise<void> {
    if (this.#state === 'disconnected') return;
    const deadline = performance.now() + DRAIN_MS;
    while (this.#isBusy() && performance.now() < deadline) await sleep(1);
    this.#state = 'disconnected';
    this.#subscribers.clear();
    this.#receivers.clear();
    this.#responders.clear();
    this.#streams.clear();
    for (const listener of this.#stateListeners) listener('disconnected');
  }

  /** Runs a responder; a failure or a payload that does not fit becomes an outcome. */
  async #answer<T extends RequestSubject>(
    subject: T,
    responder: Responder,
    payload: unknown,
  ): Promise<RequestOutcome<ReplyOf<T>>> {
    const request = responder.subject.request.safeParse(payload);
    if (!request.success) {
      this.counters.invalid++;
      return unavailable(`invalid request: ${request.error.message}`);
    }
    this.#answering++;
    try {
      const reply = subject.reply.safeParse(await responder.handler(request.data as never));
      if (!reply.success) return unavailable(`invalid reply: ${reply.error.message}`);
      return { kind: 'reply', value: reply.data as ReplyOf<T> };
    } catch (error) {
      return unavailable(`the responder failed: ${errorText(error)}`);
    } finally {
      this.#answering--;
    }
  }

  #isBusy(): boolean {
    if (this.#scheduled || this.#answering > 0) return true;
    for (const { consumers } of this.#streams.values())
      for (const consumer of consumers) if (consumer.awake) return true;
    return false;
  }

  #streamOf(subject: StreamSubject): { stream: MemoryStream; consumers: Set<Consumer> } {
    let found = this.#streams.get(subject.name);
    if (!found) {
      found = { stream: new MemoryStream(this.#streamMaxBytes), consumers: new Set() };
      this.#streams.set(subject.name, found);
    }
    return found;
  }

  #wake(consumer: Consumer): void {
    if (consumer.awake) return;
    consumer.awake = true;
    setImmediate(() => this.#pump(consumer));
  }

  #pump(consumer: Consumer): void {
    const { log } = consumer;
    // What the stream discarded before this consumer came to it is skipped.
    if (consumer.next < log.firstSeq) consumer.next = log.firstSeq;
    const end = Math.min(log.lastSeq, consumer.next + CONSUME_BATCH - 1);
    while (consumer.next <= end) {
      const seq = consumer.next++;
      const entry = log.at(seq);
      if (consumer.filter && !matches(consumer.filter, entry.tokens)) continue;
      this.counters.consumed++;
      try {
        consumer.handler(entry.tokens, entry.bytes, seq);
      } catch (error) {
        this.#handlerError(consumer.name, error);
      }
    }
    consumer.awake = false;
    if (consumer.next <= log.lastSeq) this.#wake(consumer);
  }

  #later(task: () => void): void {
    this.#queue.push(task);
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      const queue = this.#queue;
      this.#queue = [];
      this.#scheduled = false;
      for (const run of queue) run();
    });
  }

  #guard(name: string, run: () => void): void {
    try {
      run();
    } catch (error) {
      this.#handlerError(name, error);
    }
  }

  #handlerError(name: string, error: unknown): void {
    this.counters.handlerErrors++;
    this.#logger.warn(`handler of ${name} failed: ${error instanceof Error ? error.stack : String(error)}`);
  }
}

interface Consumer {
  readonly name: string;
  readonly log: MemoryStream;
  readonly filter: readonly string[] | null;
  readonly handler: StreamHandler;
  /** Sequence to deliver next. */
  next: number;
  /** A pump is scheduled. */
  awake: boolean;
}

const matches = (filter: readonly string[], tokens: readonly string[]): boolean =>
  filter.every((want, i) => want === '*' || want === tokens[i]);
