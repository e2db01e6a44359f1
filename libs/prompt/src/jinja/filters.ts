import { type JsonStyle, toJson } from './json.ts';
import { capitalize, pairs, replace, sorted, sortKey, string, strip, title, wholeNumber } from './strings.ts';
import { getItem, testNamed } from './tests.ts';
import {
  compare,
  equals,
  float,
  isFloat,
  isInteger,
  iterate,
  type Keywords,
  length,
  TemplateError,
  text,
  toNumber,
  truthy,
  Tuple,
  typeName,
  type Value,
} from './values.ts';

/** `value | name(args, keywords)`. */
export type Filter = (value: Value, args: readonly Value[], keywords: Keywords) => Value;

/** The argument at `position`, or of that name; undefined when it was not given. */
const argument = (args: readonly Value[], keywords: Keywords, position: number, name: string): Value =>
  position < args.length ? args[position] : keywords.get(name);

/** `foo`, `foo.bar`, `foo.0`: what `map(attribute=...)` and the like read from an item. */
function attributeOf(value: Value, path: Value): Value {
  if (typeof path !== 'string') return getItem(value, path);
  return path
    .split('.')
    .reduce((found: Value, part) => getItem(found, /^\d+$/.test(part) ? Number(part) : part), value);
}

/** What selects an item: a test by name with its arguments, or being true. */
function predicate(args: readonly Value[]): (value: Value) => boolean {
  if (args.length === 0) return truthy;
  const test = testNamed(string(args[0], 'select'));
  return (value) => test(value, args[1]);
}

const selecting =
  (wanted: boolean, byAttribute: boolean): Filter =>
  (value, args) => {
    const test = predicate(byAttribute ? args.slice(1) : args);
    const subject = byAttribute ? (one: Value) => attributeOf(one, args[0]) : (one: Value) => one;
    return iterate(value).filter((one) => test(subject(one)) === wanted);
  };

function jsonStyle(args: readonly Value[], keywords: Keywords): JsonStyle {
  const indent = argument(args, keywords, 1, 'indent') ?? null;
  const separators = argument(args, keywords, 2, 'separators') ?? null;
  const [itemSeparator, keySeparator] =
    separators !== null ? iterate(separators).map(text) : indent === null ? [', ', ': '] : [',', ': '];
  return {
    ensureAscii: truthy(argument(args, keywords, 0, 'ensure_ascii') ?? false),
    indent: indent === null ? null : typeof indent === 'string' ? indent : ' '.repeat(wholeNumber(indent, 'indent')),
    itemSeparator: itemSeparator!,
    keySeparator: keySeparator!,
    sortKeys: truthy(argument(args, keywords, 3, 'sort_keys') ?? false),
  };
}

function indent(value: Value, args: readonly Value[], keywords: Keywords): string {
  const width = argument(args, keywords, 0, 'width') ?? 4;
  const first = truthy(argument(args, keywords, 1, 'first'));
  const blank = truthy(argument(args, keywords, 2, 'blank'));
  const by = typeof width === 'string' ? width : ' '.repeat(wholeNumber(width, 'indent'));
  const lines = text(value).split('\n');
  return lines.map((line, i) => ((i === 0 ? first : line !== '' || blank) ? by + line : line)).join('\n');
}

/** Half to even, on the decimal digits that Python rounds. */
function round(value: Value, args: readonly Value[], keywords: Keywords): Value {
  const number = toNumber(value);
  if (number === undefined) throw new TemplateError(`type ${typeName(value)} doesn't define __round__`);
  const precision = wholeNumber(argument(args, keywords, 0, 'precision') ?? 0, 'round');
  const method = text(argument(args, keywords, 1, 'method') ?? 'common');
  if (isInteger(value) && method === 'common') return value;
  const scale = 10 ** precision;
  if (method !== 'common') return float((method === 'ceil' ? Math.ceil : Math.floor)(number * scale) / scale);
  if (precision > 0) return float(Number(number.toFixed(precision)));
  const scaled = number * scale;
  const down = Math.floor(scaled);
  const half = scaled - down === 0.5;
  return float((half ? down + (Math.abs(down) % 2) : Math.round(scaled)) / scale);
}

