import type { TraceSpan } from '@sluice/contracts';
import { count, decimal } from '../numbers.ts';
import { stylesOf, widthOf } from '../speaker.ts';
import type { Speaker } from '../speaker.ts';

/** A line of the waterfall: a span, or an event in it. */
interface Row {
  readonly name: string;
  readonly service: string;
  readonly startMs: number;
  /** Null for an event. */
  readonly durationMs: number | null;
  readonly error: string | null;
}

const GAP = 2;
const LEAST_BAR = 16;
/** Eighths of a character, so that short spans show where they are and how long. */
const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'] as const;

/** A trace as text: what it was, and each span below the one that caused it, on one axis of time. */
export function traceLines(traceId: string, spans: readonly TraceSpan[], speaker: Speaker): string[] {
  const { bold, faint, bad } = stylesOf(speaker);
  const rows = rowsOf(spans);
  const firstMs = Math.min(...spans.map(({ startMs }) => startMs));
  const wholeMs = Math.max(...spans.map(({ startMs, durationMs }) => startMs + durationMs)) - firstMs;
  const names = Math.max(...rows.map(({ name }) => name.length));
  const services = Math.max(...rows.map(({ service }) => service.length));
  const times = rows.map(({ startMs, durationMs }) =>
    durationMs === null ? `@${decimal(startMs - firstMs)}` : decimal(durationMs),
  );
  const numbers = Math.max('ms'.length, ...times.map((time) => time.length));
  const bars = Math.max(LEAST_BAR, widthOf(speaker) - names - services - numbers - 3 * GAP);
  const line = (name: string, service: string, time: string, bar: string): string =>
    [name.padEnd(names), service.padEnd(services), time.padStart(numbers), bar].join(' '.repeat(GAP)).trimEnd();
  const end = decimal(wholeMs);
  const axis = `0${end.padStart(bars - 1)}`;
  return [
    bold(`trace ${traceId}`),
    ...summary(spans).map(faint),
    '',
    faint(line('', '', 'ms', axis)),
    ...rows.flatMap((row, i) => {
      const bar = barOf(row, firstMs, wholeMs, bars);
      const text = line(row.name, row.service, times[i]!, bar);
      return row.error === null
        ? [text]
        : [bad(text), bad(`${' '.repeat(indentOf(row.name) + 2)}failed: ${row.error}`)];
    }),
  ];
}

/** Who took part, and where to read on. */
function summary(spans: readonly TraceSpan[]): string[] {
  const services = new Set(spans.map(({ service }) => shortName(service)));
  const decisions = new Set(spans.map(({ attributes }) => attributes['sluice.decision.id']).filter(Boolean));
  const at = new Date(spans[0]!.startMs).toISOString();
  return [
    `${at}, ${count(spans.length)} ${spans.length === 1 ? 'span' : 'spans'} of ${[...services].join(', ')}`,
    ...[...decisions].map((id) => `why this worker: sluice explain ${String(id)}`),
  ];
}

/** Depth first; spans whose parent is not here stand at the left. */
function rowsOf(spans: readonly TraceSpan[]): Row[] {
  const own = new Set(spans.map(({ spanId }) => spanId));
  const children = Map.groupBy(spans, ({ parentSpanId }) => (own.has(parentSpanId ?? '') ? parentSpanId : null));
  const rows: Row[] = [];
  const seen = new Set<string>();
  const visit = (span: TraceSpan, depth: number): void => {
    // a receiver may be told anything: no span twice, and so no end that never comes
    if (seen.has(span.spanId)) return;
    seen.add(span.spanId);
    const indent = '  '.repeat(depth);
    const service = shortName(span.service);
    const candidates = span.events.filter(({ name }) => name === 'candidate').length;
    rows.push({
      name: `${indent}${span.name}${candidates === 0 ? '' : ` (of ${candidates})`}`,
      service,
      startMs: span.startMs,
      durationMs: span.durationMs,
      error: span.status === 'error' ? (span.statusMessage ?? 'no reason given') : null,
    });
    for (const { name, atMs } of span.events) {
      if (name !== 'candidate')
        rows.push({ name: `${indent}  ${name}`, service, startMs: atMs, durationMs: null, error: null });
    }
    for (const child of children.get(span.spanId) ?? []) visit(child, depth + 1);
  };
  for (const span of children.get(null) ?? []) visit(span, 0);
  return rows;
}

const shortName = (service: string): string => service.replace(/^sluice-/, '');
const indentOf = (name: string): number => name.length - name.trimStart().length;

/** `width` characters for the whole time; what is shorter than an eighth of one is a thin line, an event a diamond. */
function barOf({ startMs, durationMs }: Row, firstMs: number, wholeMs: number, width: number): string {
  const scale = wholeMs > 0 ? width / wholeMs : 0;
  const from = Math.min(width - 1, Math.floor((startMs - firstMs) * scale));
  const before = ' '.repeat(Math.max(0, from));
  if (durationMs === null) return `${before}◆`;
  const eighths = Math.round(Math.min(durationMs * scale, width - from) * 8);
  const bar = '█'.repeat(Math.floor(eighths / 8)) + EIGHTHS[eighths % 8]!;
  return before + (bar === '' ? '▏' : bar);
}
