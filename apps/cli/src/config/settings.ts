import type { ConfigHistory, ConfigView, SettingView } from '@sluice/contracts';
import { AdminClient, AdminError } from '../admin-client.ts';
import { duration } from '../numbers.ts';
import { stylesOf, widthOf } from '../speaker.ts';
import type { Speaker } from '../speaker.ts';
import { textTable, wrapped } from '../text-table.ts';

export interface ConfigOptions {
  readonly admin: string;
  readonly token: string | null;
  /** Whose settings. */
  readonly service: string;
  readonly json: boolean;
}
export interface ChangeOptions extends ConfigOptions {
  readonly note?: string;
  /** Version that must be in force. */
  readonly ifVersion?: number;
}

/** Prints settings in force: all, those that differ from their defaults, or one with what it means. @throws AdminError */
export async function printSettings(
  name: string | undefined,
  options: ConfigOptions & { readonly all: boolean },
  speaker: Speaker,
): Promise<void> {
  const client = await AdminClient.connect(options.admin, options.token);
  const view = await client.get<ConfigView>(options.service, '/config');
  const one = name === undefined ? null : settingOf(view, name);
  if (options.json) print(speaker, [JSON.stringify(one ?? view, null, 2)]);
  else if (one !== null) print(speaker, oneSetting(one, speaker));
  else print(speaker, allSettings(view, options.all, speaker));
}

/** Changes overrides and prints what came into force. @param changes `NAME=VALUE`; without a value the override goes. @throws AdminError */
export async function setSettings(changes: readonly string[], options: ChangeOptions, speaker: Speaker): Promise<void> {
  const settings = Object.fromEntries(changes.map(parseChange));
  const client = await AdminClient.connect(options.admin, options.token);
  const body = { settings, ...(options.note !== undefined && { note: options.note }) };
  const view = await client.change<ConfigView>(options.service, 'PATCH', '/config', body, options.ifVersion ?? null);
  report(view, Object.keys(settings), options, speaker);
}

/** Prints the versions of the overrides, newest first. @throws AdminError */
export async function printHistory(options: ConfigOptions, speaker: Speaker, nowMs: number): Promise<void> {
  const client = await AdminClient.connect(options.admin, options.token);
  const history = await client.get<ConfigHistory>(options.service, '/config/history');
  if (options.json) print(speaker, [JSON.stringify(history, null, 2)]);
  else print(speaker, historyLines(history, speaker, nowMs));
}

/** Brings the overrides of `version` back, by default of the one before. @throws AdminError */
export async function rollBack(version: number | null, options: ChangeOptions, speaker: Speaker): Promise<void> {
  const client = await AdminClient.connect(options.admin, options.token);
  const { service, note, ifVersion = null } = options;
  const body = { ...(version !== null && { version }), ...(note !== undefined && { note }) };
  const view = await client.change<ConfigView>(service, 'POST', '/config/rollback', body, ifVersion);
  const overridden = view.settings.filter(({ source }) => source === 'override').map(({ name }) => name);
  report(view, overridden, options, speaker);
}

function settingOf({ settings, service }: ConfigView, name: string): SettingView {
  const found = settings.find((setting) => setting.name === name.toUpperCase());
  if (found === undefined)
    throw new AdminError(`${service} has no setting '${name}'; 'sluice config get --all' lists them`);
  return found;
}

function parseChange(change: string): [name: string, value: string | null] {
  const at = change.indexOf('=');
  if (at < 1) throw new AdminError(`'${change}' must be NAME=VALUE, or NAME= to take an override away`);
  return [change.slice(0, at).toUpperCase(), change.slice(at + 1) || null];
}

function report(view: ConfigView, names: readonly string[], { json }: ConfigOptions, speaker: Speaker): void {
  if (json) return print(speaker, [JSON.stringify(view, null, 2)]);
  const settings = view.settings.filter(({ name }) => names.includes(name));
  const memory = view.overrides.kept === 'memory' ? ['Without a store: until the next start, and here alone.'] : [];
  print(speaker, [
    `version ${view.version} of the overrides of ${view.service} is in force`,
    ...settings.map(({ name, value, source }) => `  ${name}=${value ?? ''}  (${source})`),
    ...memory,
  ]);
}

function oneSetting(setting: SettingView, speaker: Speaker): string[] {
  const { name, value, source, pending, fallback, reload, allowed, meaning } = setting;
  const rows = [
    ['value', `${value ?? 'none'} (${source})`],
    ...(pending === null ? [] : [['restart', `brings ${pending}`]]),
    ['default', fallback ?? 'none'],
    ['takes', allowed],
    ['change', reload === 'live' ? 'at once' : 'with a restart'],
  ];
  const width = widthOf(speaker);
  return [
    stylesOf(speaker).bold(name),
    ...wrapped(meaning, width, 0),
    ...rows.flatMap(([head = '', text = '']) => wrapped(`${head.padEnd(8)} ${text}`, width, 9)),
  ];
}

function allSettings(view: ConfigView, all: boolean, speaker: Speaker): string[] {
  const { bold, bad, faint } = stylesOf(speaker);
  const shown = view.settings.filter(({ source, pending }) => all || source !== 'default' || pending !== null);
  const column = (head: string, textOf: (setting: SettingView) => string) => ({
    head,
    cells: shown.map(textOf),
    align: 'left' as const,
  });
  const table = textTable(
    [
      column('setting', ({ name }) => name),
      column('value', ({ value }) => value ?? '-'),
      column('source', ({ source }) => source),
      column('change', ({ reload, pending }) => (pending === null ? reload : `restart: ${pending}`)),
    ],
    widthOf(speaker),
  );
  const file = view.file === null ? 'no file of settings' : `file ${view.file.path}`;
  const hidden = view.settings.length - shown.length;
  return [
    faint(`${view.service}: overrides version ${view.version}, ${file}`),
    ...(shown.length === 0 ? [] : [bold(table[0]!), ...table.slice(1)]),
    ...(hidden === 0 ? [] : [faint(`${hidden} more as by default: --all`)]),
    ...view.problems.map(bad),
  ];
}

function historyLines({ history }: ConfigHistory, speaker: Speaker, nowMs: number): string[] {
  if (history.length === 0) return ['No setting has been overridden.'];
  const { bold } = stylesOf(speaker);
  return history.flatMap(({ version, atMs, note, changes }) => [
    bold(`version ${version}, ${duration(Math.max(0, nowMs - atMs))} ago${note === null ? '' : `: ${note}`}`),
    ...changes.map(({ name, from, to }) => `  ${name}: ${from ?? 'no override'} -> ${to ?? 'no override'}`),
  ]);
}

const print = (speaker: Speaker, lines: readonly string[]): void => void speaker.out.write(`${lines.join('\n')}\n`);
