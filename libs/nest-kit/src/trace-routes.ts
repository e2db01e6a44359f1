import type { Traces, TraceSpan } from '@sluice/contracts';
import { decodeOtlpSpans } from '@sluice/telemetry';
import type { Tracing } from '@sluice/telemetry';
import { z } from 'zod';
import type { HttpServer } from './platform-routes.ts';
import { problemOf } from './problem.ts';

const listQuery = z.object({
  limit: z.coerce.number().int().min(1).max(1000).default(50),
  decision: z.string().optional(),
});
type Summary = Traces['traces'][number];

/**
 * `/traces` and `/traces/:id`: what a service still keeps of recent traces. `POST /v1/traces` takes spans of engines (OTLP
 * over HTTP, protobuf), so that a trace can be read to its end without a collector.
 */
export function traceRoutes(http: HttpServer, base: string, tracing: Tracing): void {
  http.get(`${base}/traces`, async ({ query }, reply) => {
    const parsed = listQuery.safeParse(query);
    if (!parsed.success) {
      reply.code(400);
      return problem(400, 'invalid_request', z.prettifyError(parsed.error));
    }
    const { limit, decision } = parsed.data;
    const wanted = (summary: Summary): boolean => decision === undefined || summary.decisionId === decision;
    return { enabled: tracing.isOn, traces: summaries(tracing.kept.all()).filter(wanted).slice(0, limit) };
  });
  http.get(`${base}/traces/:traceId`, async ({ params }, reply) => {
    const { traceId } = params as { traceId: string };
    const spans = tracing.kept.trace(traceId);
    if (spans.length > 0) return { traceId, spans };
    reply.code(404);
    const why = tracing.isOn ? 'is not, or no longer, kept here' : 'is not here: tracing is off';
    return problem(404, 'not_found', `trace '${traceId}' ${why}`);
  });
  http.post(`${base}/v1/traces`, async ({ body }, reply) => {
    reply.type('application/x-protobuf');
    try {
      if (tracing.isOn) tracing.receive(decodeOtlpSpans(body as Uint8Array));
      return Buffer.alloc(0);
    } catch {
      reply.code(400);
      return Buffer.alloc(0);
    }
  });
}

/** The traces of `spans`, newest first. */
function summaries(spans: readonly TraceSpan[]): Summary[] {
  const byTrace = Map.groupBy(spans, ({ traceId }) => traceId);
  return Array.from(byTrace, ([traceId, own]) => summaryOf(traceId, own)).sort((a, b) => b.startMs - a.startMs);
}

function summaryOf(traceId: string, spans: readonly TraceSpan[]): Summary {
  const own = new Set(spans.map(({ spanId }) => spanId));
  const tops = spans.filter(({ parentSpanId }) => parentSpanId === null || !own.has(parentSpanId));
  const first = tops.reduce((a, b) => (b.startMs < a.startMs ? b : a), tops[0] ?? spans[0]!);
  const startMs = Math.min(...spans.map((span) => span.startMs));
  const endMs = Math.max(...spans.map((span) => span.startMs + span.durationMs));
  const decisionId = spans.map(({ attributes }) => attributes['sluice.decision.id']).find((id) => id !== undefined);
  return {
    traceId,
    name: first.name,
    startMs,
    durationMs: endMs - startMs,
    spans: spans.length,
    failed: spans.some(({ status }) => status === 'error'),
    decisionId: typeof decisionId === 'string' ? decisionId : null,
  };
}

const problem = (status: number, code: string, message: string): object => {
  const { type } = problemOf({ statusCode: status });
  return { error: { message, type, code } };
};
