/**
 * The values of templates with the meaning that Python gives them, since the engine renders with Python's Jinja2: `None`
 * and undefined differ, `1.0` prints its `.0`, text is counted in code points, dictionaries keep their order.
 *
 * | Python | here |
 * | --- | --- |
 * | undefined, `None`, `bool`, `str` | `undefined`, `null`, `boolean`, `string` |
 * | `int` | a whole `number`, or a `bigint` beyond 2^53 |
 * | `float` | a `number` with a fraction, {@link WholeFloat} without |
 * | `list`, `tuple` | array, {@link Tuple} |
 * | `dict` with keys of text or whole numbers | `Map` |
 */
export type Value =
  | undefined
  | null
  | boolean
  | number
  | bigint
  | string
  | WholeFloat
  | readonly Value[]
  | Dict
  | Namespace
  | Loop
  | Callable;

export type Key = string | number;
export type Dict = ReadonlyMap<Key, Value>;
export type Keywords = ReadonlyMap<string, Value>;

/** What a template raises itself, and what Python would raise while running it. */
export class TemplateError extends Error {}

/** A `float` without a fraction, which as a `number` could not be told from an `int`. */
export class WholeFloat {
  readonly value: number;
  constructor(value: number) {
    this.value = value;
  }
}

export class Tuple extends Array<Value> {}

/** `namespace()`: the only object that a template may write to. */
export class Namespace {
  readonly fields = new Map<string, Value>();
}

/** A macro, a block's `caller`, or a function of the environment. */
export class Callable {
  readonly name: string;
  readonly call: (args: readonly Value[], keywords: Keywords) => Value;
  constructor(name: string, call: (args: readonly Value[], keywords: Keywords) => Value) {
    this.name = name;
    this.call = call;
  }
}

/** The `loop` of a `for` block; one per loop, moved on by it. */
export class Loop {
  readonly items: readonly Value[];
  index0 = 0;
  /** What `loop.changed()` saw last; undefined before its first call. */
  seen: readonly Value[] | undefined;
  constructor(items: readonly Value[]) {
    this.items = items;
  }
}

export const NO_KEYWORDS: Keywords = new Map();

/** The number as a Python `float`. */
export const float = (value: number): Value => (Number.isInteger(value) ? new WholeFloat(value) : value);

export const isList = (value: Value): value is readonly Value[] => Array.isArray(value);
export const isDict = (value: Value): value is Dict => value instanceof Map;
export const isKey = (value: Value): value is Key => typeof value === 'string' || typeof value === 'number';
/** Whether the value is an `int` (`bool` is one too in Python). */
export const isInteger = (value: Value): value is number | bigint | boolean =>
  typeof value === 'bigint' || typeof value === 'boolean' || (typeof value === 'number' && Number.isInteger(value));
export const isFloat = (value: Value): value is number | WholeFloat =>
  value instanceof WholeFloat || (typeof value === 'number' && !Number.isInteger(value));

/** The number that the value is, or undefined when it is none. Beyond 2^53 rounded. */
export function toNumber(value: Value): number | undefined {
  if (typeof value === 'number') return value;
  if (typeof value === 'boolean' || typeof value === 'bigint') return Number(value);
  return value instanceof WholeFloat ? value.value : undefined;
}

/** Name of the value's type in Python. */
export function typeName(value: Value): string {
  if (value === undefined) return 'Undefined';
  if (value === null) return 'NoneType';
  if (typeof value === 'string') return 'str';
  if (typeof value === 'boolean') return 'bool';
  if (isInteger(value)) return 'int';
  if (isFloat(value)) return 'float';
  if (isList(value)) return value instanceof Tuple ? 'tuple' : 'list';
  return isDict(value) ? 'dict' : value.constructor.name;
}

export function truthy(value: Value): boolean {
  if (value instanceof WholeFloat) return value.value !== 0;
  if (isList(value)) return value.length > 0;
  if (isDict(value)) return value.size > 0;
  if (value instanceof Loop) return value.items.length > 0;
  return value !== 0n && Boolean(value);
}

export function equals(a: Value, b: Value): boolean {
  if (a === b) return true;
  const left = toNumber(a);
  if (left !== undefined) return left === toNumber(b);
  if (isList(a) && isList(b)) {
    return (
      a.length === b.length && a instanceof Tuple === b instanceof Tuple && a.every((item, i) => equals(item, b[i]))
    );
  }
  if (!isDict(a) || !isDict(b) || a.size !== b.size) return false;
  for (const [key, value] of a) if (!b.has(key) || !equals(value, b.get(key))) return false;
  return true;
}

