import type { TraceContext, TraceSpan } from '@sluice/contracts';
import type { SpanExport } from './otlp-export.ts';
import { RecordedSpan, UnsampledSpan } from './recorded-span.ts';
import type { SpanSink } from './recorded-span.ts';
import { isSampled, samplingOf } from './sampling.ts';
import type { Sampling, TraceShare } from './sampling.ts';
import { SpanClock } from './span-clock.ts';
import { SpanRing } from './span-ring.ts';
import { formatTraceparent, parseTraceparent } from './trace-context.ts';
import { newSpanId, newTraceId } from './trace-ids.ts';
import { NO_SPAN, NOT_SENT } from './tracing.ts';
import type { ExportCounters, Span, SpanOptions, Tracing } from './tracing.ts';
import type { TracingConfig } from './tracing-config.ts';

/**
 * Makes the spans of a service and keeps the last ones. Requests that are not sampled, which are nearly all, cost the
 * decision and one header; what goes to a receiver is OpenTelemetry's, and loaded only where there is one.
 */
export class SpanRecorder implements Tracing, SpanSink {
  readonly clock = new SpanClock();
  readonly service: string;
  readonly kept: SpanRing<RecordedSpan | TraceSpan>;
  readonly #config: TracingConfig;
  readonly #export: SpanExport | null;
  #sampling: Sampling;

  /** @param spanExport takes the finished spans; null: they are only kept */
  constructor(service: string, config: TracingConfig, spanExport: SpanExport | null) {
    this.service = service;
    this.kept = new SpanRing<RecordedSpan | TraceSpan>(
      config.keptSpans,
      (span) => span.traceId,
      (span) => (span instanceof RecordedSpan ? span.view() : span),
    );
    this.#config = config;
    this.#export = spanExport;
    this.#sampling = samplingOf(config.sampler, config.ratio, null);
  }

  get counters(): Readonly<ExportCounters> {
    return this.#export?.counters ?? NOT_SENT;
  }

  get isOn(): boolean {
    return this.#sampling.isOn;
  }

  setShare(share: TraceShare | null): void {
    this.#sampling = samplingOf(this.#config.sampler, this.#config.ratio, share);
  }

  start(name: string, parent: TraceContext | null, options: SpanOptions = {}): Span {
    if (!this.#sampling.isOn) return NO_SPAN;
    const from = parent === null ? null : parseTraceparent(parent.traceparent);
    const traceId = from?.traceId ?? newTraceId();
    const tracestate = from === null ? null : parent!.tracestate;
    if (isSampled(this.#sampling, traceId, from?.sampled ?? null)) {
      const origin = { traceId, parentSpanId: from?.spanId ?? null, isRemote: from !== null, tracestate };
      return new RecordedSpan(this, origin, name, options);
    }
    // What the client says is what engines are to hear: it passes through as it is.
    if (from?.sampled === false) return NO_SPAN;
    return new UnsampledSpan({ traceparent: formatTraceparent(traceId, newSpanId(), false), tracestate });
  }

  follow(name: string, parent: TraceContext | null, options: SpanOptions = {}): Span {
    const from = parent === null ? null : parseTraceparent(parent.traceparent);
    if (from === null || !from.sampled) return NO_SPAN;
    const { traceId, spanId } = from;
    const origin = { traceId, parentSpanId: spanId, isRemote: true, tracestate: parent!.tracestate };
    return new RecordedSpan(this, origin, name, options);
  }

  ended(span: RecordedSpan): void {
    this.kept.add(span);
    this.#export?.add(span);
  }

  receive(spans: readonly TraceSpan[]): void {
    for (const span of spans) this.kept.add(span);
  }

  async close(): Promise<void> {
    await this.#export?.close();
  }
}
