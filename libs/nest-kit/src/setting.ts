import { z } from 'zod';

/** `live`: a change comes into force while the process runs; `restart`: with its next start. */
export type Reload = 'live' | 'restart';

/** A setting of a service, as the page that lists them and the admin API have it. */
export interface SettingDescription {
  /** Its name everywhere: environment, file, admin API, command line. */
  readonly name: string;
  readonly meaning: string;
  /** What it takes, in words. */
  readonly allowed: string;
  /** As it would be written; null: it has none. */
  readonly fallback: string | null;
  readonly isRequired: boolean;
  readonly reload: Reload;
  readonly isSecret: boolean;
}

/** A field that is read when the process starts, with what it means. */
export const setting = <S extends z.ZodType>(field: S, meaning: string): S =>
  field.meta({ description: meaning, reload: 'restart' });

/** A field whose changes come into force while the process runs, with what it means. */
export const liveSetting = <S extends z.ZodType>(field: S, meaning: string): S =>
  field.meta({ description: meaning, reload: 'live' });

/** Every setting of `schema`, in its order. @throws Error for one that is not made with {@link setting} or {@link liveSetting} (a bug) */
export function describeSettings(schema: z.ZodObject): SettingDescription[] {
  return Object.entries(schema.shape).map(([name, field]) => describe(name, field as z.ZodType));
}

function describe(name: string, field: z.ZodType): SettingDescription {
  const about = field.meta() ?? {};
  const inner = innermost(field).meta() ?? {};
  const { description, reload } = about;
  if (description === undefined || (reload !== 'live' && reload !== 'restart')) {
    throw new Error(`setting ${name} does not say what it means: declare it with setting() or liveSetting()`);
  }
  return {
    name,
    meaning: description,
    allowed: String(inner['allowed'] ?? 'text'),
    fallback: field instanceof z.ZodDefault ? textOf(field.def.defaultValue) : null,
    isRequired: !(field instanceof z.ZodDefault || field instanceof z.ZodOptional),
    reload,
    isSecret: inner['secret'] === true,
  };
}

function innermost(field: z.ZodType): z.ZodType {
  const wraps = field instanceof z.ZodDefault || field instanceof z.ZodOptional;
  return wraps ? innermost(field.def.innerType as z.ZodType) : field;
}

/** A value as it would be written in the environment. */
function textOf(value: unknown): string {
  if (Array.isArray(value)) return value.join(',');
  if (value instanceof Map) return textOf(Object.fromEntries(value));
  if (typeof value !== 'object' || value === null) return String(value);
  return Object.entries(value)
    .map(([name, each]) => `${name}=${String(each)}`)
    .join(',');
}
