import type { ComponentChildren } from 'preact';
import type { LiveLatency } from '@sluice/contracts';
import { count, duration, percent, rate, short } from '../format.ts';
import { Spark } from '../parts/small.tsx';
import { ratePerS } from '../state/latency.ts';
import { routers } from '../state/services.ts';
import { live } from '../state/store.ts';
import { sumsOf } from '../state/workers.ts';

/** Slots of a curve: five minutes. */
const CURVE = 60;

/** The state of the whole in one line. */
export function FleetNumbers({ onTrouble }: { onTrouble: () => void }) {
  const { workers, totals, latencies } = live;
  const sums = sumsOf(workers);
  const { slots, windows } = latencies.of('');
  const minute = windows[0];
  const ofWhom = routers.length > 1 ? ', slowest router' : '';
  const curve = (valueOf: (slot: LiveLatency) => number | null): (number | null)[] => slots.slice(-CURVE).map(valueOf);
  const roles = [...sums.roles].map(([role, n]) => `${count(n)} ${role}`).join(', ');
  return (
    <div class="numbers">
      <Figure
        label="Workers up"
        value={count(sums.up)}
        of={`/ ${count(sums.total)}`}
        note={
          sums.troubled === 0 ? (
            roles
          ) : (
            <button type="button" class="link" onClick={onTrouble} title="Show them alone, or all again">
              {count(sums.troubled)} {sums.troubled === 1 ? 'needs' : 'need'} a look
            </button>
          )
        }
        tone={sums.troubled > 0 ? 'bad' : ''}
      />
      <Figure
        label="In flight"
        value={count(totals!.inFlight)}
        note={totals!.held > 0 ? `${count(totals!.held)} held` : 'none held'}
        tone={totals!.held > 0 ? 'warn' : ''}
      />
      <Figure
        label="Requests / s"
        value={rate(ratePerS(slots))}
        note={failures(minute)}
        tone={(minute?.failed ?? 0) > 0 ? 'bad' : ''}
        curve={curve(({ completed, failed, durationMs }) => ((completed + failed) * 1000) / durationMs)}
      />
      <Figure
        label="TTFT, median"
        value={duration(minute?.ttftMs?.[0] ?? null)}
        note={`p99 ${duration(minute?.ttftMs?.[3] ?? null)}${ofWhom}`}
        curve={curve(({ ttftMs }) => ttftMs?.[0] ?? null)}
      />
      <Figure
        label="TPOT, median"
        value={duration(minute?.tpotMs?.[0] ?? null)}
        note={`p99 ${duration(minute?.tpotMs?.[3] ?? null)}${ofWhom}`}
        curve={curve(({ tpotMs }) => tpotMs?.[0] ?? null)}
      />
      <Figure
        label="KV use, mean"
        value={percent(sums.meanKvUsage)}
        note={`fullest ${percent(sums.maxKvUsage)}`}
        tone={(sums.maxKvUsage ?? 0) > 0.95 ? 'warn' : ''}
      />
      <Figure
        label="Cached tokens"
        value={short(sums.cachedTokens)}
        note={`${short(totals!.prefixes)} prefixes known`}
      />
    </div>
  );
}

const failures = (minute: LiveLatency | undefined): string =>
  minute === undefined || minute.failed === 0
    ? 'none failed in a minute'
    : `${count(minute.failed)} failed in a minute`;

function Figure(props: {
  label: string;
  value: string;
  of?: string;
  note: ComponentChildren;
  tone?: string;
  curve?: readonly (number | null)[];
}) {
  return (
    <div class="figure">
      <div class="figure-label">{props.label}</div>
      <div class="figure-value">
        {props.value}
        {props.of !== undefined && <span class="figure-of">{props.of}</span>}
      </div>
      <div class={`figure-note ${props.tone ?? ''}`}>{props.note}</div>
      {props.curve !== undefined && <Spark values={props.curve} />}
    </div>
  );
}
