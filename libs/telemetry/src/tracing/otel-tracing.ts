import { createTraceState, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import type { Attributes, HrTime, Span as ApiSpan, SpanContext, Tracer } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  TracerProvider,
  TraceIdRatioBasedSampler,
} from '@opentelemetry/sdk-trace';
import type { ReadableSpan, Sampler, SpanExporter, SpanProcessor } from '@opentelemetry/sdk-trace';
import type { TraceContext, TraceSpan } from '@sluice/contracts';
import type { Logger } from '../logger.ts';
import { SpanClock } from './span-clock.ts';
import { SpanRing } from './span-ring.ts';
import { formatTraceparent, parseTraceparent } from './trace-context.ts';
import { NO_SPAN } from './tracing.ts';
import type { ExportCounters, Span, SpanAttributes, SpanKindName, SpanOptions, Tracing } from './tracing.ts';
import type { TracingConfig } from './tracing-config.ts';

const SCOPE = 'sluice';
/** Spans of one message to the receiver: they are encoded in one go, and no stream may wait for long. */
const EXPORT_BATCH = 256;
/** Spans that wait to be sent; more are dropped. */
const EXPORT_QUEUE = 4096;
/** Candidates of a decision are events: so many of them at most. */
const MAX_EVENTS = 256;
const EXPORT_TIMEOUT_MS = 5000;
const CLOSE_MS = 3000;

const KINDS: Readonly<Record<SpanKindName, SpanKind>> = {
  internal: SpanKind.INTERNAL,
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
};
const KIND_NAMES = Object.fromEntries(Object.entries(KINDS).map(([name, kind]) => [kind, name as SpanKindName]));
const STATUS_NAMES = ['unset', 'ok', 'error'] as const;

/** Tracing by OpenTelemetry's SDK. The one file that loads it. */
export class OtelTracing implements Tracing {
  readonly isOn = true;
  readonly kept: SpanRing<ReadableSpan | TraceSpan>;
  readonly counters: ExportCounters = { exported: 0, failed: 0 };
  readonly #clock = new SpanClock();
  readonly #roots: Tracer;
  readonly #followers: Tracer;
  readonly #providers: readonly TracerProvider[];

  constructor(service: string, config: TracingConfig, logger: Logger) {
    this.kept = new SpanRing(config.keptSpans, traceIdOf, (span) => ('resource' in span ? viewOf(span) : span));
    const resource = resourceFromAttributes({ ...config.resource, 'service.name': service });
    const spanProcessors: SpanProcessor[] = [keeper(this.kept)];
    if (config.endpoint !== null) {
      spanProcessors.push(
        new BatchSpanProcessor({
          exporter: this.#exporter(config.endpoint, logger),
          maxExportBatchSize: EXPORT_BATCH,
          maxQueueSize: EXPORT_QUEUE,
          scheduledDelayMillis: config.exportDelayMs,
        }),
      );
    }
    const provider = (sampler: Sampler): TracerProvider =>
      new TracerProvider({ resource, spanProcessors, sampler, spanLimits: { eventCountLimit: MAX_EVENTS } });
    // What goes on with a sampled trace is sampled, whatever the share of those that begin here.
    this.#providers = [provider(samplerOf(config)), provider(new AlwaysOnSampler())];
    [this.#roots, this.#followers] = this.#providers.map((each) => each.getTracer(SCOPE)) as [Tracer, Tracer];
  }

  start(name: string, parent: TraceContext | null, options: SpanOptions = {}): Span {
    const remote = parent === null ? null : remoteOf(parent);
    const base = remote === null ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, remote);
    const span = this.#roots.startSpan(name, startOptions(this.#clock, options), base);
    if (span.isRecording()) return new RecordedSpan(this.#followers, this.#clock, span);
    return { ...NO_SPAN, context: contextOfSpan(span.spanContext()) };
  }

  follow(name: string, parent: TraceContext | null, options: SpanOptions = {}): Span {
    const remote = parent === null ? null : remoteOf(parent);
    if (remote === null || remote.traceFlags === 0) return NO_SPAN;
    const base = trace.setSpanContext(ROOT_CONTEXT, remote);
    const span = this.#followers.startSpan(name, startOptions(this.#clock, options), base);
    return new RecordedSpan(this.#followers, this.#clock, span);
  }

  receive(spans: readonly TraceSpan[]): void {
    for (const span of spans) this.kept.add(span);
  }

  async close(): Promise<void> {
    const [first] = this.#providers;
    // Both share their processors.
    await Promise.race([
      first!.shutdown().catch(() => undefined),
      new Promise((done) => setTimeout(done, CLOSE_MS).unref()),
    ]);
  }

  /** Counts, and tells of changes alone: a receiver that is away must not fill the log, and no request hears of it. */
  #exporter(url: string, logger: Logger): SpanExporter {
    const inner = new OTLPTraceExporter({ url, timeoutMillis: EXPORT_TIMEOUT_MS });
    let failing = false;
    return {
      export: (spans, done) => {
        inner.export(spans, ({ error }) => {
          if (error === undefined) this.counters.exported += spans.length;
          else this.counters.failed += spans.length;
          if (error !== undefined && !failing) logger.warn({ url, err: error }, 'spans cannot be sent');
          if (error === undefined && failing) logger.info({ url }, 'spans are being sent again');
          failing = error !== undefined;
          done({ code: 0 });
        });
      },
      shutdown: () => inner.shutdown(),
    };
  }
}

class RecordedSpan implements Span {
  readonly isRecorded = true;
  readonly #tracer: Tracer;
  readonly #clock: SpanClock;
  readonly #span: ApiSpan;
  #context: TraceContext | null = null;

