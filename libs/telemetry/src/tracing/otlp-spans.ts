import type { TraceSpan } from '@sluice/contracts';
import { ProtobufReader } from './protobuf-reader.ts';

type Value = TraceSpan['attributes'][string];
type Attributes = Record<string, Value>;
type Fields = { -readonly [Key in keyof TraceSpan]: TraceSpan[Key] };

const KINDS = ['internal', 'internal', 'server', 'client', 'producer', 'consumer'] as const;
const STATUSES = ['unset', 'ok', 'error'] as const;

/**
 * The spans of an OTLP ExportTraceServiceRequest in protobuf (opentelemetry/proto/trace/v1/trace.proto).
 * @throws RangeError when the bytes are none
 */
export function decodeOtlpSpans(bytes: Uint8Array): TraceSpan[] {
  const spans: TraceSpan[] = [];
  const request = new ProtobufReader(bytes);
  while (request.next()) {
    if (request.field === 1) resourceSpans(request.message(), spans);
    else request.skip();
  }
  return spans;
}

function resourceSpans(message: ProtobufReader, spans: TraceSpan[]): void {
  const resource: Attributes = {};
  const first = spans.length;
  while (message.next()) {
    if (message.field === 1) each(message.message(), 1, (field) => keyValue(field.message(), resource));
    else if (message.field === 2) {
      each(message.message(), 2, (field) => spans.push(spanOf(field.message())));
    } else message.skip();
  }
  const service = String(resource['service.name'] ?? 'unknown_service');
  for (let i = first; i < spans.length; i++) spans[i] = { ...spans[i]!, service };
}

function spanOf(message: ProtobufReader): TraceSpan {
  const attributes: Attributes = {};
  const events: TraceSpan['events'][number][] = [];
  const links: TraceSpan['links'][number][] = [];
  const span: Fields = {
    traceId: '',
    spanId: '',
    parentSpanId: null,
    name: '',
    kind: 'internal',
    service: '',
    startMs: 0,
    durationMs: 0,
    status: 'unset',
    statusMessage: null,
    attributes,
    events,
    links,
  };
  let endMs = 0;
  while (message.next()) {
    if (message.field === 1) span.traceId = hex(message);
    else if (message.field === 2) span.spanId = hex(message);
    else if (message.field === 4) span.parentSpanId = hex(message) || null;
    else if (message.field === 5) span.name = message.text();
    else if (message.field === 6) span.kind = KINDS[message.integer()] ?? 'internal';
    else if (message.field === 7) span.startMs = message.nanosAsMs();
    else if (message.field === 8) endMs = message.nanosAsMs();
    else if (message.field === 9) keyValue(message.message(), attributes);
    else if (message.field === 11) events.push(eventOf(message.message()));
    else if (message.field === 13) links.push(linkOf(message.message()));
    else if (message.field === 15) status(message.message(), span);
    else message.skip();
  }
  span.durationMs = endMs - span.startMs;
  return span;
}

function eventOf(message: ProtobufReader): TraceSpan['events'][number] {
  const attributes: Attributes = {};
  let atMs = 0;
  let name = '';
  while (message.next()) {
    if (message.field === 1) atMs = message.nanosAsMs();
    else if (message.field === 2) name = message.text();
    else if (message.field === 3) keyValue(message.message(), attributes);
    else message.skip();
  }
  return { name, atMs, attributes };
}

function linkOf(message: ProtobufReader): TraceSpan['links'][number] {
  let traceId = '';
  let spanId = '';
  while (message.next()) {
    if (message.field === 1) traceId = hex(message);
    else if (message.field === 2) spanId = hex(message);
    else message.skip();
  }
  return { traceId, spanId };
}

function status(message: ProtobufReader, span: Fields): void {
  while (message.next()) {
    if (message.field === 2) span.statusMessage = message.text();
    else if (message.field === 3) span.status = STATUSES[message.integer()] ?? 'unset';
    else message.skip();
  }
}

function keyValue(message: ProtobufReader, into: Attributes): void {
  let key = '';
  let value: Value = null;
  while (message.next()) {
    if (message.field === 1) key = message.text();
    else if (message.field === 2) value = anyValue(message.message());
    else message.skip();
  }
  into[key] = value;
}

/** Maps and bytes, which no span here needs, become null. */
function anyValue(message: ProtobufReader): Value {
  let value: Value = null;
  while (message.next()) {
    if (message.field === 1) value = message.text();
    else if (message.field === 2) value = message.integer() !== 0;
    else if (message.field === 3) value = message.integer();
    else if (message.field === 4) value = message.double();
    else if (message.field === 5) {
      const items: (string | number | boolean | null)[] = [];
      each(message.message(), 1, (field) => {
        const item = anyValue(field.message());
        items.push(Array.isArray(item) ? null : (item as string | number | boolean | null));
      });
      value = items;
    } else message.skip();
  }
  return value;
}

/** Calls `visit` at every field with this number. */
function each(message: ProtobufReader, field: number, visit: (message: ProtobufReader) => unknown): void {
  while (message.next()) {
    if (message.field === field) visit(message);
    else message.skip();
  }
}

const hex = (message: ProtobufReader): string => Buffer.from(message.bytes()).toString('hex');
