import type { TraceContext } from '@sluice/contracts';

const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const ZEROS = /^0+$/;
/** Of a tracestate header, by the standard; a longer one is not passed on. */
const MAX_TRACESTATE = 512;

export interface ParsedTraceparent {
  readonly traceId: string;
  readonly spanId: string;
  readonly sampled: boolean;
}

/** The parts of a W3C `traceparent`; null when it is none: then the trace begins anew, as the standard wants. */
export function parseTraceparent(text: string): ParsedTraceparent | null {
  const [, version, traceId, spanId, flags, rest] = TRACEPARENT.exec(text) ?? [];
  if (version === undefined || traceId === undefined || spanId === undefined || flags === undefined) return null;
  // Version 00 has four parts and no more; later ones may have more, ff is none.
  if (version === 'ff' || (version === '00' && rest !== undefined)) return null;
  if (ZEROS.test(traceId) || ZEROS.test(spanId)) return null;
  return { traceId, spanId, sampled: (parseInt(flags, 16) & 1) === 1 };
}

export const formatTraceparent = (traceId: string, spanId: string, sampled: boolean): string =>
  `00-${traceId}-${spanId}-${sampled ? '01' : '00'}`;

/** The context in headers of a request or a message; null when there is none that is valid. */
export function contextOf(traceparent: unknown, tracestate: unknown): TraceContext | null {
  if (typeof traceparent !== 'string' || parseTraceparent(traceparent) === null) return null;
  const isUsable = typeof tracestate === 'string' && tracestate !== '' && tracestate.length <= MAX_TRACESTATE;
  return { traceparent, tracestate: isUsable ? tracestate : null };
}
