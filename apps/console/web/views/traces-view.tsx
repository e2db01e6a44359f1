import type { Trace, Traces, TraceSpan } from '@sluice/contracts';
import { useEffect, useState } from 'preact/hooks';
import { clock, count, duration } from '../format.ts';
import { useListKeys } from '../keyboard.ts';
import { AdminError, getJson } from '../net/admin.ts';
import { Empty, Panel, usePolledAll } from '../parts/small.tsx';
import { goTo, hrefOf, route } from '../state/route.ts';
import { routers, services } from '../state/services.ts';
import { waterfallOf } from '../state/waterfall.ts';
import type { SpanRow } from '../state/waterfall.ts';

const POLL_MS = 3000;
const MOST = 200;

const PATHS = routers.map((router) => `${router}/traces?limit=${MOST}`);

/** The traces that the routers still keep, and the spans of one over all services. */
export function TracesView() {
  const { id } = route.value;
  const told = usePolledAll<Traces>(PATHS, POLL_MS);
  const list = told.kind === 'value' ? latestOf(told.value) : [];
  useEffect(() =>
    useListKeys({
      move: (by) => {
        // where the reader is now: a key may come before the page is drawn for the last one
        const from = route.value.id;
        const at = list.findIndex(({ traceId }) => traceId === from);
        const next = list[Math.max(0, Math.min(list.length - 1, at + by))];
        if (next !== undefined) goTo('traces', next.traceId, from !== null);
      },
    }),
  );
  return (
    <div class="traces">
      <Panel
        title="Traces"
        note={told.kind === 'value' ? `${count(list.length)} kept by ${routers.join(', ')}` : ''}
        class="table"
      >
        {told.kind === 'error' && <p class="reason">{told.message}</p>}
        {told.kind === 'value' && list.length === 0 && (
          <Empty title={isOn(told.value) ? 'No trace yet.' : 'Tracing is off.'}>
            {isOn(told.value) ? 'Sampled requests appear here.' : 'docs/tracing.md says how to turn it on.'}
          </Empty>
        )}
        <div class="scroll trace-list">
          {list.map(({ traceId, name, startMs, durationMs, spans, failed }) => (
            <a class="row trace-row" href={hrefOf('traces', traceId)} aria-selected={traceId === id} key={traceId}>
              <span class="soft">{clock(startMs)}</span>
              <span class={`name ${failed ? 'bad' : ''}`}>{name}</span>
              <span class="number">{count(spans)} spans</span>
              <span class="number">{duration(durationMs)}</span>
            </a>
          ))}
        </div>
      </Panel>
      {id === null ? (
        <section class="panel hint">
          <Empty title="One request through every service.">Select a trace to see its spans.</Empty>
        </section>
      ) : (
        <Spans traceId={id} key={id} />
      )}
    </div>
  );
}

const isOn = (told: readonly Traces[]): boolean => told.some(({ enabled }) => enabled);

const latestOf = (told: readonly Traces[]): Traces['traces'] =>
  told
    .flatMap(({ traces }) => traces)
    .sort((a, b) => b.startMs - a.startMs)
    .slice(0, MOST);

/** Spans of a trace that a service keeps; one that keeps none, or is not there, has none to show. */
async function spansOf(service: string, traceId: string): Promise<readonly TraceSpan[]> {
  try {
    return (await getJson<Trace>(`${service}/traces/${encodeURIComponent(traceId)}`)).spans;
  } catch (error) {
    if (error instanceof AdminError) return [];
    throw error;
  }
}

