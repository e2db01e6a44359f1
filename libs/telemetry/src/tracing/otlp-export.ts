import { createTraceState, SpanKind, SpanStatusCode, TraceFlags } from '@opentelemetry/api';
import type { Attributes, HrTime, SpanContext } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchSpanProcessor } from '@opentelemetry/sdk-trace';
import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace';
import type { Logger } from '../logger.ts';
import type { RecordedSpan } from './recorded-span.ts';
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
    add: (span) => batches.onEnd(readableOf(span, resource)),
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

function readableOf(span: RecordedSpan, resource: Resource): ReadableSpan {
  const { traceId, parentSpanId, isRemote, tracestate } = span.origin;
  const traceState = tracestate === null ? null : createTraceState(tracestate);
  const contextOf = (spanId: string): SpanContext => ({
    traceId,
    spanId,
    traceFlags: TraceFlags.SAMPLED,
    ...(traceState !== null && { traceState }),
  });
  const own = contextOf(span.spanId);
  const { failure } = span;
  const endMs = span.endMs!;
  return {
    name: span.name,
    kind: KINDS[span.kind],
    spanContext: () => own,
    ...(parentSpanId !== null && { parentSpanContext: { ...contextOf(parentSpanId), isRemote } }),
    startTime: hrTime(span.startMs),
    endTime: hrTime(endMs),
    duration: hrTime(endMs - span.startMs),
    ended: true,
    status: failure === null ? { code: SpanStatusCode.UNSET } : { code: SpanStatusCode.ERROR, message: failure },
    attributes: span.attributes as Attributes,
    events: span.events.map(({ name, atMs, attributes: of }) => ({
      name,
      time: hrTime(atMs),
      attributes: of as Attributes,
    })),
    links: [],
    resource,
    instrumentationScope: SCOPE,
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0,
  };
}

/** Seconds and nanoseconds. */
function hrTime(ms: number): HrTime {
  const nanos = Math.round((ms % 1000) * 1e6);
  return nanos < 1e9 ? [Math.floor(ms / 1000), nanos] : [Math.floor(ms / 1000) + 1, 0];
}
