import type { IncomingHttpHeaders } from 'node:http';
import { requestHeaders } from '@sluice/upstream';

/**
 * Headers by which a gateway or a router tells an engine or a sidecar where to go. From a client they are dropped: no
 * request may name an address or a rank that discovery did not.
 */
const DESTINATION: ReadonlySet<string> = new Set([
  'x-gateway-destination-endpoint',
  'x-gateway-destination-endpoint-served',
  'x-data-parallel-rank',
  'x-prefiller-host-port',
  'x-prefiller-url',
  'x-encoder-hosts-ports',
  'x-data-parallel-host-port',
  'x-kv-transfer-params',
]);

/** Of a trace that goes on here: engines are told where it does. */
const TRACE: ReadonlySet<string> = new Set(['traceparent', 'tracestate']);

const isDestination = (name: string): boolean => DESTINATION.has(name) || name.startsWith('x-sluice-');

const isOurs = (name: string): boolean => TRACE.has(name) || isDestination(name);

/**
 * The client's headers as an engine may see them, as a flat list name, value, ...
 * @param traced without those of its trace, because a span of ours stands between the two
 */
export const forwardableHeaders = (headers: IncomingHttpHeaders, traced: boolean): string[] =>
  requestHeaders(headers, traced ? isOurs : isDestination);

/** The session that a client names in a header, or null. */
export function sessionOf(headers: IncomingHttpHeaders): string | null {
  const value = headers['x-session-id'];
  return typeof value === 'string' && value !== '' ? value : null;
}

/** Headers that the router adds to an answer. A client's request id comes back where the engine does not send it. */
export function responseHeaders(headers: IncomingHttpHeaders, worker: string, decisionId: string): string[] {
  const out = ['x-sluice-worker', worker, 'x-sluice-decision-id', decisionId];
  const requestId = headers['x-request-id'];
  if (typeof requestId === 'string') out.push('x-request-id', requestId);
  return out;
}
