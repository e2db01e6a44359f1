import { signal } from '@preact/signals';
import type { LiveMessage, LiveRouterEvent, LiveTotals } from '@sluice/contracts';
import { token, tokenWanted } from '../net/admin.ts';
import { LiveConnection } from '../net/live-connection.ts';
import type { Connection } from '../net/live-connection.ts';
import { FleetUnion } from './fleet-union.ts';
import { LatencyUnion } from './latency-union.ts';
import { Latencies } from './latency.ts';
import type { Latency } from './latency.ts';
import { Requests } from './requests.ts';
import { routers } from './services.ts';
import { totalsOf } from './totals.ts';
import type { Totals } from './totals.ts';
import { Workers } from './workers.ts';
import type { Fleet } from './workers.ts';

/** What one router told. */
export interface RouterState {
  /** As whoever serves the page calls it. */
  readonly name: string;
  readonly workers: Workers;
  readonly latencies: Latencies;
  /** Null before its first snapshot. */
  totals: LiveTotals | null;
  /** Names this life of it. */
  life: string;
  nowMs: number;
  /** Why its stream cannot be had; null: it can. */
  lost: string | null;
}

const states = new Map(
  routers.map((name): [string, RouterState] => [
    name,
    { name, workers: new Workers(), latencies: new Latencies(), totals: null, life: '', nowMs: 0, lost: null },
  ]),
);

/** What the streams have told: of one router as it is, of several together. Written in place; `revision` says that something changed. */
export const live = {
  routers: [...states.values()] as readonly RouterState[],
  workers: new Workers() as Fleet,
  requests: new Requests(),
  latencies: new Latencies() as Latency,
  totals: null as Totals | null,
  nowMs: 0,
};
export const revision = signal(0);
export const connection = signal<Connection>('connecting');
/** The list of requests stands still for the reader. */
export const paused = signal(false);

/** The union of the fleets, where it is one and its workers are still the same. */
let union: FleetUnion | null = null;

function take(event: LiveRouterEvent): void {
  const state = states.get(event.router);
  if (state === undefined) return;
  if ('lost' in event) {
    state.lost = event.lost;
    if (event.status === 401 || event.status === 403) tokenWanted.value = true;
    union = null;
  } else hear(state, event.message);
  putTogether();
}

function hear(state: RouterState, message: LiveMessage): void {
  if (message.kind === 'snapshot') {
    state.workers.load(message);
    live.requests.load(state.name, message.requests);
    state.latencies.load(message.latency);
    state.life = message.router;
    state.lost = null;
    union = null;
  } else {
    state.workers.apply(message);
    live.requests.apply(state.name, message);
    state.latencies.apply(message.latency);
  }
  state.totals = message.totals;
  state.nowMs = message.nowMs;
}

/** A router that is lost counts no more, unless all are: what was known last is better than nothing. */
function putTogether(): void {
  const told = live.routers.filter(({ totals }) => totals !== null);
  const here = told.filter(({ lost }) => lost === null);
  const [first, ...others] = here.length > 0 ? here : told;
  revision.value++;
  if (first === undefined) return;
  const isFirst = live.totals === null;
  if (others.length === 0) {
    live.workers = first.workers;
    live.latencies = first.latencies;
  } else {
    const all = [first, ...others];
    if (union === null) union = new FleetUnion(all.map(({ name, workers }) => ({ router: name, workers })));
    else union.refresh();
    live.workers = union;
    live.latencies = new LatencyUnion(all.map(({ latencies }) => latencies));
  }
  live.totals = totalsOf([first, ...others].map(({ totals }) => totals!));
  live.nowMs = Math.max(first.nowMs, ...others.map(({ nowMs }) => nowMs));
  // After the next frame what it told is on the screen: how long that took is measured in the browser test.
  if (isFirst) requestAnimationFrame(() => setTimeout(() => performance.mark('sluice:first-view')));
}

/** Of one router its own stream; of several the one that the console makes of theirs. */
const [path, read] =
  routers.length === 1
    ? [`${routers[0]!}/live`, (data: string) => ({ router: routers[0]!, message: JSON.parse(data) as LiveMessage })]
    : ['live', (data: string) => JSON.parse(data) as LiveRouterEvent];
const stream = new LiveConnection(
  path,
  (data) => take(read(data)),
  (state) => {
    connection.value = state;
  },
);

/** A page that nobody sees for so long stops to listen. */
const HIDDEN_MS = 60_000;

/** Starts to listen; again with every new token. */
export function startLive(): void {
  token.subscribe(() => stream.open());
  let hidden: ReturnType<typeof setTimeout> | undefined;
  let sleeping = false;
  document.addEventListener('visibilitychange', () => {
    clearTimeout(hidden);
    if (document.hidden) {
      hidden = setTimeout(() => {
        sleeping = true;
        stream.close();
      }, HIDDEN_MS);
    } else if (sleeping) {
      sleeping = false;
      stream.open();
    }
  });
}
