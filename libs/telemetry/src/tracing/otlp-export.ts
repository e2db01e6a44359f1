import { createTraceState, SpanKind, SpanStatusCode, TraceFlags } from '@opentelemetry/api';
import type { Attributes, HrTime, SpanContext, SpanStatus } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchSpanProcessor } from '@opentelemetry/sdk-trace';
import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace';
import type { Logger } from '../logger.ts';
import type { RecordedSpan, SpanOrigin } from './recorded-span.ts';
import type { ExportCounters, SpanKindName } from './tracing.ts';
import type { TracingConfig } from './tracing-config.ts';

/** Takes finished spans to a receiver. Never throws, and nobody waits for it. */
export interface SpanExport {
  readonly counters: Readonly<ExportCounters>;
  add(span: RecordedSpan): void;
  /** Sends what was not sent yet, for a bounded time. */
  close(): Promise<void>;
}

type Resource = ReturnType<typeof resourceFromAttributes>;

/** Spans of one message to the receiver: they are encoded in one go, and no stream may wait for long. */
const EXPORT_BATCH = 256;
/** Spans that wait to be sent; more are dropped. */
const EXPORT_QUEUE = 4096;
const EXPORT_TIMEOUT_MS = 5000;
const CLOSE_MS = 3000;
const SCOPE = { name: 'sluice' };
const UNSET: SpanStatus = { code: SpanStatusCode.UNSET };

const KINDS: Readonly<Record<SpanKindName, SpanKind>> = {
  internal: SpanKind.INTERNAL,
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
};

/** Export by OpenTelemetry's batching and its encoder. The one file that loads its SDK (20 MB of memory). */
export function openOtlpExport(
  service: string,
  endpoint: string,
  { resource: attributes, exportDelayMs }: TracingConfig,
  logger: Logger,
): SpanExport {
  const counters: ExportCounters = { exported: 0, failed: 0 };
  const resource = resourceFromAttributes({ ...attributes, 'service.name': service });
  const batches = new BatchSpanProcessor({
    exporter: countingExporter(endpoint, counters, logger),
    maxExportBatchSize: EXPORT_BATCH,
    maxQueueSize: EXPORT_QUEUE,
    scheduledDelayMillis: exportDelayMs,
  });
  return {
    counters,
    add: (span) => batches.onEnd(new EncodableSpan(span, resource)),
    close: () =>
      Promise.race([
        batches.shutdown().catch(() => undefined),
        new Promise<void>((done) => setTimeout(done, CLOSE_MS).unref()),
      ]),
  };
}

/** Counts, and tells of changes alone: a receiver that is away must not fill the log, and no request hears of it. */
function countingExporter(url: string, counters: ExportCounters, logger: Logger): SpanExporter {
  const inner = new OTLPTraceExporter({ url, timeoutMillis: EXPORT_TIMEOUT_MS });
  let failing = false;
  return {
    export: (spans, done) => {
      inner.export(spans, ({ error }) => {
        if (error === undefined) counters.exported += spans.length;
        else counters.failed += spans.length;
        if (error !== undefined && !failing) logger.warn({ url, err: error }, 'spans cannot be sent');
        if (error === undefined && failing) logger.info({ url }, 'spans are being sent again');
        failing = error !== undefined;
        done({ code: 0 });
      });
    },
    shutdown: () => inner.shutdown(),
  };
}

/** A span as OpenTelemetry's encoder reads it: plain fields, because it reads each of them twice. */
class EncodableSpan implements ReadableSpan {
  readonly name: string;
  readonly kind: SpanKind;
  readonly spanContext: () => SpanContext;
  readonly parentSpanContext?: SpanContext;
  readonly startTime: HrTime;
  readonly endTime: HrTime;
  readonly duration: HrTime;
  readonly ended = true;
  readonly status: SpanStatus;
  readonly attributes: Attributes;
  readonly events: ReadableSpan['events'];
  readonly links: ReadableSpan['links'] = [];
  readonly resource: Resource;
  readonly instrumentationScope = SCOPE;
  readonly droppedAttributesCount = 0;
  readonly droppedEventsCount = 0;
  readonly droppedLinksCount = 0;

  constructor(span: RecordedSpan, resource: Resource) {
    const { origin, failure, startMs } = span;
    const endMs = span.endMs!;
    const context = contextOf(origin, span.spanId, false);
    this.name = span.name;
    this.kind = KINDS[span.kind];
    this.spanContext = () => context;
    if (origin.parentSpanId !== null) {
      this.parentSpanContext = contextOf(origin, origin.parentSpanId, origin.isRemote);
    }
    this.startTime = hrTime(startMs);
    this.endTime = hrTime(endMs);
    this.duration = hrTime(endMs - startMs);
    this.status = failure === null ? UNSET : { code: SpanStatusCode.ERROR, message: failure };
    this.attributes = span.attributes as Attributes;
    this.events = span.events.map(({ name, atMs, attributes }) => {
      return { name, time: hrTime(atMs), attributes: attributes as Attributes };
    });
    this.resource = resource;
  }
}

function contextOf({ traceId, tracestate }: SpanOrigin, spanId: string, isRemote: boolean): SpanContext {
  const traceFlags = TraceFlags.SAMPLED;
  if (tracestate === null) return { traceId, spanId, traceFlags, isRemote };
  return { traceId, spanId, traceFlags, isRemote, traceState: createTraceState(tracestate) };
}

/** Seconds and nanoseconds. */
function hrTime(ms: number): HrTime {
  const nanos = Math.round((ms % 1000) * 1e6);
  return nanos < 1e9 ? [Math.floor(ms / 1000), nanos] : [Math.floor(ms / 1000) + 1, 0];
}
