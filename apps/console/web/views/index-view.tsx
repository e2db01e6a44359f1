import { signal } from '@preact/signals';
import type { IndexStats, RanksView, ServiceStatus, SiblingsView, VariantsView } from '@sluice/contracts';
import { bytes, count, duration, percent, short } from '../format.ts';
import { Empty, Panel, Search, usePolled } from '../parts/small.tsx';
import type { Loaded } from '../parts/small.tsx';
import { VirtualList } from '../parts/virtual-list.tsx';
import { services } from '../state/services.ts';
import { live, revision } from '../state/store.ts';
import type { RouterState } from '../state/store.ts';
import { PREFIXES } from './worker-parts.tsx';

const POLL_MS = 5000;
const ROW = 30;
const filter = signal('');

/** Whether what is known of the engines' caches can be believed, and how the services are. */
export function IndexView() {
  void revision.value;
  const ranks = usePolled<RanksView>('event-bridge/ranks', POLL_MS);
  const stats = usePolled<IndexStats>('kv-index/stats', POLL_MS);
  const variants = usePolled<VariantsView>('latency-predictor/variants', POLL_MS);
  return (
    <div class="index-view">
      <div class="cards">
        {services.map((service) => (
          <Service service={service} key={service} />
        ))}
      </div>
      <div class="cards three">
        <GlobalIndex stats={stats} />
        {live.routers.map((router) => (
          <Replica of={router} key={router.name} />
        ))}
        {live.routers.map((router) => (
          <Siblings of={router} key={router.name} />
        ))}
      </div>
      <Ranks ranks={ranks} />
      <Variants variants={variants} />
    </div>
  );
}

function Service({ service }: { service: string }) {
  const status = usePolled<ServiceStatus>(`${service}/readyz`, POLL_MS, [503]);
  const isReady = status.kind === 'value' && status.value.ready;
  const word =
    status.kind === 'loading' ? 'asking' : status.kind === 'error' ? 'not reached' : isReady ? 'ready' : 'not ready';
  return (
    <Panel
      title={service}
      class="service"
      tools={
        <span class={`condition ${isReady ? 'up' : status.kind === 'loading' ? 'unknown' : 'down'}`}>
          <span class="mark" />
          {word}
        </span>
      }
    >
      {status.kind === 'error' && <p class="reason">{status.message}</p>}
      {status.kind === 'value' && (
        <ul class="checks">
          {Object.entries(status.value.checks).map(([name, { ok, detail }]) => (
            <li class={ok ? '' : 'bad'} key={name}>
              <span class="check">{ok ? '✓' : '✕'}</span>
              <span>{name}</span>
              <span class="soft" title={detail}>
                {detail}
              </span>
            </li>
          ))}
        </ul>
      )}
    </Panel>
  );
}

/** A router's own index, from the stream. */
function Replica({ of: { name, totals, workers } }: { of: RouterState }) {
  const known = [0, 0, 0];
  workers.list.forEach((_worker, row) => known[workers.value('prefixes', row)]!++);
  return (
    <Panel title={`Index of ${name}`} note="its replica in memory">
      {totals === null ? (
        <Empty title="Waiting for the router…" />
      ) : (
        <Facts
          of={[
            [
              'Bus',
              totals.busConnected ? 'connected' : 'disconnected: routing on what was last known',
              totals.busConnected ? '' : 'bad',
            ],
            ['Prefixes', short(totals.index.nodes)],
            ['Held by workers', short(totals.index.memberships)],
            ['Entered on routing', short(totals.index.speculative)],
            ['Evicted', short(totals.index.evictedNodes)],
            ['Memory', bytes(totals.index.bytes)],
            ...PREFIXES.map((word, i): Row => [
              `Workers ${word}`,
              count(known[i]!),
              i === 1 && known[i]! > 0 ? 'warn' : '',
            ]).reverse(),
          ]}
        />
      )}
    </Panel>
  );
}

type Row = readonly [name: string, value: string, tone?: string];

const Facts = ({ of }: { of: readonly Row[] }) => (
  <dl class="facts">
    {of.map(([name, value, tone]) => (
      <div key={name}>
        <dt>{name}</dt>
        <dd class={tone ?? ''}>{value}</dd>
      </div>
    ))}
  </dl>
);

const Unread = <T,>({ loaded }: { loaded: Loaded<T> }) =>
  loaded.kind === 'error' ? <p class="reason">{loaded.message}</p> : <p class="soft pad">Asking…</p>;

const GlobalIndex = ({ stats }: { stats: Loaded<IndexStats> }) => (
  <Panel title="Global index" note="kv-index">
    {stats.kind !== 'value' ? (
      <Unread loaded={stats} />
    ) : (
      <Facts
        of={[
          ['Prefixes', short(stats.value.index.nodes)],
          ['Held by workers', short(stats.value.index.memberships)],
          ['Evicted', short(stats.value.index.evictedNodes)],
          ['Memory', bytes(stats.value.index.bytes)],
          ['Batches applied', short(stats.value.batches.applied)],
          ['Gaps', count(stats.value.batches.gaps), stats.value.batches.gaps > 0 ? 'warn' : ''],
          ['Resyncs', count(stats.value.batches.resyncs)],
          ['Not stored yet', `${count(stats.value.pendingWrites)} workers`],
        ]}
      />
    )}
  </Panel>
);