function toInteger(value: Value, fallback: Value): Value {
  if (typeof value === 'string') {
    const trimmed = strip(value, null).replaceAll('_', '');
    if (/^[+-]?\d+$/.test(trimmed)) return Number.isSafeInteger(Number(trimmed)) ? Number(trimmed) : BigInt(trimmed);
    return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(trimmed) ? Math.trunc(Number(trimmed)) : fallback;
  }
  const number = toNumber(value);
  return number === undefined || !Number.isFinite(number)
    ? fallback
    : typeof value === 'bigint'
      ? value
      : Math.trunc(number);
}

function toFloat(value: Value, fallback: Value): Value {
  const number = typeof value === 'string' ? Number(strip(value, null) || 'x') : toNumber(value);
  return number === undefined || Number.isNaN(number) ? fallback : float(number);
}

function unique(value: Value, args: readonly Value[], keywords: Keywords): Value {
  const caseSensitive = truthy(argument(args, keywords, 0, 'case_sensitive'));
  const attribute = argument(args, keywords, 1, 'attribute') ?? null;
  const seen: Value[] = [];
  return iterate(value).filter((one) => {
    const key = sortKey(attribute === null ? one : attributeOf(one, attribute), caseSensitive);
    if (seen.some((other) => equals(other, key))) return false;
    seen.push(key);
    return true;
  });
}

function groupBy(value: Value, args: readonly Value[], keywords: Keywords): Value {
  const attribute = argument(args, keywords, 0, 'attribute');
  const fallback = argument(args, keywords, 1, 'default');
  const key = (one: Value): Value => attributeOf(one, attribute) ?? fallback;
  const groups: { key: Value; items: Value[] }[] = [];
  for (const one of sorted(iterate(value), (item) => sortKey(key(item), false), false)) {
    const last = groups.at(-1);
    if (last !== undefined && equals(sortKey(last.key, false), sortKey(key(one), false))) last.items.push(one);
    else groups.push({ key: key(one), items: [one] });
  }
  return groups.map((group) => Tuple.of(group.key, group.items));
}

const extreme =
  (sign: 1 | -1): Filter =>
  (value, args, keywords) => {
    const attribute = argument(args, keywords, 1, 'attribute') ?? null;
    const key = (one: Value): Value => sortKey(attribute === null ? one : attributeOf(one, attribute), false);
    const items = iterate(value);
    return items.reduce((best, one) => (compare(key(one), key(best)) * sign > 0 ? one : best), items[0]);
  };

function mapped(value: Value, args: readonly Value[], keywords: Keywords): Value {
  const items = iterate(value);
  if (keywords.has('attribute')) {
    return items.map((one) => attributeOf(one, keywords.get('attribute')) ?? keywords.get('default'));
  }
  const filter = filterNamed(string(args[0], 'map'));
  return items.map((one) => filter(one, args.slice(1), keywords));
}

function sum(value: Value, args: readonly Value[], keywords: Keywords): Value {
  const attribute = argument(args, keywords, 0, 'attribute') ?? null;
  const numbers = [argument(args, keywords, 1, 'start') ?? 0, ...iterate(value)].map((one, i) =>
    attribute === null || i === 0 ? one : attributeOf(one, attribute),
  );
  const total = numbers.reduce((sum: number, one) => sum + (toNumber(one) ?? NaN), 0);
  if (Number.isNaN(total)) throw new TemplateError('sum() of what is no number');
  return numbers.some(isFloat) ? float(total) : total;
}

