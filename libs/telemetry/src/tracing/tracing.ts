import type { TraceContext, TraceSpan } from '@sluice/contracts';
import type { TraceShare } from './sampling.ts';

export type SpanKindName = TraceSpan['kind'];
export type AttributeValue = string | number | boolean | readonly string[] | readonly number[];
/** Values that are undefined are left out. */
export type SpanAttributes = Readonly<Record<string, AttributeValue | undefined>>;

export interface SpanOptions {
  /** Default `internal`. */
  readonly kind?: SpanKindName;
  /** Milliseconds of performance.now or since the Unix epoch, as all times of spans. Default: now. */
  readonly startMs?: number;
  readonly attributes?: SpanAttributes;
}

/** A span that is being made, or nothing where its trace is not sampled: the calls are the same and cost nothing then. */
export interface Span {
  /** False: nothing is recorded, and attributes need not be gathered. */
  readonly isRecorded: boolean;
  /** Null where nothing is recorded. */
  readonly traceId: string | null;
  /** What those are told who go on with the trace; null: nothing, or what the client says. */
  readonly context: TraceContext | null;
  child(name: string, options?: SpanOptions): Span;
  set(attributes: SpanAttributes): void;
  event(name: string, atMs: number, attributes?: SpanAttributes): void;
  /** Marks it as failed. */
  fail(message: string): void;
  end(atMs?: number): void;
}

/** Spans of recent traces, for the admin API. */
export interface KeptSpans {
  /** Of one trace, in the order of their start. */
  trace(traceId: string): TraceSpan[];
  /** Every span kept, oldest first. */
  all(): TraceSpan[];
}

/** What became of finished spans that were to be sent. */
export interface ExportCounters {
  exported: number;
  /** Lost: the receiver was away or refused them. */
  failed: number;
}

/** Where nothing is sent. */
export const NOT_SENT: Readonly<ExportCounters> = { exported: 0, failed: 0 };

/** Makes the spans of one service. Nothing here throws or waits for a receiver of spans. */
export interface Tracing {
  /** Whether traces may begin here. */
  readonly isOn: boolean;
  readonly kept: KeptSpans;
  readonly counters: Readonly<ExportCounters>;
  /** The first span here of what a client began, sampled by the configuration. `parent`: what the client sent, or null. */
  start(name: string, parent: TraceContext | null, options?: SpanOptions): Span;
  /** From now on traces are taken of this share of the requests whose clients do not decide; null: as configured. */
  setShare(share: TraceShare | null): void;
  /** Goes on with a trace that is sampled already, whatever the share of those that begin here. Without a context, as messages of other requests come: nothing. */
  follow(name: string, parent: TraceContext | null, options?: SpanOptions): Span;
  /** Keeps finished spans of others, such as engines, beside its own. */
  receive(spans: readonly TraceSpan[]): void;
  /** Sends what was not sent yet, for a bounded time. */
  close(): Promise<void>;
}

/** Of requests that are not traced. */
export const NO_SPAN: Span = {
  isRecorded: false,
  traceId: null,
  context: null,
  child: () => NO_SPAN,
  set: () => undefined,
  event: () => undefined,
  fail: () => undefined,
  end: () => undefined,
};

/** Where tracing is disabled, for good. */
export const NO_TRACING: Tracing = {
  isOn: false,
  kept: { trace: () => [], all: () => [] },
  counters: NOT_SENT,
  setShare: () => undefined,
  start: () => NO_SPAN,
  follow: () => NO_SPAN,
  receive: () => undefined,
  close: () => Promise.resolve(),
};
