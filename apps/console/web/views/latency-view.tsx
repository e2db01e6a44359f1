import { signal } from '@preact/signals';
import type { LiveLatency, LiveQuantiles } from '@sluice/contracts';
import { axisDuration, count, duration, rate } from '../format.ts';
import { Choice, Empty, Panel } from '../parts/small.tsx';
import { Plot } from '../parts/plot.tsx';
import type { Curve } from '../parts/plot.tsx';
import { sinceFirst } from '../state/latency.ts';
import { routers } from '../state/services.ts';
import { live, revision } from '../state/store.ts';

const pool = signal('');
/** All of them: an empty name. */
const router = signal('');
const minutes = signal<'5' | '15'>('15');
const HEIGHT = 210;
/** A minute. */
const LEAST_SLOTS = 12;

type Timed = 'ttftMs' | 'tpotMs' | 'e2eMs';
const PLOTS: readonly (readonly [key: Timed, title: string, note: string])[] = [
  ['ttftMs', 'Time to first token', 'from arrival, time in the queue included'],
  ['tpotMs', 'Time per output token', 'mean of an answer, after its first token'],
  ['e2eMs', 'Whole answer', 'from arrival to the end'],
];
const QUANTILES = [
  ['p50', 'line-1', 0],
  ['p90', 'line-2', 1],
  ['p99', 'line-3', 3],
] as const;

/** TTFT, TPOT and more over the last quarter of an hour, and their percentiles. */
export function LatencyView() {
  void revision.value;
  if (live.totals === null) return <div class="loading">Waiting for the router…</div>;
  const asked = live.routers.find(({ name }) => name === router.value);
  const latencies = asked?.latencies ?? live.latencies;
  const chosen = latencies.pools.includes(pool.value) ? pool.value : '';
  const { slots, windows } = latencies.of(chosen);
  const shown = sinceFirst(slots.slice(-12 * Number(minutes.value)), LEAST_SLOTS);
  const timesMs = shown.map(({ startMs, durationMs }) => startMs + durationMs);
  const pools: [string, string][] = latencies.pools.map((name) => [name, name]);
  return (
    <div class="latency">
      <div class="bar-of-tools">
        {routers.length > 1 && (
          <Choice
            label="Router"
            options={[['', 'All routers'], ...routers.map((name): [string, string] => [name, name])]}
            value={router.value}
            onChange={(next) => (router.value = next)}
          />
        )}
        {pools.length > 1 && (
          <Choice
            label="Pool"
            options={[['', 'All pools'], ...pools]}
            value={chosen}
            onChange={(next) => (pool.value = next)}
          />
        )}
        <Choice
          label="Span"
          options={[
            ['5', '5 minutes'],
            ['15', '15 minutes'],
          ]}
          value={minutes.value}
          onChange={(next) => (minutes.value = next)}
        />
        <span class="note">
          points of 5 s; quantiles within 4 %
          {routers.length > 1 && router.value === '' && '; of all routers, those of the slowest'}
        </span>
      </div>
      <Percentiles windows={windows} />
      <div class="plots">
        {PLOTS.map(([key, title, note]) => (
          <Panel title={title} note={note} key={`${key} ${chosen} ${router.value}`}>
            {shown.every((slot) => slot[key] === null) ? (
              <Empty title="No answer in this time." />
            ) : (
              <Plot
                title={title}
                timesMs={timesMs}
                curves={quantileCurves(shown, key)}
                textOf={duration}
                tickOf={axisDuration}
                height={HEIGHT}
              />
            )}
          </Panel>
        ))}
        <Panel title="Requests" note="attempts that ended, each second" key={`rate ${chosen} ${router.value}`}>
          <Plot title="Requests" timesMs={timesMs} curves={rateCurves(shown)} textOf={rate} height={HEIGHT} />
        </Panel>
      </div>
    </div>
  );
}

const quantileCurves = (slots: readonly LiveLatency[], key: Timed): Curve[] =>
  QUANTILES.map(([label, tone, at]) => ({ label, tone, values: slots.map((slot) => slot[key]?.[at] ?? null) }));

const rateCurves = (slots: readonly LiveLatency[]): Curve[] => [
  { label: 'completed', tone: 'line-1', fill: true, values: slots.map((s) => (1000 * s.completed) / s.durationMs) },
  { label: 'failed', tone: 'bad', values: slots.map((s) => (1000 * s.failed) / s.durationMs) },
];

const WINDOWS = ['last minute', 'last 5 minutes', 'last 15 minutes'];

function Percentiles({ windows }: { windows: readonly LiveLatency[] }) {
  const cells = (quantiles: LiveQuantiles) =>
    [0, 1, 2, 3].map((at) => (
      <td class="number" key={at}>
        {duration(quantiles?.[at] ?? null)}
      </td>
    ));
  return (
    <Panel class="percentiles">
      <div class="scroll-x">
        <table class="plain-table">
          <thead>
            <tr>
              <th rowSpan={2} />
              <th class="number" rowSpan={2}>
                Completed
              </th>
              <th class="number" rowSpan={2}>
                Failed
              </th>
              <th class="span" colSpan={4}>
                Time to first token
              </th>
              <th class="span" colSpan={4}>
                Time per output token
              </th>
              <th class="span" colSpan={4}>
                Whole answer
              </th>
            </tr>
            <tr>
              {PLOTS.flatMap(([key]) =>
                ['p50', 'p90', 'p95', 'p99'].map((name) => (
                  <th class="number" key={key + name}>
                    {name}
                  </th>
                )),
              )}
            </tr>
          </thead>
          <tbody>
            {windows.map((window, i) => (
              <tr key={i}>
                <td>{WINDOWS[i]}</td>
                <td class="number">{count(window.completed)}</td>
                <td class={`number ${window.failed > 0 ? 'bad' : ''}`}>{count(window.failed)}</td>
                {cells(window.ttftMs)}
                {cells(window.tpotMs)}
                {cells(window.e2eMs)}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Panel>
  );
}
