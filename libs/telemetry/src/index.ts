export { createLogger } from './logger.ts';
export type { Logger, LoggerOptions, LogLevel } from './logger.ts';
export { createMetrics, mergeMetrics } from './metrics.ts';
export type {
  Counter,
  Gauge,
  Histogram,
  HistogramOptions,
  MetricDefinition,
  MetricOptions,
  Metrics,
  MetricsOptions,
} from './metrics.ts';
export { contextOf, parseTraceparent } from './tracing/trace-context.ts';
export type { ParsedTraceparent } from './tracing/trace-context.ts';
export { openTracing } from './tracing/open-tracing.ts';
export { NO_SPAN, NO_TRACING } from './tracing/tracing.ts';
export type {
  AttributeValue,
  ExportCounters,
  KeptSpans,
  Span,
  SpanAttributes,
  SpanKindName,
  SpanOptions,
  Tracing,
} from './tracing/tracing.ts';
export type { TraceShare } from './tracing/sampling.ts';
export { parseTracingConfig } from './tracing/tracing-config.ts';
export type { ParsedTracing, SamplerId, TracingConfig } from './tracing/tracing-config.ts';
export { Attribute, GenAi } from './tracing/semantics.ts';
export { decodeOtlpSpans } from './tracing/otlp-spans.ts';
export { followMessage } from './tracing/follow-message.ts';
export { BatchSpans } from './tracing/batch-spans.ts';
export type { BatchId } from './tracing/batch-spans.ts';