function Spans({ traceId }: { traceId: string }) {
  const [spans, setSpans] = useState<readonly TraceSpan[] | null>(null);
  const [opened, setOpened] = useState<string | null>(null);
  useEffect(() => {
    let isHere = true;
    let timer: ReturnType<typeof setTimeout> | undefined;
    // Spans are kept when they end: those of a request in flight come one by one.
    const load = async (): Promise<void> => {
      const all = await Promise.all(services.map((service) => spansOf(service, traceId)));
      if (!isHere) return;
      setSpans(all.flat());
      timer = setTimeout(() => void load(), POLL_MS);
    };
    void load();
    return () => {
      isHere = false;
      clearTimeout(timer);
    };
  }, [traceId]);
  if (spans === null) return <section class="panel" aria-busy="true" />;
  const { rows, durationMs, startMs } = waterfallOf(spans);
  if (rows.length === 0) {
    return (
      <section class="panel hint">
        <Empty title="No service keeps this trace any more." />
      </section>
    );
  }
  const involved = [...new Set(rows.map(({ span }) => span.service))];
  const decision = rows
    .map(({ span }) => span.attributes['sluice.decision.id'])
    .find((value) => typeof value === 'string');
  return (
    <Panel
      class="trace"
      title={rows[0]!.span.name}
      note={`${clock(startMs, true)}, ${duration(durationMs)}, ${rows.length} spans of ${involved.length === 1 ? 'one service' : `${involved.length} services`}`}
      tools={typeof decision === 'string' && <a href={hrefOf('requests', decision)}>Why this worker</a>}
    >
      <div class="legend pad">
        {involved.map((service, place) => (
          <span key={service}>
            <i class={`tone-${place % 8}`} /> {service}
          </span>
        ))}
        <span class="mono soft">{traceId}</span>
      </div>
      <div class="waterfall">
        {rows.map((row) => (
          <SpanLine
            row={row}
            tone={involved.indexOf(row.span.service) % 8}
            startMs={startMs}
            wholeMs={durationMs}
            isOpen={opened === row.span.spanId}
            onToggle={() => setOpened(opened === row.span.spanId ? null : row.span.spanId)}
            key={row.span.spanId}
          />
        ))}
      </div>
    </Panel>
  );
}

interface SpanLineProps {
  readonly row: SpanRow;
  readonly tone: number;
  readonly startMs: number;
  readonly wholeMs: number;
  readonly isOpen: boolean;
  readonly onToggle: () => void;
}

function SpanLine({ row, tone, startMs, wholeMs, isOpen, onToggle }: SpanLineProps) {
  const { span, depth, from, to } = row;
  return (
    <>
      <button type="button" class="span-row" aria-expanded={isOpen} onClick={onToggle}>
        <span class={`name ${span.status === 'error' ? 'bad' : ''}`} style={{ paddingLeft: `${depth * 14}px` }}>
          {span.name}
        </span>
        <span class="number">{duration(span.durationMs)}</span>
        <span class="span-track">
          <i class={`tone-${tone}`} style={{ left: `${from * 100}%`, width: `max(2px, ${(to - from) * 100}%)` }} />
          {span.events.map(({ name, atMs }, i) => (
            <b
              style={{ left: `${wholeMs === 0 ? 0 : Math.min(100, (100 * (atMs - startMs)) / wholeMs)}%` }}
              title={`${name} at ${duration(atMs - startMs)}`}
              key={i}
            />
          ))}
        </span>
      </button>
      {isOpen && <SpanDetails span={span} startMs={startMs} />}
    </>
  );
}

const SpanDetails = ({ span, startMs }: { span: TraceSpan; startMs: number }) => (
  <div class="span-details">
    {span.statusMessage !== null && <p class="reason">{span.statusMessage}</p>}
    <dl class="settings">
      {Object.entries({ service: span.service, kind: span.kind, ...span.attributes }).map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{String(value)}</dd>
        </div>
      ))}
    </dl>
    {span.events.map(({ name, atMs, attributes }, i) => (
      <p class="span-event" key={i}>
        <span class="number">{duration(atMs - startMs)}</span> <strong>{name}</strong>{' '}
        <span class="soft">
          {Object.entries(attributes)
            .map(([key, value]) => `${key} ${String(value)}`)
            .join(', ')}
        </span>
      </p>
    ))}
  </div>
);
