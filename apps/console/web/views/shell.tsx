import { helpShown } from '../keyboard.ts';
import { tokenWanted } from '../net/admin.ts';
import { hrefOf, route } from '../state/route.ts';
import type { View } from '../state/route.ts';
import { routers } from '../state/services.ts';
import { connection, live, revision } from '../state/store.ts';
import { nextTheme, themeChoice } from '../state/theme.ts';
import { clock } from '../format.ts';
import { ConfigView } from './config-view.tsx';
import { FleetView } from './fleet-view.tsx';
import { Help } from './help.tsx';
import { IndexView } from './index-view.tsx';
import { LatencyView } from './latency-view.tsx';
import { RequestsView } from './requests-view.tsx';
import { TokenField } from './token-field.tsx';
import { TracesView } from './traces-view.tsx';

const LINKS: readonly (readonly [view: View, label: string, key: string])[] = [
  ['fleet', 'Fleet', 'g f'],
  ['requests', 'Requests', 'g r'],
  ['latency', 'Latency', 'g l'],
  ['index', 'Index & events', 'g i'],
  ['config', 'Configuration', 'g c'],
  ['traces', 'Traces', 'g t'],
];
const STATES = { connecting: 'connecting', live: 'live', lost: 'no connection' } as const;
const THEMES = { system: 'Auto', light: 'Light', dark: 'Dark' } as const;

/** The frame around every view. */
export function Shell() {
  const { view } = route.value;
  return (
    <div class="shell">
      <header class="top">
        <a class="brand" href={hrefOf('fleet')} aria-label="Sluice">
          <img src="icon.svg" width="22" height="22" alt="" />
          Sluice
        </a>
        <nav aria-label="Views">
          {LINKS.map(([target, label, key]) => (
            <a
              href={hrefOf(target)}
              aria-current={target === view ? 'page' : undefined}
              title={`${label} (${key})`}
              key={target}
            >
              {label}
            </a>
          ))}
        </nav>
        <Status />
        <a class="plain" href="runbook" title="What each alert means, and what to do">
          Runbook
        </a>
        <button type="button" class="plain" onClick={nextTheme} title="Theme (t)">
          {THEMES[themeChoice.value]}
        </button>
        <button
          type="button"
          class="plain key"
          onClick={() => (helpShown.value = true)}
          aria-label="Keys"
          title="Keys (?)"
        >
          ?
        </button>
      </header>
      <main>
        {tokenWanted.value && <TokenField />}
        <CurrentView view={view} />
      </main>
      {helpShown.value && <Help />}
    </div>
  );
}

function Status() {
  void revision.value;
  const state = connection.value;
  const lost = live.routers.flatMap(({ name, lost: why }) => (why === null ? [] : [`${name}: ${why}`]));
  return (
    <div class="status" role="status">
      {live.totals !== null && (
        <span class="policy" title="Routing policy in force">
          {live.totals.policies.join(', ')}
        </span>
      )}
      <span class={`dot ${state === 'live' && lost.length > 0 ? 'connecting' : state}`} title={lost.join('; ')} />
      <span>{state === 'live' ? liveText() : STATES[state]}</span>
      {live.nowMs > 0 && <time title={`Clock of ${routers.join(', ')}`}>{clock(live.nowMs)}</time>}
    </div>
  );
}

/** How many of the routers tell what happens, where there are several. */
function liveText(): string {
  const there = live.routers.filter(({ lost, totals }) => lost === null && totals !== null).length;
  return routers.length === 1 ? 'live' : `live, ${there} of ${routers.length} routers`;
}

function CurrentView({ view }: { view: View }) {
  switch (view) {
    case 'fleet':
      return <FleetView />;
    case 'requests':
      return <RequestsView />;
    case 'latency':
      return <LatencyView />;
    case 'index':
      return <IndexView />;
    case 'config':
      return <ConfigView />;
    case 'traces':
      return <TracesView />;
  }
}
