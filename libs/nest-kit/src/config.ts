import type { SettingTexts } from '@sluice/discovery';
import type { z } from 'zod';
import { didYouMean } from './did-you-mean.ts';
import { choiceField, natsServersField, secretField, textField, urlField } from './fields.ts';
import { liveSetting, setting } from './setting.ts';

export type ParsedConfig<C> =
  { readonly ok: true; readonly config: C } | { readonly ok: false; readonly errors: string[] };
/** Environment variables as `process.env` has them. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Settings of the admin API's protection; see docs/admin-api.md. */
export const adminFields = {
  SLUICE_ADMIN_TOKEN: setting(
    secretField().optional(),
    'Bearer token that the admin API asks for on everything that changes state',
  ),
  SLUICE_ADMIN_TOKEN_FILE: setting(
    textField('a path').optional(),
    'File with that token, read again as it changes; takes the place of SLUICE_ADMIN_TOKEN',
  ),
  SLUICE_ADMIN_READ_TOKEN: setting(
    secretField().optional(),
    'Bearer token that reads need too; the other token serves as well',
  ),
};

/** Variables that every service reads; spread into its own schema. */
export const commonFields = {
  SLUICE_NATS_URL: setting(natsServersField().default(['nats://127.0.0.1:4222']), 'NATS servers'),
  SLUICE_REDIS_URL: setting(urlField('redis', 'rediss').default('redis://127.0.0.1:6379'), 'Redis server'),
  SLUICE_FLEET: setting(textField('a path'), 'Fleet file; followed as it changes'),
  SLUICE_HOST: setting(textField('a host name or address').default('127.0.0.1'), 'Address that the servers listen on'),
  SLUICE_LOG_LEVEL: liveSetting(
    choiceField(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
    'Least level that is logged',
  ),
  SLUICE_CONFIG: setting(
    textField('a path').optional(),
    'File of settings (YAML or JSON), followed as it changes; it goes before the environment',
  ),
  ...adminFields,
};

/** Whose settings one file may hold. */
const PREFIXES = ['ROUTER_', 'KV_INDEX_', 'EVENT_BRIDGE_', 'LATENCY_PREDICTOR_'];

/**
 * Typed configuration from the environment and a file that goes before it, or every error at once. The keys of `schema`
 * are the names of the settings. An empty variable counts as absent. Unknown names are errors: in the environment those
 * that start with `prefix`, in the file all but other services'.
 */
export function parseConfig<S extends z.ZodObject>(
  schema: S,
  prefix: string,
  env: Environment,
  file: SettingTexts = {},
): ParsedConfig<z.output<S>> {
  const known = Object.keys(schema.shape);
  const given = Object.fromEntries(
    known.filter((name) => file[name] ?? env[name]).map((name) => [name, file[name] ?? env[name]]),
  );
  const errors = [
    ...Object.keys(env).filter((name) => name.startsWith(prefix)),
    ...Object.keys(file).filter((name) => !isOthers(name, prefix)),
  ]
    .filter((name) => !known.includes(name))
    .map((name) => unknownSetting(name, known));
  if (file['SLUICE_CONFIG'] !== undefined) errors.push('SLUICE_CONFIG: belongs in the environment, not in the file');
  const parsed = schema.safeParse(given);
  if (!parsed.success) {
    for (const issue of parsed.error.issues) {
      const name = String(issue.path[0] ?? 'environment');
      errors.push(`${name}: ${given[name] ? `'${shown(name, given[name])}' ${issue.message}` : 'is missing'}`);
    }
  }
  return parsed.success && errors.length === 0 ? { ok: true, config: parsed.data } : { ok: false, errors };
}

/** Whether a name in the file may be another service's: by its prefix, or common to services. */
const isOthers = (name: string, prefix: string): boolean =>
  name in commonFields || PREFIXES.some((other) => other !== prefix && name.startsWith(other));

/** What is wrong with a name that no setting has. */
export function unknownSetting(name: string, known: readonly string[]): string {
  const prefix = PREFIXES.find((each) => name.startsWith(each)) ?? '';
  const alike = known.filter((each) => each.startsWith(prefix));
  return `${name}: is unknown; ${didYouMean(name, alike.length > 0 ? alike : known)}`;
}

/** A value as it may be printed: values may be URLs with credentials, or tokens. */
const shown = (name: string, text: string): string => (/TOKEN$/.test(name) ? '***' : withoutPasswords(text));

/** Text with the passwords of URLs hidden. */
export const withoutPasswords = (text: string): string => text.replace(/(:\/\/[^:/@\s]*):[^@/\s]*@/g, '$1:***@');

/** The configuration is wrong: what {@link runMain} prints line by line. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly errors: readonly string[];

  constructor(errors: readonly string[]) {
    super(`configuration:\n${errors.map((error) => `  ${error}`).join('\n')}`);
    this.errors = errors;
  }
}

/** The configuration. @throws ConfigError with every error. */
export function configOrThrow<C>(parsed: ParsedConfig<C>): C {
  if (!parsed.ok) throw new ConfigError(parsed.errors);
  return parsed.config;
}
