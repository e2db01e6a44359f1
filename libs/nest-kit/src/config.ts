import { z } from 'zod';

export type ParsedConfig<C> =
  { readonly ok: true; readonly config: C } | { readonly ok: false; readonly errors: string[] };
/** Environment variables as `process.env` has them. */
export type Environment = Readonly<Record<string, string | undefined>>;

const wholeNumber = (min: number, max: number, allowed: string) =>
  z
    .string()
    .refine((text) => /^-?\d+$/.test(text) && Number(text) >= min && Number(text) <= max, `must be ${allowed}`)
    .transform(Number);

/** A whole number from `min` to `max`. */
export const integerField = (min: number, max: number): z.ZodType<number, string> =>
  wholeNumber(min, max, `a whole number from ${min} to ${max}`);

/** A TCP port; 0 takes a free one. */
export const portField = (): z.ZodType<number, string> => wholeNumber(0, 65535, 'a port from 0 to 65535');

/** A decimal number from `min` to `max`. */
export const numberField = (min: number, max: number): z.ZodType<number, string> =>
  z
    .string()
    .refine((text) => Number(text) >= min && Number(text) <= max, `must be a number from ${min} to ${max}`)
    .transform(Number);

/** `true` or `false`. */
export const booleanField = (): z.ZodType<boolean, string> =>
  z
    .string()
    .refine((text) => text === 'true' || text === 'false', 'must be true or false')
    .transform((text) => text === 'true');

/** One of `values`. */
export const choiceField = <const T extends string>(values: readonly T[]): z.ZodType<T, string> =>
  z
    .string()
    .refine((text) => (values as readonly string[]).includes(text), `must be one of ${values.join(', ')}`)
    .transform((text) => text as T);

/** Comma-separated, each one of `values` and named once. */
export const choicesField = <const T extends string>(values: readonly T[]): z.ZodType<T[], string> =>
  listField()
    .refine(
      (items) => items.every((item) => (values as readonly string[]).includes(item)),
      `must be of ${values.join(', ')}, separated by commas`,
    )
    .refine((items) => new Set(items).size === items.length, 'must name each once')
    .transform((items) => items as T[]);

/** Comma-separated values, blanks around them ignored. */
export const listField = (): z.ZodType<string[], string> =>
  z.string().transform((text) =>
    text
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== ''),
  );

/** A URL with one of `protocols` (without the colon). */
export const urlField = (...protocols: readonly string[]): z.ZodType<string, string> =>
  z
    .string()
    .refine(
      (text) => URL.canParse(text) && protocols.includes(new URL(text).protocol.slice(0, -1)),
      `must be a URL like ${protocols.map((protocol) => `${protocol}://host:port`).join(' or ')}`,
    );

const natsServers = z
  .string()
  .transform((text) => text.split(',').map((item) => item.trim()))
  .refine(
    (urls) => urls.every((url) => URL.canParse(url) && ['nats:', 'tls:'].includes(new URL(url).protocol)),
    'must be nats://host:port or tls://host:port, several separated by commas',
  );

/** Variables that every service reads; spread into its own schema. */
export const commonFields = {
  SLUICE_NATS_URL: natsServers.default(['nats://127.0.0.1:4222']),
  SLUICE_REDIS_URL: urlField('redis', 'rediss').default('redis://127.0.0.1:6379'),
  SLUICE_FLEET: z.string(),
  SLUICE_HOST: z.string().default('127.0.0.1'),
  SLUICE_LOG_LEVEL: choiceField(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
};

/**
 * Typed configuration from the environment, or every error at once. The keys of `schema` are the names of the variables.
 * An empty variable counts as absent; a variable that starts with `prefix` and is not in the schema is an error.
 */
export function parseConfig<S extends z.ZodObject>(
  schema: S,
  prefix: string,
  env: Environment,
): ParsedConfig<z.output<S>> {
  const known = Object.keys(schema.shape);
  const given = Object.fromEntries(known.filter((name) => env[name]).map((name) => [name, env[name]]));
  const errors = Object.keys(env)
    .filter((name) => name.startsWith(prefix) && !known.includes(name))
    .map((name) => `${name}: is unknown; known are ${known.filter((k) => k.startsWith(prefix)).join(', ')}`);
  const parsed = schema.safeParse(given);
  if (!parsed.success) {
    for (const issue of parsed.error.issues) {
      const name = String(issue.path[0] ?? 'environment');
      errors.push(`${name}: ${env[name] ? `'${withoutPassword(env[name])}' ${issue.message}` : 'is missing'}`);
    }
  }
  return parsed.success && errors.length === 0 ? { ok: true, config: parsed.data } : { ok: false, errors };
}

/** Values may be URLs with credentials, and errors are printed. */
const withoutPassword = (text: string): string => text.replace(/(:\/\/[^:/@\s]*):[^@/\s]*@/g, '$1:***@');

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