  constructor(tracer: Tracer, clock: SpanClock, span: ApiSpan) {
    this.#tracer = tracer;
    this.#clock = clock;
    this.#span = span;
  }

  get context(): TraceContext {
    return (this.#context ??= contextOfSpan(this.#span.spanContext()));
  }

  child(name: string, options: SpanOptions = {}): Span {
    const base = trace.setSpan(ROOT_CONTEXT, this.#span);
    const span = this.#tracer.startSpan(name, startOptions(this.#clock, options), base);
    return new RecordedSpan(this.#tracer, this.#clock, span);
  }

  set(attributes: SpanAttributes): void {
    this.#span.setAttributes(attributes as Attributes);
  }

  event(name: string, atMs: number, attributes?: SpanAttributes): void {
    this.#span.addEvent(name, attributes as Attributes | undefined, this.#clock.at(atMs));
  }

  fail(message: string): void {
    this.#span.setStatus({ code: SpanStatusCode.ERROR, message });
  }

  end(atMs?: number): void {
    this.#span.end(atMs === undefined ? this.#clock.now() : this.#clock.at(atMs));
  }
}

function startOptions(clock: SpanClock, { kind, startMs, attributes }: SpanOptions) {
  return {
    kind: KINDS[kind ?? 'internal'],
    startTime: startMs === undefined ? clock.now() : clock.at(startMs),
    ...(attributes !== undefined && { attributes: attributes as Attributes }),
  };
}

function samplerOf({ sampler, ratio }: TracingConfig): Sampler {
  const [, parentBased, root] = /^(parentbased_)?(.*)$/.exec(sampler)!;
  const own =
    root === 'always_on'
      ? new AlwaysOnSampler()
      : root === 'always_off'
        ? new AlwaysOffSampler()
        : new TraceIdRatioBasedSampler(ratio);
  return parentBased === undefined ? own : new ParentBasedSampler({ root: own });
}

function remoteOf({ traceparent, tracestate }: TraceContext): SpanContext | null {
  const parsed = parseTraceparent(traceparent);
  if (parsed === null) return null;
  const { traceId, spanId, sampled } = parsed;
  const traceState = tracestate === null ? undefined : createTraceState(tracestate);
  return { traceId, spanId, traceFlags: sampled ? 1 : 0, isRemote: true, ...(traceState && { traceState }) };
}

function contextOfSpan({ traceId, spanId, traceFlags, traceState }: SpanContext): TraceContext {
  const tracestate = traceState?.serialize() ?? '';
  const traceparent = formatTraceparent(traceId, spanId, (traceFlags & 1) === 1);
  return { traceparent, tracestate: tracestate === '' ? null : tracestate };
}

const nothing = (): Promise<void> => Promise.resolve();

const keeper = (ring: SpanRing<ReadableSpan | TraceSpan>): SpanProcessor => ({
  onStart: () => undefined,
  onEnd: (span) => ring.add(span),
  forceFlush: nothing,
  shutdown: nothing,
});

const traceIdOf = (span: ReadableSpan | TraceSpan): string =>
  'resource' in span ? span.spanContext().traceId : span.traceId;

const millis = ([seconds, nanos]: HrTime): number => seconds * 1e3 + nanos / 1e6;

const viewOf = (span: ReadableSpan): TraceSpan => ({
  traceId: span.spanContext().traceId,
  spanId: span.spanContext().spanId,
  parentSpanId: span.parentSpanContext?.spanId ?? null,
  name: span.name,
  kind: KIND_NAMES[span.kind]!,
  service: String(span.resource.attributes['service.name']),
  startMs: millis(span.startTime),
  durationMs: millis(span.duration),
  status: STATUS_NAMES[span.status.code],
  statusMessage: span.status.message ?? null,
  attributes: span.attributes as TraceSpan['attributes'],
  events: span.events.map(({ name, time, attributes }) => ({
    name,
    atMs: millis(time),
    attributes: (attributes ?? {}) as TraceSpan['attributes'],
  })),
  links: span.links.map(({ context: { traceId, spanId } }) => ({ traceId, spanId })),
});
