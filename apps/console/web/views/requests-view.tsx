import { signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { clock, count, duration, percent, short } from '../format.ts';
import { useListKeys } from '../keyboard.ts';
import { Empty, Panel, Search } from '../parts/small.tsx';
import { VirtualList } from '../parts/virtual-list.tsx';
import { filteredRequests } from '../state/requests.ts';
import type { ToldRequest } from '../state/requests.ts';
import { goTo, route } from '../state/route.ts';
import { routers } from '../state/services.ts';
import { live, paused, revision } from '../state/store.ts';
import { EndingMark } from './request-parts.tsx';
import { WhyView } from './why-view.tsx';

const filter = signal('');
const ROW = 34;
/** The list as it was when it was held still. */
let held: readonly ToldRequest[] | null = null;

/** The latest requests, and why the one that is selected went where it went. */
export function RequestsView() {
  void revision.value;
  const { requests, totals } = live;
  const all = filteredRequests(requests, filter.value);
  held = paused.value ? (held ?? all) : null;
  const list = held === null ? all : held.map((request) => requests.get(request.id) ?? request);
  const selected = route.value.id;
  const at = selected === null ? -1 : list.findIndex(({ id }) => id === selected);
  useEffect(() =>
    useListKeys({
      move: (by) => {
        // where the reader is now: a key may come before the page is drawn for the last one
        const from = route.value.id;
        const at = from === null ? -1 : list.findIndex(({ id }) => id === from);
        const next = list[Math.max(0, Math.min(list.length - 1, at + by))];
        if (next !== undefined) goTo('requests', next.id, from !== null);
      },
    }),
  );
  const open = list.filter((request) => requests.endingOf(request) === 'open').length;
  if (totals === null) return <div class="loading">Waiting for the router…</div>;
  return (
    <div class="requests">
      <Panel
        class="table"
        title="Requests"
        note={`${count(open)} in flight`}
        tools={
          <>
            <button
              type="button"
              aria-pressed={paused.value}
              onClick={() => (paused.value = !paused.value)}
              title="Hold still (p)"
            >
              {paused.value ? 'Held still' : 'Hold still'}
            </button>
            <Search label="Filter requests" value={filter.value} onInput={(text) => (filter.value = text)} />
          </>
        }
      >
        {list.length === 0 ? (
          <Empty title={filter.value === '' ? 'No request yet.' : 'No request matches.'}>
            {filter.value === '' && 'What the router decides from now on appears here.'}
          </Empty>
        ) : (
          <VirtualList
            label="Requests"
            class="request-list"
            count={list.length}
            rowHeight={ROW}
            selected={at}
            head={<ListHead />}
            renderRow={(index) => <RequestRow request={list[index]!} selected={index === at} key={list[index]!.id} />}
          />
        )}
        {requests.skipped > 0 && (
          <footer class="note foot">
            {count(requests.skipped)} came faster than the page is told, and are left out.
          </footer>
        )}
      </Panel>
      {selected === null ? (
        <section class="panel hint">
          <Empty title="Why this worker?">
            Select a request to see what every worker would have cost, and what came of it.
          </Empty>
        </section>
      ) : (
        <WhyView id={selected} />
      )}
    </div>
  );
}

/** The latest requests by themselves, below a small fleet. */
export const LatestRequests = () => (
  <Panel class="table latest" title="Latest requests" note="select one to see why its worker was chosen">
    {live.requests.list.length === 0 ? (
      <Empty title="No request yet." />
    ) : (
      <VirtualList
        label="Latest requests"
        class="request-list"
        count={live.requests.list.length}
        rowHeight={ROW}
        head={<ListHead />}
        renderRow={(index) => {
          const request = live.requests.list[index]!;
          return <RequestRow request={request} selected={false} key={request.id} />;
        }}
      />
    )}
  </Panel>
);

const ListHead = () => (
  <div class="row head request-row" role="row">
    <span>Time</span>
    <span>State</span>
    <span>Worker</span>
    <span class="number">Prompt</span>
    <span class="number" title="Share of the prompt that the worker's cache holds, as predicted">
      Cached
    </span>
    <span class="number">TTFT</span>
    <span class="number" title="Predicted time to its first token">
      Predicted
    </span>
    <span class="number">Total</span>
  </div>
);

function RequestRow({ request, selected }: { request: ToldRequest; selected: boolean }) {
  const { id, atMs, worker, promptTokens, cachedTokens, predictedTtftMs, outcome, retryOf, movedFrom, router } =
    request;
  const ending = live.requests.endingOf(request);
  return (
    <div
      class="row request-row"
      role="row"
      aria-selected={selected}
      onClick={() => goTo('requests', id, route.value.id !== null)}
    >
      <span class="soft">{clock(atMs)}</span>
      <EndingMark ending={ending} />
      <span class="name" title={worker}>
        {worker}
        {retryOf !== null && <span class="tag">retry</span>}
        {movedFrom !== null && <span class="tag">moved</span>}
        {routers.length > 1 && <span class="tag">{router}</span>}
      </span>
      <span class="number">{short(promptTokens)}</span>
      <span class="number">{cachedTokens === null ? '–' : percent(cachedTokens / Math.max(1, promptTokens))}</span>
      <span class="number">{duration(outcome?.ttftMs ?? null)}</span>
      <span class="number soft">{duration(predictedTtftMs)}</span>
      <span class="number">
        {outcome !== null
          ? duration(outcome.e2eMs)
          : ending === 'open'
            ? duration(Math.max(0, live.nowMs - atMs))
            : '–'}
      </span>
    </div>
  );
}
