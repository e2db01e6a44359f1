import { schemaErrors, UNSUPPORTED_MEDIA_TYPE } from './errors.ts';
import type { ApiError, SchemaError } from './errors.ts';
import { pythonRepr } from './errors.ts';

export type JsonObject = Readonly<Record<string, unknown>>;
export type Parsed<T> =
  { readonly kind: 'ok'; readonly value: T } | { readonly kind: 'error'; readonly error: ApiError };

/** Reads a request body as vLLM's server does: media type first, then JSON, then an object. */
export function parseBody(contentType: string | undefined, text: string): Parsed<JsonObject> {
  const fail = (error: SchemaError): Parsed<JsonObject> => ({ kind: 'error', error: schemaErrors([error]) });
  if (contentType?.split(';')[0]?.trim().toLowerCase() !== 'application/json') {
    return { kind: 'error', error: UNSUPPORTED_MEDIA_TYPE };
  }
  if (text === '') return fail({ type: 'missing', loc: 'body', msg: 'Field required', input: "'None'" });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const message = error instanceof Error ? error.message : '';
    const position = /at position (\d+)/.exec(message)?.[1] ?? text.length;
    return fail({
      type: 'json_invalid',
      loc: `body.${position}`,
      msg: 'JSON decode error',
      input: "'<dict of 0 items>'",
      ctx: pythonJsonError(message),
    });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return fail({
      type: 'model_attributes_type',
      loc: 'body',
      msg: 'Input should be a valid dictionary or object to extract fields from',
      input: pythonRepr(value),
    });
  }
  return { kind: 'ok', value: value as JsonObject };
}

/** V8's complaint in the words of Python's decoder. */
function pythonJsonError(message: string): string {
  if (/after (property value|array element)/.test(message)) return "Expecting ',' delimiter";
  if (message.includes("Expected ':'")) return "Expecting ':' delimiter";
  if (message.includes('property name')) return 'Expecting property name enclosed in double quotes';
  if (message.includes('Unterminated string')) return 'Unterminated string starting at';
  return 'Expecting value';
}

/**
 * Reads the fields of a body with Pydantic's lax coercions, and collects a complaint for each that does not fit. A
 * missing field and null are both absent.
 */
export class FieldReader {
  readonly errors: SchemaError[] = [];
  private readonly body: JsonObject;

  constructor(body: JsonObject) {
    this.body = body;
  }

  integer(name: string): number | null {
    const value = this.body[name] ?? null;
    if (value === null || Number.isInteger(value)) return value as number | null;
    if (typeof value === 'boolean') return Number(value);
    if (typeof value === 'string') {
      if (/^\s*[+-]?\d+\s*$/.test(value)) return Number(value);
      const msg = 'Input should be a valid integer, unable to parse string as an integer';
      return this.wrong(name, 'int_parsing', msg, value);
    }
    if (typeof value === 'number') {
      const msg = 'Input should be a valid integer, got a number with a fractional part';
      return this.wrong(name, 'int_from_float', msg, value);
    }
    return this.wrong(name, 'int_type', 'Input should be a valid integer', value);
  }

  number(name: string): number | null {
    const value = this.body[name] ?? null;
    if (value === null || typeof value === 'number') return value as number | null;
    if (typeof value === 'boolean') return Number(value);
    if (typeof value === 'string') {
      const number = value.trim() === '' ? NaN : Number(value);
      if (!Number.isNaN(number)) return number;
      return this.wrong(
        name,
        'float_parsing',
        'Input should be a valid number, unable to parse string as a number',
        value,
      );
    }
    return this.wrong(name, 'float_type', 'Input should be a valid number', value);
  }

  boolean(name: string): boolean | null {
    const value = this.body[name] ?? null;
    if (value === null || typeof value === 'boolean') return value as boolean | null;
    if (value === 0 || value === 1) return value === 1;
    if (typeof value === 'string' && /^(true|false)$/i.test(value)) return value.toLowerCase() === 'true';
    return this.wrong(name, 'bool_parsing', 'Input should be a valid boolean, unable to interpret input', value);
  }

  string(name: string): string | null {
    const value = this.body[name] ?? null;
    if (value === null || typeof value === 'string') return value as string | null;
    return this.wrong(name, 'string_type', 'Input should be a valid string', value);
  }

  /** A string or a list of strings, as a list. */
  strings(name: string): readonly string[] {
    const value = this.body[name] ?? null;
    if (value === null) return [];
    if (typeof value === 'string') return [value];
    if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value;
    this.wrong(name, 'list_type', 'Input should be a valid list', value);
    return [];
  }

  list(name: string): readonly unknown[] | null {
    const value = this.body[name] ?? null;
    if (value === null || Array.isArray(value)) return value as readonly unknown[] | null;
    return this.wrong(name, 'list_type', 'Input should be a valid list', value);
  }

  /** A list that has to be there. Null only together with a complaint: null in its place is no list, as in vLLM. */
  requiredList(name: string): readonly unknown[] | null {
    if (this.body[name] === undefined) {
      this.errors.push({ type: 'missing', loc: `body.${name}`, msg: 'Field required', input: pythonRepr(this.body) });
      return null;
    }
    if (this.body[name] !== null) return this.list(name);
    this.errors.push({ type: 'list_type', loc: `body.${name}`, msg: 'Input should be a valid list', input: "'None'" });
    return null;
  }

  object(name: string): JsonObject | null {
    const value = this.body[name] ?? null;
    if (value === null) return null;
    if (typeof value === 'object' && !Array.isArray(value)) return value as JsonObject;
    return this.wrong(name, 'dict_type', 'Input should be a valid dictionary', value);
  }

  private wrong(name: string, type: string, msg: string, value: unknown): null {
    this.errors.push({ type, loc: `body.${name}`, msg, input: pythonRepr(value) });
    return null;
  }
}
