import { openConfigFile } from '@sluice/discovery';
import type { ConfigFile, SettingTexts } from '@sluice/discovery';
import { ConfigError } from '../config.ts';
import type { Environment } from '../config.ts';

/** What a process is configured with: its environment, and the file of settings that it names. */
export interface GivenSettings {
  readonly env: Environment;
  /** Null: SLUICE_CONFIG names none. */
  readonly file: ConfigFile | null;
}

/** Opens the file of settings that the environment names, which is followed from then on. @throws ConfigError when it cannot be read */
export function openSettings(env: Environment): GivenSettings & { readonly texts: SettingTexts } {
  const path = env['SLUICE_CONFIG'];
  if (!path) return { env, file: null, texts: {} };
  const file = openConfigFile(path);
  if (file.first.ok) return { env, file, texts: file.first.settings };
  file.close();
  throw new ConfigError(file.first.errors.map((error) => `${path}: ${error}`));
}
