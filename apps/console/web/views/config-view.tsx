import { signal } from '@preact/signals';
import type { ConfigView as Config, SettingView } from '@sluice/contracts';
import { count } from '../format.ts';
import { Choice, Empty, Panel, Search, usePolled } from '../parts/small.tsx';
import { services } from '../state/services.ts';

const POLL_MS = 10_000;
const filter = signal('');
const shown = signal<'all' | 'set'>('all');

/** The configuration in force of every service, secrets hidden by them. */
export function ConfigView() {
  return (
    <div class="config-view">
      <div class="bar-of-tools">
        <Search label="Filter settings" value={filter.value} onInput={(text) => (filter.value = text)} />
        <Choice
          label="Settings"
          options={[
            ['all', 'All'],
            ['set', 'Set by somebody'],
          ]}
          value={shown.value}
          onChange={(next) => (shown.value = next)}
        />
        <span class="note">Secrets are hidden. This page changes nothing.</span>
      </div>
      {services.map((service) => (
        <Settings service={service} key={service} />
      ))}
    </div>
  );
}

function Settings({ service }: { service: string }) {
  const loaded = usePolled<Config>(`${service}/config`, POLL_MS);
  if (loaded.kind !== 'value') {
    return (
      <Panel title={service}>
        <p class="soft pad">{loaded.kind === 'error' ? `Not to be had: ${loaded.message}` : 'Asking…'}</p>
      </Panel>
    );
  }
  const { settings, version, file, overrides, problems } = loaded.value;
  const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
  const matching = settings.filter((setting) => {
    const text = `${setting.name} ${setting.value ?? ''} ${setting.source} ${setting.meaning}`.toLowerCase();
    return words.every((word) => text.includes(word)) && (shown.value === 'all' || setting.source !== 'default');
  });
  const from = [
    file === null ? '' : `file ${file.path}`,
    version === 0 ? '' : `version ${count(version)} of the overrides`,
  ];
  return (
    <Panel
      title={service}
      note={[`${count(matching.length)} of ${count(settings.length)} settings`, ...from].filter(Boolean).join(', ')}
    >
      {overrides.state === 'unreachable' && <p class="reason">The store cannot be asked for newer overrides.</p>}
      {problems.map((problem) => (
        <p class="reason" key={problem}>
          {problem}
        </p>
      ))}
      {matching.length === 0 ? (
        <Empty title="No setting matches." />
      ) : (
        <div class="scroll-x">
          <table class="plain-table settings-table">
            <thead>
              <tr>
                <th>Setting</th>
                <th>In force</th>
                <th>From</th>
                <th>A change</th>
                <th>Meaning</th>
              </tr>
            </thead>
            <tbody>
              {matching.map((setting) => (
                <Setting setting={setting} key={setting.name} />
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Panel>
  );
}

const Setting = ({
  setting: { name, value, source, reload, pending, fallback, allowed, meaning },
}: {
  setting: SettingView;
}) => (
  <tr class={source === 'default' ? '' : 'chosen'}>
    <td class="mono">{name}</td>
    <td class="value" title={`Default ${fallback ?? 'none'}; ${allowed}`}>
      {value ?? <span class="faint">none</span>}
      {pending !== null && <span class="warn"> → {pending} with the next start</span>}
    </td>
    <td class="soft">{source}</td>
    <td class="soft">{reload === 'live' ? 'at once' : 'next start'}</td>
    <td class="soft meaning">{meaning}</td>
  </tr>
);
