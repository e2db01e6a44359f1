import { signal } from '@preact/signals';
import { Choice, Empty, Panel, Search } from '../parts/small.tsx';
import { filteredRows, groupsOf, sortRows } from '../state/workers.ts';
import type { SortKey } from '../state/workers.ts';
import { goTo, route } from '../state/route.ts';
import { live, revision } from '../state/store.ts';
import { count } from '../format.ts';
import { FleetNumbers } from './fleet-numbers.tsx';
import { FleetMap } from './fleet-map.tsx';
import type { MapBy } from './fleet-map.tsx';
import { FleetTiles } from './fleet-tiles.tsx';
import { LatestRequests } from './requests-view.tsx';
import { WorkerPanel } from './worker-panel.tsx';
import { WorkerTable } from './worker-table.tsx';

const filter = signal('');
const order = signal<{ readonly key: SortKey; readonly descending: boolean }>({ key: 'worker', descending: false });
const mapBy = signal<MapBy>('load');
/** Up to so many workers are shown one by one. */
const MOST_TILES = 16;

const MAPS: readonly (readonly [MapBy, string])[] = [
  ['load', 'Load'],
  ['kvUsage', 'KV use'],
  ['cachedTokens', 'Cached'],
  ['waitingRequests', 'Waiting'],
];

/** Workers by role and load, what they hold, and how they are. */
export function FleetView() {
  void revision.value;
  const { workers, totals } = live;
  if (totals === null) return <div class="loading">Waiting for the router…</div>;
  const { key, descending } = order.value;
  const rows = sortRows(workers, filteredRows(workers, filter.value), key, descending);
  const selected = route.value.id;
  const total = workers.list.length;
  return (
    <div class="fleet">
      <FleetNumbers onTrouble={() => (filter.value = filter.value === 'trouble' ? '' : 'trouble')} />
      {total <= MOST_TILES ? (
        <FleetTiles rows={rows} selected={selected} />
      ) : (
        <Panel
          title="Map"
          note={groupsNote(groupsOf(workers, rows).length)}
          class="map"
          tools={<Choice label="Colour by" options={MAPS} value={mapBy.value} onChange={(by) => (mapBy.value = by)} />}
        >
          <FleetMap groups={groupsOf(workers, rows)} by={mapBy.value} selected={selected} />
        </Panel>
      )}
      <div class={total <= MOST_TILES ? 'split few' : 'split'}>
        <Panel
          class="table"
          title="Workers"
          note={rows.length === total ? count(total) : `${count(rows.length)} of ${count(total)}`}
          tools={<Search label="Filter workers" value={filter.value} onInput={(text) => (filter.value = text)} />}
        >
          {rows.length === 0 ? (
            <Empty title={total === 0 ? 'The fleet has no workers.' : 'No worker matches.'} />
          ) : (
            <WorkerTable
              rows={rows}
              selected={selected}
              sort={order.value}
              onSort={(next) =>
                (order.value = {
                  key: next,
                  descending: next === key ? !descending : next !== 'worker' && next !== 'role',
                })
              }
            />
          )}
        </Panel>
        {selected !== null && <WorkerPanel worker={selected} onClose={() => goTo('fleet')} />}
      </div>
      {total <= MOST_TILES && selected === null && <LatestRequests />}
    </div>
  );
}

const groupsNote = (groups: number): string =>
  groups === 1 ? 'one cell a worker' : `one cell a worker, ${groups} groups`;
