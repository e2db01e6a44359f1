import { parse } from 'yaml';
import { WatchedFile } from './watched-file.ts';
import type { FileText } from './watched-file.ts';

/** Settings by name, each as it would be written in the environment. */
export type SettingTexts = Readonly<Record<string, string>>;

export type ConfigFileContent =
  | { readonly ok: true; readonly settings: SettingTexts }
  /** It cannot be read, or is no YAML (JSON is) with one value per name. */
  | { readonly ok: false; readonly errors: readonly string[] };

/** A file of settings that is followed as it changes; null values count as absent. */
export interface ConfigFile {
  readonly path: string;
  /** What it held when it was opened. */
  readonly first: ConfigFileContent;
  /** `listener` is called with every later content, good or not. Returns the function that ends it. */
  follow(listener: (content: ConfigFileContent) => void): () => void;
  close(): void;
}

export function openConfigFile(path: string): ConfigFile {
  const listeners = new Set<(content: ConfigFileContent) => void>();
  const onChange = (changed: FileText): void => {
    latest = contentOf(changed);
    for (const listener of listeners) listener(latest);
  };
  const file = new WatchedFile({ path, onChange });
  const first = contentOf(file.first);
  let latest = first;
  return {
    path,
    first,
    follow: (listener) => {
      listeners.add(listener);
      if (latest !== first) listener(latest);
      return () => listeners.delete(listener);
    },
    close: () => file.close(),
  };
}

function contentOf(file: FileText): ConfigFileContent {
  return file.ok ? parseConfigFile(file.text) : { ok: false, errors: [file.reason] };
}

/** Settings from YAML or JSON: one mapping of names to scalars, lists of scalars or mappings of scalars. */
export function parseConfigFile(text: string): ConfigFileContent {
  let document: unknown;
  try {
    document = parse(text);
  } catch (error) {
    return { ok: false, errors: [(error as Error).message] };
  }
  if (document === null || document === undefined) return { ok: true, settings: {} };
  if (typeof document !== 'object' || Array.isArray(document)) {
    return { ok: false, errors: ['must be a mapping of settings by name'] };
  }
  const settings: Record<string, string> = {};
  const errors: string[] = [];
  for (const [name, value] of Object.entries(document)) {
    if (value === null) continue;
    const asText = settingText(value);
    if (asText === null) errors.push(`${name}: must be a value, a list of values or a mapping of values`);
    else settings[name] = asText;
  }
  return errors.length === 0 ? { ok: true, settings } : { ok: false, errors };
}

/** A value as it would be written in the environment: lists as `a,b`, mappings as `a=1,b=2`. Null when it cannot be. */
export function settingText(value: unknown): string | null {
  if (isScalar(value)) return String(value);
  if (Array.isArray(value)) return value.every(isScalar) ? value.join(',') : null;
  if (typeof value !== 'object' || value === null) return null;
  const entries = Object.entries(value);
  return entries.every(([, each]) => isScalar(each))
    ? entries.map(([name, each]) => `${name}=${String(each)}`).join(',')
    : null;
}

const isScalar = (value: unknown): value is string | number | boolean =>
  typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
