/** Collects every error of a document instead of stopping at the first; a path is like `pools[0].engines[1].url`. */
export class Problems {
  readonly errors: string[] = [];

  add(path: string, value: unknown, allowed: string): void {
    this.errors.push(`${path === '' ? 'the file' : path}: ${shown(value)} ${allowed}`);
  }
}

/** A value as it can be quoted in one line. */
function shown(value: unknown): string {
  if (value === undefined) return 'is missing; it';
  const text = JSON.stringify(value) ?? String(value);
  return `${text.length > 80 ? `${text.slice(0, 77)}...` : text}`;
}

/** Reads the fields of one mapping; each getter reports a bad value and returns a usable stand-in, so that reading goes on. */
export class FieldReader {
  readonly path: string;
  readonly #problems: Problems;
  readonly #fields: Readonly<Record<string, unknown>>;
  /** False once the mapping itself was reported: its fields are not reported too. */
  readonly #isMapping: boolean;

  constructor(problems: Problems, path: string, value: unknown, known: readonly string[]) {
    this.path = path;
    this.#problems = problems;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      problems.add(path, value, `must be a mapping with ${known.join(', ')}`);
      this.#fields = {};
      this.#isMapping = false;
      return;
    }
    this.#isMapping = true;
    this.#fields = value as Record<string, unknown>;
    for (const key of Object.keys(value)) {
      if (!known.includes(key))
        problems.add(this.at(key), this.#fields[key], `is unknown; known are ${known.join(', ')}`);
    }
  }

  at(key: string): string {
    return this.path === '' ? key : `${this.path}.${key}`;
  }

  raw(key: string): unknown {
    return this.#fields[key];
  }

  problem(key: string, allowed: string): void {
    if (this.#isMapping) this.#problems.add(this.at(key), this.#fields[key], allowed);
  }

  /** A non-empty string that `test` accepts. */
  string(key: string, allowed: string, test: (text: string) => boolean = () => true, fallback?: string): string {
    const value = this.#fields[key];
    if (value === undefined && fallback !== undefined) return fallback;
    if (typeof value === 'string' && value !== '' && test(value)) return value;
    this.problem(key, allowed);
    return fallback ?? '';
  }

  /** As {@link FieldReader.string}; null when the field is null or absent. */
  stringOrNull(key: string, allowed: string, test?: (text: string) => boolean): string | null {
    return this.#fields[key] === undefined || this.#fields[key] === null ? null : this.string(key, allowed, test);
  }

  oneOf<T extends string>(key: string, values: readonly T[], fallback: T): T {
    const value = this.#fields[key];
    if (value === undefined) return fallback;
    const found = values.find((candidate) => candidate === value);
    if (found === undefined) this.problem(key, `must be one of ${values.join(', ')}`);
    return found ?? fallback;
  }

  integer(key: string, min: number, max: number, fallback: number): number {
    const value = this.#fields[key];
    if (value === undefined) return fallback;
    if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value;
    this.problem(key, `must be a whole number from ${min} to ${max}`);
    return fallback;
  }

  /** Distinct non-empty strings. */
  strings(key: string, required: boolean): string[] {
    const value = this.#fields[key];
    if (value === undefined && !required) return [];
    if (!Array.isArray(value) || (required && value.length === 0)) {
      this.problem(key, `must be a list of names${required ? ' with at least one' : ''}`);
      return [];
    }
    const names: string[] = [];
    value.forEach((name: unknown, i) => {
      const path = `${this.at(key)}[${i}]`;
      if (typeof name !== 'string' || name === '') this.#problems.add(path, name, 'must be a non-empty string');
      else if (names.includes(name)) this.#problems.add(path, name, 'is there twice');
      else names.push(name);
    });
    return names;
  }

  /** Items of a list that has at least one. */
  list(key: string, what: string): readonly unknown[] {
    const value = this.#fields[key];
    if (Array.isArray(value) && value.length > 0) return value;
    this.problem(key, `must be a list of ${what} with at least one`);
    return [];
  }
}