/** Negative, zero or positive as `a` sorts before, with or behind `b`. @throws TemplateError when Python cannot compare them. */
export function compare(a: Value, b: Value): number {
  const left = toNumber(a);
  const right = toNumber(b);
  if (left !== undefined && right !== undefined) return left - right;
  if (typeof a === 'string' && typeof b === 'string') return a < b ? -1 : a > b ? 1 : 0;
  if (isList(a) && isList(b)) {
    for (let i = 0; i < a.length && i < b.length; i++) {
      if (!equals(a[i], b[i])) return compare(a[i], b[i]);
    }
    return a.length - b.length;
  }
  throw new TemplateError(`cannot compare '${typeName(a)}' with '${typeName(b)}'`);
}

/** Whether `item in container`. @throws TemplateError when Python cannot tell. */
export function contains(container: Value, item: Value): boolean {
  if (typeof container === 'string') {
    if (typeof item === 'string') return container.includes(item);
    throw new TemplateError(`'in <string>' requires string as left operand, not ${typeName(item)}`);
  }
  if (isDict(container)) return isKey(item) && container.has(item);
  return iterate(container).some((other) => equals(other, item));
}

/** What a `for` over the value yields. @throws TemplateError when Python cannot iterate over it. */
export function iterate(value: Value): readonly Value[] {
  if (isList(value)) return value;
  if (value === undefined) return [];
  if (typeof value === 'string') return Array.from(value);
  if (isDict(value)) return Array.from(value.keys());
  if (value instanceof Loop) return value.items;
  throw new TemplateError(`'${typeName(value)}' object is not iterable`);
}

/** `len(value)`. @throws TemplateError when it has none. */
export function length(value: Value): number {
  if (typeof value === 'string') return codePoints(value);
  if (isDict(value)) return value.size;
  if (isList(value) || value === undefined) return iterate(value).length;
  if (value instanceof Loop) return value.items.length;
  throw new TemplateError(`object of type '${typeName(value)}' has no len()`);
}

const SURROGATE = /[\ud800-\udfff]/;

/** Whether code units and code points of the text are the same. */
export const isBasic = (text: string): boolean => !SURROGATE.test(text);
const codePoints = (text: string): number => (isBasic(text) ? text.length : Array.from(text).length);

/** `str(value)`; the empty text for undefined, as Jinja2 prints it. */
export function text(value: Value): string {
  if (typeof value === 'string') return value;
  return value === undefined ? '' : repr(value);
}

/** `repr(value)`. */
export function repr(value: Value): string {
  if (value === undefined) return 'Undefined';
  if (value === null) return 'None';
  if (typeof value === 'string') return quoted(value);
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (isInteger(value)) return String(BigInt(value));
  if (isFloat(value)) return floatText(toNumber(value)!);
  if (value instanceof Tuple) return `(${Array.from(value, repr).join(', ')}${value.length === 1 ? ',' : ''})`;
  if (isList(value)) return `[${value.map(repr).join(', ')}]`;
  if (isDict(value)) return `{${Array.from(value, ([key, item]) => `${repr(key)}: ${repr(item)}`).join(', ')}}`;
  throw new TemplateError(`a template that prints a ${typeName(value)} is not supported`);
}

/** A float as Python prints it: the shortest digits that round-trip, an exponent below 1e-4 and from 1e16 on. */
export function floatText(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value < 0 ? '-inf' : 'inf';
  if (Object.is(value, -0)) return '-0.0';
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e16)) {
    const [digits, exponent] = value.toExponential().split('e') as [string, string];
    const sign = exponent[0]!;
    return `${digits}e${sign}${exponent.slice(1).padStart(2, '0')}`;
  }
  return Number.isInteger(value) ? `${value}.0` : String(value);
}

const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/gu;
const SHORT_ESCAPES = new Map([
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['\t', '\\t'],
]);

function quoted(value: string): string {
  const quote = value.includes("'") && !value.includes('"') ? '"' : "'";
  const body = value
    .replaceAll('\\', '\\\\')
    .replaceAll(quote, `\\${quote}`)
    .replace(UNPRINTABLE, (character) => {
      const short = SHORT_ESCAPES.get(character);
      if (short !== undefined) return short;
      const code = character.codePointAt(0)!;
      if (code < 0x100) return `\\x${code.toString(16).padStart(2, '0')}`;
      return code < 0x10000 ? `\\u${code.toString(16).padStart(4, '0')}` : `\\U${code.toString(16).padStart(8, '0')}`;
    });
  return quote + body + quote;
}