function Siblings({ of: { name, life } }: { of: RouterState }) {
  const siblings = usePolled<SiblingsView>(`${name}/siblings`, POLL_MS);
  return (
    <Panel title={`Siblings of ${name}`} note={life === '' ? '' : `itself is ${life}`}>
      {siblings.kind !== 'value' ? (
        <Unread loaded={siblings} />
      ) : siblings.value.pools.every((pool) => pool.siblings.length === 0) ? (
        <Empty title="No other router is heard." />
      ) : (
        <Facts
          of={siblings.value.pools.flatMap(({ pool, siblings: heard }) =>
            heard.map(({ router, silentForMs, workers, lostMessages }): Row => [
              `${router} · ${pool}`,
              `${count(workers)} workers, heard ${duration(Math.round(silentForMs))} ago${lostMessages > 0 ? `, ${count(lostMessages)} messages lost` : ''}`,
            ]),
          )}
        />
      )}
    </Panel>
  );
}

/** Event streams of every rank; those in trouble first. */
function Ranks({ ranks }: { ranks: Loaded<RanksView> }) {
  const all = ranks.kind === 'value' ? ranks.value.ranks : [];
  const text = filter.value.toLowerCase();
  const shown = all
    .filter(({ worker, pool, state }) => `${worker} ${pool} ${state}`.toLowerCase().includes(text))
    .sort((a, b) => TROUBLE.indexOf(a.state) - TROUBLE.indexOf(b.state));
  const liveOnes = all.filter(({ state }) => state === 'live').length;
  return (
    <Panel
      title="Event streams"
      class="table"
      note={ranks.kind === 'value' ? `${count(liveOnes)} of ${count(all.length)} live` : ''}
      tools={<Search label="Filter streams" value={filter.value} onInput={(next) => (filter.value = next)} />}
    >
      {ranks.kind !== 'value' ? (
        <Unread loaded={ranks} />
      ) : shown.length === 0 ? (
        <Empty title={all.length === 0 ? 'No worker sends events.' : 'No stream matches.'}>
          {all.length === 0 && 'What the workers hold is estimated from what was routed to them.'}
        </Empty>
      ) : (
        <VirtualList
          label="Event streams"
          class="ranks"
          count={shown.length}
          rowHeight={ROW}
          head={
            <div class="row head rank-row">
              <span>Worker</span>
              <span>State</span>
              <span class="number">Batches</span>
              <span class="number">Blocks</span>
              <span class="number">Lag</span>
              <span>Trouble</span>
            </div>
          }
          renderRow={(index) => {
            const rank = shown[index]!;
            return (
              <div class="row rank-row" key={rank.worker}>
                <span class="name">{rank.worker}</span>
                <span class={`condition ${CONDITION[rank.state]}`}>
                  <span class="mark" />
                  {rank.state}
                </span>
                {rank.state === 'unread' ? (
                  <span class="soft wide">{rank.reason}</span>
                ) : (
                  <>
                    <span class="number">{short(rank.seq)}</span>
                    <span class="number">{short(rank.blocks)}</span>
                    <span class="number">{duration(Math.max(0, Math.round(rank.lagMs)))}</span>
                    <span class="soft">{troubles(rank.counters)}</span>
                  </>
                )}
              </div>
            );
          }}
        />
      )}
    </Panel>
  );
}

const CONDITION = { live: 'up', incomplete: 'late', disconnected: 'down', waiting: 'unknown', unread: 'unknown' };
const TROUBLE = ['disconnected', 'incomplete', 'waiting', 'unread', 'live'];
/** Counters of what should not happen, by their names. */
const BAD = /gap|lost|error|malformed|invalid|unknown|orphan|drop/i;
const troubles = (counters: Readonly<Record<string, number>>): string =>
  Object.entries(counters)
    .filter(([name, n]) => n > 0 && BAD.test(name))
    .map(([name, n]) => `${name} ${short(n)}`)
    .join(', ');

const Variants = ({ variants }: { variants: Loaded<VariantsView> }) => (
  <Panel title="Learned latency" note="latency-predictor, by hardware and configuration">
    {variants.kind !== 'value' ? (
      <Unread loaded={variants} />
    ) : variants.value.variants.length === 0 ? (
      <Empty title="Nothing was learned yet.">Until then the profile's constants predict.</Empty>
    ) : (
      <div class="scroll-x">
        <table class="plain-table">
          <thead>
            <tr>
              <th>Pool</th>
              <th>Variant</th>
              <th>Started from</th>
              <th class="number">Samples</th>
              <th class="number">TTFT off by</th>
              <th class="number">TPOT off by</th>
              <th class="number">Step at rest</th>
              <th class="number">Mean answer</th>
            </tr>
          </thead>
          <tbody>
            {variants.value.variants.map((each) => (
              <tr key={`${each.pool}/${each.variant}`}>
                <td>{each.pool}</td>
                <td>{each.variant}</td>
                <td class="soft">{each.prior}</td>
                <td class="number">{short(each.samples)}</td>
                <td class="number">{percent(each.errors.ttft.mape)}</td>
                <td class="number">{percent(each.errors.tpot.mape)}</td>
                <td class="number">{duration(each.step.t0Ms)}</td>
                <td class="number">{short(Math.round(each.meanOutputTokens))} tok</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    )}
  </Panel>
);
