import type { SettingTexts } from '@sluice/discovery';
import type { SettingView } from '@sluice/contracts';
import { unknownSetting, withoutPasswords } from '../config.ts';
import type { Environment } from '../config.ts';
import type { SettingDescription } from '../setting.ts';

/** Where settings come from; the later goes before the earlier. */
export interface Layers {
  readonly env: Environment;
  readonly file: SettingTexts;
  readonly overrides: SettingTexts;
}

/** What is in force: `live` settings by all layers as they are, the others by `start`, the layers of the process's start. */
export function inForce(descriptions: readonly SettingDescription[], start: Layers, now: Layers): SettingTexts {
  const texts: Record<string, string> = {};
  for (const { name, reload } of descriptions) {
    const text = textOf(name, reload === 'live' ? now : start);
    if (text !== null) texts[name] = text;
  }
  return texts;
}

/** Every setting, for people. */
export function settingViews(descriptions: readonly SettingDescription[], start: Layers, now: Layers): SettingView[] {
  return descriptions.map((description) => {
    const { name, reload, fallback, allowed, meaning, isSecret } = description;
    const layers = reload === 'live' ? now : start;
    const text = textOf(name, layers);
    const next = textOf(name, now);
    const shown = (value: string | null): string | null =>
      value === null ? null : isSecret ? '***' : withoutPasswords(value);
    return {
      name,
      value: shown(text ?? fallback),
      source: sourceOf(name, layers),
      reload,
      pending: next === text ? null : shown(next ?? fallback),
      fallback,
      allowed,
      meaning,
    };
  });
}

/** What is wrong with the names of overrides: unknown ones, and those whose change would need a restart. */
export function nameErrors(descriptions: readonly SettingDescription[], overrides: SettingTexts): string[] {
  const byName = new Map(descriptions.map((description) => [description.name, description]));
  return Object.keys(overrides).flatMap((name) => {
    const description = byName.get(name);
    if (description === undefined) return [unknownSetting(name, [...byName.keys()])];
    if (description.reload === 'live') return [];
    return [`${name}: needs a restart; set it in the environment or in the file of settings`];
  });
}

/** An empty variable counts as absent. */
const textOf = (name: string, { env, file, overrides }: Layers): string | null =>
  overrides[name] || file[name] || env[name] || null;

function sourceOf(name: string, { env, file, overrides }: Layers): SettingView['source'] {
  if (overrides[name]) return 'override';
  if (file[name]) return 'file';
  return env[name] ? 'environment' : 'default';
}
