import {
  compare,
  type Dict,
  floatText,
  isDict,
  isFloat,
  isInteger,
  isList,
  TemplateError,
  toNumber,
  typeName,
  type Value,
  WholeFloat,
} from './values.ts';

/** Arguments of transformers' `tojson` filter, which are those of Python's `json.dumps`. */
export interface JsonStyle {
  readonly ensureAscii: boolean;
  /** What one level is indented by; null: everything on one line. */
  readonly indent: string | null;
  readonly itemSeparator: string;
  readonly keySeparator: string;
  readonly sortKeys: boolean;
}

/** JSON of values that stay from one rendering to the next, by style. */
const remembered = new WeakMap<object, Map<string, string>>();

/** The JSON of `value`, which nobody changes any more, is remembered for as long as the value is. */
export function rememberJson(value: Dict): void {
  remembered.set(value, new Map());
}

/** `json.dumps(value)` in the given style. @throws TemplateError for values that Python cannot write as JSON. */
export function toJson(value: Value, style: JsonStyle): string {
  const byStyle = isDict(value) ? remembered.get(value) : undefined;
  if (byStyle === undefined) return write(value, style, '\n');
  const name = JSON.stringify(style);
  let json = byStyle.get(name);
  if (json === undefined) byStyle.set(name, (json = write(value, style, '\n')));
  return json;
}

function write(value: Value, style: JsonStyle, newline: string): string {
  if (value === null) return 'null';
  if (typeof value === 'string') return quotedJson(value, style.ensureAscii);
  if (typeof value === 'boolean') return value ? 'true' : 'false';
  if (isInteger(value)) return String(BigInt(value));
  if (isFloat(value)) return jsonFloat(toNumber(value)!);
  if (isList(value)) {
    const inner = style.indent === null ? '' : newline + style.indent;
    return wrapped(
      '[',
      value.map((item) => write(item, style, inner)),
      ']',
      style,
      newline,
    );
  }
  if (isDict(value)) return wrapped('{', members(value, style, newline), '}', style, newline);
  throw new TemplateError(`Object of type ${typeName(value)} is not JSON serializable`);
}

function members(value: Dict, style: JsonStyle, newline: string): string[] {
  const inner = style.indent === null ? '' : newline + style.indent;
  const keys = Array.from(value.keys());
  if (style.sortKeys) keys.sort(compare);
  return keys.map(
    (key) => quotedJson(String(key), style.ensureAscii) + style.keySeparator + write(value.get(key), style, inner),
  );
}

function wrapped(open: string, items: string[], close: string, style: JsonStyle, newline: string): string {
  if (items.length === 0) return open + close;
  if (style.indent === null) return open + items.join(style.itemSeparator) + close;
  const inner = newline + style.indent;
  return open + inner + items.join(style.itemSeparator + inner) + newline + close;
}

/** JSON.stringify escapes what json.dumps does, and lone surrogates, which no request has. */
function quotedJson(value: string, ensureAscii: boolean): string {
  const plain = JSON.stringify(value);
  if (!ensureAscii) return plain;
  return plain.replace(/[\x7f-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

function jsonFloat(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value < 0 ? '-Infinity' : 'Infinity';
  return floatText(value);
}

/** A parsed JSON value as a template sees it. Numbers without a fraction become `int`: see {@link parseJson} for exactness. */
export function fromJavaScript(value: unknown): Value {
  if (Array.isArray(value)) return value.map(fromJavaScript);
  if (typeof value === 'object' && value !== null) {
    const dict = new Map<string, Value>();
    for (const key of Object.keys(value)) dict.set(key, fromJavaScript((value as Record<string, unknown>)[key]));
    return dict;
  }
  return value as Value;
}

/**
 * Parses JSON as Python's `json.loads` does: `1.0` stays a float, long integers stay exact, keys keep their order (a
 * JavaScript object moves keys like "10" to the front), and NaN and the infinities are numbers.
 * @throws SyntaxError when the text is not JSON.
 */
export function parseJson(source: string): Value {
  const parser = new Parser(source);
  const value = parser.value();
  parser.end();
  return value;
}

const NUMBER = /-?(?:0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?/y;
const SPACE = /[ \t\n\r]*/y;
const STRING = /"[^"\\\u0000-\u001f]*"/y;
const ESCAPED_STRING = /"[^"\\\u0000-\u001f]*(?:\\.[^"\\\u0000-\u001f]*)*"/y;
const LITERALS: readonly (readonly [string, Value])[] = [
  ['true', true],
  ['false', false],
  ['null', null],
  ['NaN', NaN],
  ['Infinity', Infinity],
  ['-Infinity', -Infinity],
];

class Parser {
  private readonly source: string;
  private at = 0;

  constructor(source: string) {
    this.source = source;
  }

  value(): Value {
    this.skipSpace();
    const first = this.source[this.at];
    if (first === '{') return this.object();
    if (first === '[') return this.array();
    if (first === '"') return this.string();
    for (const [name, value] of LITERALS) {
      if (this.source.startsWith(name, this.at)) {
        this.at += name.length;
        return value;
      }
    }
    return this.number();
  }

  end(): void {
    this.skipSpace();
    if (this.at < this.source.length) throw this.error();
  }

  private object(): Value {
    const dict = new Map<string, Value>();
    this.at++;
    this.skipSpace();
    if (this.takeIf('}')) return dict;
    do {
      this.skipSpace();
      const key = this.string();
      this.skipSpace();
      if (!this.takeIf(':')) throw this.error();
      dict.set(key, this.value());
      this.skipSpace();
    } while (this.takeIf(','));
    if (!this.takeIf('}')) throw this.error();
    return dict;
  }

  private array(): Value {
    const items: Value[] = [];
    this.at++;
    this.skipSpace();
    if (this.takeIf(']')) return items;
    do {
      items.push(this.value());
      this.skipSpace();
    } while (this.takeIf(','));
    if (!this.takeIf(']')) throw this.error();
    return items;
  }

  private string(): string {
    const plain = this.match(STRING);
    if (plain !== undefined) return plain.slice(1, -1);
    const escaped = this.match(ESCAPED_STRING);
    if (escaped === undefined) throw this.error();
    return JSON.parse(escaped) as string;
  }

  private number(): Value {
    NUMBER.lastIndex = this.at;
    const match = NUMBER.exec(this.source);
    if (match === null) throw this.error();
    this.at += match[0].length;
    const value = Number(match[0]);
    if (match[1] !== undefined || match[2] !== undefined) {
      return Number.isInteger(value) ? new WholeFloat(value) : value;
    }
    return Number.isSafeInteger(value) ? value : BigInt(match[0]);
  }

  private skipSpace(): void {
    SPACE.lastIndex = this.at;
    SPACE.exec(this.source);
    this.at = SPACE.lastIndex;
  }

  private match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.at;
    const match = pattern.exec(this.source);
    if (match === null) return undefined;
    this.at = pattern.lastIndex;
    return match[0];
  }

  private takeIf(character: string): boolean {
    if (this.source[this.at] !== character) return false;
    this.at++;
    return true;
  }

  private error(): SyntaxError {
    return new SyntaxError(`invalid JSON at character ${this.at}`);
  }
}
