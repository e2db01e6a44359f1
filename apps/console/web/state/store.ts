import { signal } from '@preact/signals';
import type { LiveMessage, LiveTotals } from '@sluice/contracts';
import { token } from '../net/admin.ts';
import { LiveConnection } from '../net/live-connection.ts';
import type { Connection } from '../net/live-connection.ts';
import { Latencies } from './latency.ts';
import { Requests } from './requests.ts';
import { Workers } from './workers.ts';

/** What the stream has told. Written in place; `revision` says that something changed. */
export const live = {
  workers: new Workers(),
  requests: new Requests(),
  latencies: new Latencies(),
  totals: null as LiveTotals | null,
  router: '',
  nowMs: 0,
};
export const revision = signal(0);
export const connection = signal<Connection>('connecting');
/** The list of requests stands still for the reader. */
export const paused = signal(false);

function take(message: LiveMessage): void {
  if (message.kind === 'snapshot') {
    live.workers.load(message);
    live.requests.load(message.requests);
    live.latencies.load(message.latency);
    live.router = message.router;
  } else {
    live.workers.apply(message);
    live.requests.apply(message);
    live.latencies.apply(message.latency);
  }
  const isFirst = live.totals === null;
  live.totals = message.totals;
  live.nowMs = message.nowMs;
  revision.value++;
  // After the next frame what it told is on the screen: how long that took is measured in the browser test.
  if (isFirst) requestAnimationFrame(() => setTimeout(() => performance.mark('sluice:first-view')));
}

const stream = new LiveConnection(take, (state) => {
  connection.value = state;
});

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