function batch(value: Value, args: readonly Value[], keywords: Keywords): Value {
  const size = wholeNumber(argument(args, keywords, 0, 'linecount'), 'batch');
  const fill = argument(args, keywords, 1, 'fill_with') ?? null;
  const rows: Value[][] = [];
  iterate(value).forEach((one, i) => (i % size === 0 ? rows.push([one]) : rows.at(-1)!.push(one)));
  const last = rows.at(-1);
  while (fill !== null && last !== undefined && last.length < size) last.push(fill);
  return rows;
}

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  "'": '&#39;',
  '"': '&#34;',
};
const escape: Filter = (value) => text(value).replace(/[&<>'"]/g, (character) => ESCAPES[character]!);
const count: Filter = (value) => length(value);
const orDefault: Filter = (value, args, keywords) => {
  const whenFalse = truthy(argument(args, keywords, 1, 'boolean'));
  return value === undefined || (whenFalse && !truthy(value))
    ? (argument(args, keywords, 0, 'default_value') ?? '')
    : value;
};

const FILTERS: Readonly<Record<string, Filter>> = {
  abs: (value) => (typeof value === 'bigint' ? (value < 0n ? -value : value) : magnitude(value)),
  attr: (value, args) => attributeOf(value, args[0]),
  batch,
  capitalize: (value) => capitalize(text(value)),
  count,
  d: orDefault,
  default: orDefault,
  dictsort: (value, args, keywords) => {
    const by = argument(args, keywords, 1, 'by') === 'value' ? 1 : 0;
    const caseSensitive = truthy(argument(args, keywords, 0, 'case_sensitive'));
    return sorted(
      pairs(value),
      (pair) => sortKey(pair[by], caseSensitive),
      truthy(argument(args, keywords, 2, 'reverse')),
    );
  },
  e: escape,
  escape,
  first: (value) => iterate(value)[0],
  float: (value, args, keywords) => toFloat(value, argument(args, keywords, 0, 'default') ?? float(0)),
  groupby: groupBy,
  indent,
  int: (value, args, keywords) => toInteger(value, argument(args, keywords, 0, 'default') ?? 0),
  items: (value) => (value === undefined ? [] : pairs(value)),
  join: (value, args, keywords) => {
    const attribute = argument(args, keywords, 1, 'attribute') ?? null;
    return iterate(value)
      .map((one) => text(attribute === null ? one : attributeOf(one, attribute)))
      .join(text(argument(args, keywords, 0, 'd')));
  },
  last: (value) => iterate(value).at(-1),
  length: count,
  list: (value) => Array.from(iterate(value)),
  lower: (value) => text(value).toLowerCase(),
  map: mapped,
  max: extreme(1),
  min: extreme(-1),
  reject: selecting(false, false),
  rejectattr: selecting(false, true),
  replace: (value, args, keywords) =>
    replace(
      text(value),
      text(argument(args, keywords, 0, 'old')),
      text(argument(args, keywords, 1, 'new')),
      argument(args, keywords, 2, 'count'),
    ),
  reverse: (value) =>
    typeof value === 'string' ? Array.from(value).reverse().join('') : Array.from(iterate(value)).reverse(),
  round,
  safe: (value) => text(value),
  select: selecting(true, false),
  selectattr: selecting(true, true),
  sort: (value, args, keywords) => {
    const caseSensitive = truthy(argument(args, keywords, 1, 'case_sensitive'));
    const attribute = argument(args, keywords, 2, 'attribute') ?? null;
    const paths = attribute === null ? [] : typeof attribute === 'string' ? attribute.split(',') : [attribute];
    const key = (one: Value): Value =>
      attribute === null
        ? sortKey(one, caseSensitive)
        : paths.map((path) => sortKey(attributeOf(one, path), caseSensitive));
    return sorted(iterate(value), key, truthy(argument(args, keywords, 0, 'reverse')));
  },
  string: (value) => text(value),
  sum,
  title: (value) => title(text(value)),
  tojson: (value, args, keywords) => toJson(value, jsonStyle(args, keywords)),
  trim: (value, args, keywords) => strip(text(value), argument(args, keywords, 0, 'chars')),
  unique,
  upper: (value) => text(value).toUpperCase(),
  wordcount: (value) => text(value).match(/[\p{L}\p{N}_]+/gu)?.length ?? 0,
};

function magnitude(value: Value): Value {
  const number = toNumber(value);
  if (number === undefined) throw new TemplateError(`bad operand type for abs(): '${typeName(value)}'`);
  return isFloat(value) ? float(Math.abs(number)) : Math.abs(number);
}

/** The filter `name`. @throws TemplateError when there is none of that name. */
export function filterNamed(name: string): Filter {
  const filter = Object.hasOwn(FILTERS, name) ? FILTERS[name] : undefined;
  if (filter === undefined) throw new TemplateError(`No filter named '${name}'`);
  return filter;
}
