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

export type BusState = 'connected' | 'disconnected';
export type Unsubscribe = () => void;

/** A reply, or why there is none: nobody answers, the responder failed, time ran out, the bus is disconnected. */
export type RequestOutcome<A> =
  { readonly kind: 'reply'; readonly value: A } | { readonly kind: 'unavailable'; readonly reason: string };

export interface RequestOptions {
  /** Default 2000. */
  readonly timeoutMs?: number;
}

/** One token per parameter of the stream; `*` takes any. */
export type StreamFilter = readonly string[];

export interface ConsumeOptions {
  /**
   * `start`: everything that the stream still holds; `new`: what is appended from now on; a number: that stream sequence
   * and later. When that one is gone the oldest held comes first; when the stream never reached the one before it, it is
   * another stream than the caller knew and is delivered from its start.
   */
  readonly from: 'start' | 'new' | number;
  /** Default: every token combination. */
  readonly filter?: StreamFilter;
}

/** `trace`: the context that the publisher gave, or null. */
export type MessageHandler<P> = (payload: P, trace: TraceContext | null) => void;
export type StreamHandler = (tokens: readonly string[], bytes: Uint8Array, streamSeq: number) => void;
export type DatagramHandler = (tokens: readonly string[], bytes: Uint8Array) => void;
export type DropListener = (stream: StreamSubject, tokens: readonly string[]) => void;

/** Running totals since the bus was made. */
export interface BusCounters {
  published: number;
  /** JSON messages that were not sent: disconnected, or larger than the server takes. */
  publishDropped: number;
  received: number;
  /** Received and thrown away: not JSON, or not what the subject's schema says. */
  invalid: number;
  /** Handlers that threw. */
  handlerErrors: number;
  appended: number;
  appendDropped: number;
  /** Bytes that wait to be stored by the stream; a level, not a total. */
  appendQueuedBytes: number;
  consumed: number;
}

/**
 * Everything that crosses between services. A message is a subject of `@sluice/contracts` with its payload; nothing here
 * throws for a broken connection, and a handler that throws is counted and logged and stops nothing.
 */
export interface Bus {
  state(): BusState;
  /** Calls `listener` on every change of {@link Bus.state}. */
  onState(listener: (state: BusState) => void): Unsubscribe;
  readonly counters: Readonly<BusCounters>;

  /**
   * To every subscriber that is there now, at most once. While disconnected it is dropped and counted.
   * @param trace the sampled trace that the message belongs to; absent or null for all others, which then cost nothing
   */
  publish<T extends Subject>(subject: T, payload: PayloadOf<T>, trace?: TraceContext | null): void;
  /** Payloads are validated on receipt; invalid ones are counted and dropped. Lasts over reconnects. */
  subscribe<T extends Subject>(subject: T, handler: MessageHandler<PayloadOf<T>>): Unsubscribe;

  /**
   * To every receiver that is there now, at most once. Waits for no other message to share a write with; the bus owns the
   * bytes from then on. While disconnected it is dropped and counted.
   */
  send(datagram: DatagramSubject, tokens: readonly string[], bytes: Uint8Array): void;
  /** Calls `handler` for each datagram, whatever its tokens; the sender's own come back too. Lasts over reconnects. */
  receive(datagram: DatagramSubject, handler: DatagramHandler): Unsubscribe;

  /** Asks one of the responders of `subject`. Never rejects. */
  request<T extends RequestSubject>(
    subject: T,
    payload: RequestOf<T>,
    options?: RequestOptions,
  ): Promise<RequestOutcome<ReplyOf<T>>>;
  /** Each request goes to one responder, whichever process it lives in. */
  respond<T extends RequestSubject>(
    subject: T,
    handler: (payload: ParsedRequestOf<T>) => Promise<ReplyOf<T>> | ReplyOf<T>,
  ): Unsubscribe;

  /**
   * Queues `bytes` for the stream and returns at once; the bus owns the bytes from then on. Appends of this bus are stored
   * in order. While the stream cannot be reached they wait, up to a bound in bytes; past it the oldest are dropped, counted
   * and told to {@link Bus.onDrop}. After a broken connection a run of messages may be stored twice, in order: receivers
   * tell by the epoch and sequence in the message.
   */
  append(stream: StreamSubject, tokens: readonly string[], bytes: Uint8Array): void;
  /** Calls `listener` for each message that {@link Bus.append} gave up. */
  onDrop(listener: DropListener): Unsubscribe;
  /**
   * Calls `handler` for each stored message in stream order. Goes on by itself after a broken connection (where it was)
   * and after the stream was lost and made again (from its new start). Messages that the stream discarded are skipped.
   */
  consume(stream: StreamSubject, options: ConsumeOptions, handler: StreamHandler): Unsubscribe;

  /** Sends what is queued, waits for handlers at work, closes. Afterwards nothing is sent or received. */
  drain(): Promise<void>;
}

export interface BusLogger {
  info(message: string): void;
  warn(message: string): void;
}

/** Subject text of one message, `<name>.<token>.<token>`. @throws RangeError when the tokens do not fit the subject (a bug). */
export function subjectText(stream: StreamSubject | DatagramSubject, tokens: readonly string[]): string {
  if (tokens.length !== stream.parameters.length) {
    throw new RangeError(`${stream.name} takes ${stream.parameters.length} tokens (${stream.parameters.join(', ')})`);
  }
  for (const token of tokens) {
    if (!/^[^\s.*>]+$/.test(token)) throw new RangeError(`'${token}' cannot be a token of ${stream.name}`);
  }
  return [stream.name, ...tokens].join('.');
}

/** Sequence that a consumer gets first, given the stream's last. */
export function firstToDeliver(from: ConsumeOptions['from'], lastSeq: number): number {
  if (from === 'start') return 1;
  if (from === 'new') return lastSeq + 1;
  return from > lastSeq + 1 ? 1 : from;
}

export const unavailable = (reason: string): { readonly kind: 'unavailable'; readonly reason: string } => ({
  kind: 'unavailable',
  reason,
});

export const errorText = (error: unknown): string => (error instanceof Error ? error.message : String(error));

export const zeroCounters = (): BusCounters => ({
  published: 0,
  publishDropped: 0,
  received: 0,
  invalid: 0,
  handlerErrors: 0,
  appended: 0,
  appendDropped: 0,
  appendQueuedBytes: 0,
  consumed: 0,
});

export const silentLogger: BusLogger = { info: () => undefined, warn: () => undefined };
