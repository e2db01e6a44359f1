import { signal } from '@preact/signals';
import { Empty, Panel, Search, usePolled } from '../parts/small.tsx';
import { flatten } from '../state/flatten.ts';

const SERVICES = ['router', 'kv-index', 'event-bridge', 'latency-predictor'] as const;
const POLL_MS = 10_000;
const filter = signal('');

/** The configuration in force of every service, secrets hidden by them. */
export function ConfigView() {
  return (
    <div class="config-view">
      <div class="bar-of-tools">
        <Search label="Filter settings" value={filter.value} onInput={(text) => (filter.value = text)} />
        <span class="note">As the services run with it. Secrets are hidden. This page changes nothing.</span>
      </div>
      {SERVICES.map((service) => (
        <Settings service={service} key={service} />
      ))}
    </div>
  );
}

function Settings({ service }: { service: string }) {
  const loaded = usePolled<Record<string, unknown>>(`${service}/config`, POLL_MS);
  if (loaded.kind !== 'value') {
    return (
      <Panel title={service}>
        <p class="soft pad">{loaded.kind === 'error' ? `Not to be had: ${loaded.message}` : 'Asking…'}</p>
      </Panel>
    );
  }
  const text = filter.value.toLowerCase();
  const shown = flatten(loaded.value).filter(([name, value]) => `${name} ${value}`.toLowerCase().includes(text));
  return (
    <Panel title={service} note={`${shown.length} settings`}>
      {shown.length === 0 ? (
        <Empty title="No setting matches." />
      ) : (
        <dl class="settings">
          {shown.map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ))}
        </dl>
      )}
    </Panel>
  );
}
