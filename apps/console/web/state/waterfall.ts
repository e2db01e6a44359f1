import type { TraceSpan } from '@sluice/contracts';

export interface SpanRow {
  readonly span: TraceSpan;
  /** How many spans it is within. */
  readonly depth: number;
  /** Of the whole trace, 0 to 1. */
  readonly from: number;
  readonly to: number;
}

export interface Waterfall {
  readonly startMs: number;
  readonly durationMs: number;
  readonly rows: readonly SpanRow[];
}

/** Spans below the span that they belong to, in the order of their start; those whose parent is not here stand alone. */
export function waterfallOf(spans: readonly TraceSpan[]): Waterfall {
  const unique = [...new Map(spans.map((span) => [span.spanId, span])).values()].sort((a, b) => a.startMs - b.startMs);
  if (unique.length === 0) return { startMs: 0, durationMs: 0, rows: [] };
  const startMs = unique[0]!.startMs;
  const durationMs = Math.max(...unique.map((span) => span.startMs + span.durationMs)) - startMs;
  const known = new Set(unique.map(({ spanId }) => spanId));
  const children = Map.groupBy(unique, ({ parentSpanId }) => (known.has(parentSpanId ?? '') ? parentSpanId : null));
  const shareOf = (ms: number): number => (durationMs === 0 ? 0 : Math.min(1, (ms - startMs) / durationMs));
  const rows: SpanRow[] = [];
  const walk = (parent: string | null, depth: number): void => {
    for (const span of children.get(parent) ?? []) {
      rows.push({ span, depth, from: shareOf(span.startMs), to: shareOf(span.startMs + span.durationMs) });
      walk(span.spanId, depth + 1);
    }
  };
  walk(null, 0);
  return { startMs, durationMs, rows };
}
