import type { TraceContext, TraceSpan } from '@sluice/contracts';
import type { SpanClock } from './span-clock.ts';
import { formatTraceparent } from './trace-context.ts';
import { newSpanId } from './trace-ids.ts';
import type { AttributeValue, Span, SpanAttributes, SpanKindName, SpanOptions } from './tracing.ts';

/** Who hears of spans: what all spans of a service share. */
export interface SpanSink {
  readonly clock: SpanClock;
  readonly service: string;
  /** The span has ended and changes no more. */
  ended(span: RecordedSpan): void;
}

/** What a span goes on from. */
export interface SpanOrigin {
  readonly traceId: string;
  /** Null: the trace begins with it. */
  readonly parentSpanId: string | null;
  /** Whether the parent is a span of another process. */
  readonly isRemote: boolean;
  readonly tracestate: string | null;
}

interface SpanEvent {
  readonly name: string;
  readonly atMs: number;
  readonly attributes: Record<string, AttributeValue>;
}

/** Of names and texts that come from requests; what is longer is cut. */
const MAX_TEXT = 1024;

/** A span of a sampled trace: plain fields, which become what a reader or a receiver wants when there is one. */
export class RecordedSpan implements Span {
  readonly isRecorded = true;
  readonly origin: SpanOrigin;
  readonly spanId: string;
  readonly name: string;
  readonly kind: SpanKindName;
  /** Milliseconds since the Unix epoch, as the end. */
  readonly startMs: number;
  readonly attributes: Record<string, AttributeValue> = {};
  readonly events: SpanEvent[] = [];
  endMs: number | null = null;
  /** Why it failed, or null. */
  failure: string | null = null;
  readonly #sink: SpanSink;
  #context: TraceContext | null = null;

  constructor(sink: SpanSink, origin: SpanOrigin, name: string, { kind, startMs, attributes }: SpanOptions) {
    this.#sink = sink;
    this.origin = origin;
    this.spanId = newSpanId();
    this.name = cut(name);
    this.kind = kind ?? 'internal';
    this.startMs = startMs === undefined ? sink.clock.now() : sink.clock.at(startMs);
    if (attributes !== undefined) this.set(attributes);
  }

  get traceId(): string {
    return this.origin.traceId;
  }

  get context(): TraceContext {
    return (this.#context ??= {
      traceparent: formatTraceparent(this.origin.traceId, this.spanId, true),
      tracestate: this.origin.tracestate,
    });
  }

  child(name: string, options: SpanOptions = {}): Span {
    const { traceId, tracestate } = this.origin;
    const origin = { traceId, parentSpanId: this.spanId, isRemote: false, tracestate };
    return new RecordedSpan(this.#sink, origin, name, options);
  }

  set(attributes: SpanAttributes): void {
    copy(attributes, this.attributes);
  }

  event(name: string, atMs: number, attributes: SpanAttributes = {}): void {
    this.events.push({ name, atMs: this.#sink.clock.at(atMs), attributes: copy(attributes, {}) });
  }

  fail(message: string): void {
    this.failure = cut(message);
  }

  end(atMs?: number): void {
    if (this.endMs !== null) return;
    const { clock } = this.#sink;
    this.endMs = Math.max(this.startMs, atMs === undefined ? clock.now() : clock.at(atMs));
    this.#sink.ended(this);
  }

  /** As the admin API shows it. */
  view(): TraceSpan {
    const { origin, spanId, name, kind, startMs, attributes, events, failure } = this;
    return {
      traceId: origin.traceId,
      spanId,
      parentSpanId: origin.parentSpanId,
      name,
      kind,
      service: this.#sink.service,
      startMs,
      durationMs: this.endMs! - startMs,
      status: failure === null ? 'unset' : 'error',
      statusMessage: failure,
      attributes: attributes as TraceSpan['attributes'],
      events: events as TraceSpan['events'],
      links: [],
    };
  }
}

/** Of a trace that is not sampled, where others are to be told so. */
export class UnsampledSpan implements Span {
  readonly isRecorded = false;
  readonly traceId = null;
  readonly context: TraceContext;

  constructor(context: TraceContext) {
    this.context = context;
  }

  child(): Span {
    return this;
  }
  set(): void {}
  event(): void {}
  fail(): void {}
  end(): void {}
}

/** Copies what is there and returns where to. */
function copy(from: SpanAttributes, to: Record<string, AttributeValue>): Record<string, AttributeValue> {
  for (const name in from) {
    const value = from[name];
    if (value !== undefined) to[name] = typeof value === 'string' ? cut(value) : value;
  }
  return to;
}

const cut = (text: string): string => (text.length > MAX_TEXT ? text.slice(0, MAX_TEXT) : text);
