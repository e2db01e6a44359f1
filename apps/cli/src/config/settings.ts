import type { ConfigHistory, ConfigView } from '@sluice/contracts';
import { AdminClient, AdminError } from '../admin-client.ts';
import { Routers, tellLost } from '../routers.ts';
import type { Told } from '../routers.ts';
import type { Speaker } from '../speaker.ts';
import { allSettings, historyLines, oneSetting, settingsOf } from './page.ts';
import type { SettingOf } from './page.ts';

export interface ConfigOptions {
  readonly admin: string;
  readonly token: string | null;
  /** Whose settings; `router`: of every router behind the address. */
  readonly service: string;
  readonly json: boolean;
}
export interface ChangeOptions extends ConfigOptions {
  readonly note?: string;
  /** Version that must be in force. */
  readonly ifVersion?: number;
}

/**
 * Prints settings in force: all, those that differ from their defaults, or one with what it means. Returns whether all
 * that were asked answered.
 * @throws AdminError when none does, or there is no such setting
 */
export async function printSettings(
  name: string | undefined,
  options: ConfigOptions & { readonly all: boolean },
  speaker: Speaker,
): Promise<boolean> {
  const { told, lost, areSeveral } = await ask<ConfigView>(options, '/config');
  const one = name === undefined ? null : statesOf(told, name);
  if (options.json) {
    const shown = told.map(({ router, answer }) => ({
      router,
      answer: one === null ? answer : one.find(({ names }) => names.includes(router))!.setting,
    }));
    printJson(shown, areSeveral, speaker);
  } else if (one !== null) print(speaker, oneSetting(one, speaker));
  else print(speaker, allSettings(told, options.all, speaker));
  return tellLost(lost, speaker);
}

/** Changes overrides and prints what came into force. @param changes `NAME=VALUE`; without a value the override goes. @throws AdminError */
export async function setSettings(changes: readonly string[], options: ChangeOptions, speaker: Speaker): Promise<void> {
  const settings = Object.fromEntries(changes.map(parseChange));
  const body = { settings, ...(options.note !== undefined && { note: options.note }) };
  const view = await change('PATCH', '/config', body, options);
  report(view, Object.keys(settings), options, speaker);
}

/** Prints the versions of the overrides, newest first. Returns as {@link printSettings}. @throws AdminError */
export async function printHistory(options: ConfigOptions, speaker: Speaker, nowMs: number): Promise<boolean> {
  const { told, lost, areSeveral } = await ask<ConfigHistory>(options, '/config/history');
  if (options.json) printJson(told, areSeveral, speaker);
  else print(speaker, historyLines(told, speaker, nowMs));
  return tellLost(lost, speaker);
}

/** Brings the overrides of `version` back, by default of the one before. @throws AdminError */
export async function rollBack(version: number | null, options: ChangeOptions, speaker: Speaker): Promise<void> {
  const { note } = options;
  const body = { ...(version !== null && { version }), ...(note !== undefined && { note }) };
  const view = await change('POST', '/config/rollback', body, options);
  const overridden = view.settings.filter(({ source }) => source === 'override').map(({ name }) => name);
  report(view, overridden, options, speaker);
}

/** Asks the service, or every router; `lost` are those that do not answer. */
async function ask<T>(
  { admin, token, service }: ConfigOptions,
  path: string,
): Promise<{ told: Told<T>[]; lost: ReadonlyMap<string, string>; areSeveral: boolean }> {
  const client = await AdminClient.connect(admin, token);
  if (service !== 'router') {
    const told = [{ router: service, answer: await client.get<T>(service, path) }];
    return { told, lost: new Map(), areSeveral: false };
  }
  const routers = new Routers([client]);
  return { told: await routers.ask<T>(path), lost: routers.lost, areSeveral: routers.areSeveral };
}

async function change(
  method: 'POST' | 'PATCH',
  path: string,
  body: object,
  options: ChangeOptions,
): Promise<ConfigView> {
  const { admin, token, service, ifVersion = null } = options;
  const client = await AdminClient.connect(admin, token);
  // Several routers are behind consoles alone, and those only read: any of them is told where to ask instead.
  const several = service === 'router' && client.routers.length > 1;
  try {
    return await client.change<ConfigView>(several ? client.routers[0]! : service, method, path, body, ifVersion);
  } catch (error) {
    if (!several || !(error instanceof AdminError) || error.status !== 405) throw error;
    throw new AdminError(`${error.message}. One of ${client.routers.join(', ')} is enough where they share a Redis`);
  }
}

function statesOf(told: readonly Told<ConfigView>[], name: string): SettingOf[] {
  const found = settingsOf(told).find(([state]) => state!.setting.name === name.toUpperCase());
  if (found === undefined)
    throw new AdminError(`${told[0]!.answer.service} has no setting '${name}'; 'sluice config get --all' lists them`);
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
  const kept =
    view.overrides.kept === 'memory'
      ? 'Without a store: until the next start, and here alone.'
      : `Kept in Redis: every ${view.service} that shares it follows within moments.`;
  print(speaker, [
    `version ${view.version} of the overrides of ${view.service} is in force`,
    ...settings.map(({ name, value, source }) => `  ${name}=${value ?? ''}  (${source})`),
    kept,
  ]);
}

/** What one answered as it is, of several by name. */
function printJson(told: readonly Told<unknown>[], areSeveral: boolean, speaker: Speaker): void {
  const shown = areSeveral
    ? { routers: Object.fromEntries(told.map(({ router, answer }) => [router, answer])) }
    : told[0]!.answer;
  print(speaker, [JSON.stringify(shown, null, 2)]);
}

const print = (speaker: Speaker, lines: readonly string[]): void => void speaker.out.write(`${lines.join('\n')}\n`);
