import type { ConfigHistory, ConfigView, SettingView } from '@sluice/contracts';
import { duration } from '../numbers.ts';
import type { Told } from '../routers.ts';
import { stylesOf, widthOf } from '../speaker.ts';
import type { Speaker } from '../speaker.ts';
import { textTable, wrapped } from '../text-table.ts';

/** A setting as some routers have it, or the one service that was asked. */
export interface SettingOf {
  readonly names: readonly string[];
  readonly setting: SettingView;
}

/** By setting, each different state of it once with those that have it so. */
export function settingsOf(told: readonly Told<ConfigView>[]): SettingOf[][] {
  const byName = new Map<string, SettingOf[]>();
  for (const { router, answer } of told) {
    for (const setting of answer.settings) {
      const states = byName.get(setting.name) ?? [];
      const at = states.findIndex((state) => isSame(state.setting, setting));
      if (at < 0) states.push({ names: [router], setting });
      else states[at] = { setting, names: [...states[at]!.names, router] };
      byName.set(setting.name, states);
    }
  }
  return [...byName.values()];
}

const isSame = (a: SettingView, b: SettingView): boolean =>
  a.value === b.value && a.source === b.source && a.pending === b.pending;

/** What one setting means and takes, and what it is. */
export function oneSetting(states: readonly SettingOf[], speaker: Speaker): string[] {
  const { name, fallback, reload, allowed, meaning } = states[0]!.setting;
  const rows = [
    ...states.flatMap(({ names, setting: { value, source, pending } }) => {
      const where = states.length === 1 ? '' : ` at ${names.join(', ')}`;
      return [
        ['value', `${value ?? 'none'} (${source})${where}`],
        ...(pending === null ? [] : [['restart', `brings ${pending}${where}`]]),
      ];
    }),
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

/** The settings that are not as by default or not the same everywhere, or all of them. */
export function allSettings(told: readonly Told<ConfigView>[], all: boolean, speaker: Speaker): string[] {
  const { bold, bad, faint } = stylesOf(speaker);
  const settings = settingsOf(told);
  const asked = settings.filter((states) => all || states.length > 1 || isNotable(states[0]!.setting));
  const shown = asked.flat();
  const column = (head: string, textOf: (state: SettingOf) => string) => ({
    head,
    cells: shown.map(textOf),
    align: 'left' as const,
  });
  const differ = shown.some(({ names }) => names.length < told.length);
  const table = textTable(
    [
      column('setting', ({ setting }) => setting.name),
      ...(differ ? [column('router', ({ names }) => (names.length === told.length ? 'all' : names.join(', ')))] : []),
      column('value', ({ setting }) => setting.value ?? '-'),
      column('source', ({ setting }) => setting.source),
      column('change', ({ setting: { reload, pending } }) => (pending === null ? reload : `restart: ${pending}`)),
    ],
    widthOf(speaker),
  );
  const hidden = settings.length - asked.length;
  const heads = told.map(({ router, answer: { version, file } }) =>
    faint(`${router}: overrides version ${version}, ${file === null ? 'no file of settings' : `file ${file.path}`}`),
  );
  return [
    ...heads,
    ...(shown.length === 0 ? [] : [bold(table[0]!), ...table.slice(1)]),
    ...(hidden === 0 ? [] : [faint(`${hidden} more as by default: --all`)]),
    ...told.flatMap(({ router, answer: { problems } }) =>
      problems.map((problem) => bad(told.length > 1 ? `${router}: ${problem}` : problem)),
    ),
  ];
}

const isNotable = ({ source, pending }: SettingView): boolean => source !== 'default' || pending !== null;

/** The versions of the overrides, newest first; of routers that do not have the same ones after each other. */
export function historyLines(told: readonly Told<ConfigHistory>[], speaker: Speaker, nowMs: number): string[] {
  const groups = new Map<string, { readonly names: string[]; readonly history: ConfigHistory['history'] }>();
  for (const { router, answer } of told) {
    const key = JSON.stringify(answer.history);
    const group = groups.get(key) ?? { names: [], history: answer.history };
    group.names.push(router);
    groups.set(key, group);
  }
  return [...groups.values()].flatMap(({ names, history }) => [
    ...(told.length === 1 ? [] : [stylesOf(speaker).faint(`${names.join(', ')}:`)]),
    ...versionLines(history, speaker, nowMs),
  ]);
}

function versionLines(history: ConfigHistory['history'], speaker: Speaker, nowMs: number): string[] {
  if (history.length === 0) return ['No setting has been overridden.'];
  const { bold } = stylesOf(speaker);
  return history.flatMap(({ version, atMs, note, changes }) => [
    bold(`version ${version}, ${duration(Math.max(0, nowMs - atMs))} ago${note === null ? '' : `: ${note}`}`),
    ...changes.map(({ name, from, to }) => `  ${name}: ${from ?? 'no override'} -> ${to ?? 'no override'}`),
  ]);
}
