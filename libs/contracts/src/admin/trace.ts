import { z } from 'zod';
import type { View } from './view.ts';

const attributeValue = z.union([
  z.string(),
  z.number(),
  z.boolean(),
  z.null(),
  z.array(z.union([z.string(), z.number(), z.boolean(), z.null()])),
]);
const attributes = () => z.record(z.string(), attributeValue);

/** One span, finished. */
export const traceSpanSchema = z.object({
  traceId: z.string(),
  spanId: z.string(),
  parentSpanId: z.string().nullable().describe('Null for the first span; it may be a span of the client, and not here'),
  name: z.string(),
  kind: z.enum(['internal', 'server', 'client', 'producer', 'consumer']),
  service: z.string().describe("service.name of the span's resource"),
  startMs: z.number().describe('Milliseconds since the Unix epoch, by the clock of its process'),
  durationMs: z.number(),
  status: z.enum(['unset', 'ok', 'error']),
  statusMessage: z.string().nullable(),
  attributes: attributes(),
  events: z.array(z.object({ name: z.string(), atMs: z.number(), attributes: attributes() })),
  links: z.array(z.object({ traceId: z.string(), spanId: z.string() })),
});
export type TraceSpan = View<typeof traceSpanSchema>;

/** `GET /traces/ID` of a service: the spans of a trace that this service still keeps, in the order of their start. */
export const traceSchema = z.object({ traceId: z.string(), spans: z.array(traceSpanSchema) });
export type Trace = View<typeof traceSchema>;

/** `GET /traces` of a service: the traces that it still keeps spans of, newest first. */
export const tracesSchema = z.object({
  enabled: z.boolean().describe('Whether this process makes traces at all'),
  traces: z.array(
    z.object({
      traceId: z.string(),
      name: z.string().describe('Of its first span here'),
      startMs: z.number(),
      durationMs: z.number().describe('From the start of the first span here to the end of the last'),
      spans: z.number().int(),
      failed: z.boolean().describe('Whether a span of it ended with an error'),
      decisionId: z.string().nullable().describe('Of a routed request: x-sluice-decision-id of its answer'),
    }),
  ),
});
export type Traces = View<typeof tracesSchema>;
