import {
  compare,
  isBasic,
  isDict,
  isList,
  iterate,
  type Keywords,
  TemplateError,
  text,
  toNumber,
  Tuple,
  typeName,
  type Value,
} from './values.ts';

/** A method of `str`: `self.name(args, keywords)`. */
type Method = (self: string, args: readonly Value[], keywords: Keywords) => Value;

/** What `str.isspace` calls white space: not what JavaScript's `trim` does. */
const SPACE = '\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000';
const LEADING_SPACE = new RegExp(`^[${SPACE}]+`, 'u');
const SPACES = new RegExp(`[${SPACE}]+`, 'gu');
const IS_SPACE = new RegExp(`^[${SPACE}]$`, 'u');
const LINE_END = /\r\n|[\n\v\f\r\x1c-\x1e\x85\u2028\u2029]/gu;
const WORD_START = /\p{L}+/gu;

/** `text.strip(characters)`: both ends, or one of them. */
export function strip(value: string, characters: Value, left = true, right = true): string {
  const set = characters === undefined || characters === null ? null : text(characters);
  const drops = (character: string): boolean => (set === null ? IS_SPACE.test(character) : set.includes(character));
  let start = 0;
  let end = value.length;
  // Pairs of surrogates are never white space; a set with astral characters needs whole characters.
  if (set !== null && !isBasic(set)) return stripCharacters(value, set, left, right);
  if (left) while (start < end && drops(value[start]!)) start++;
  if (right) while (end > start && drops(value[end - 1]!)) end--;
  return value.slice(start, end);
}

function stripCharacters(value: string, set: string, left: boolean, right: boolean): string {
  const dropped = new Set(set);
  const characters = Array.from(value);
  let start = 0;
  let end = characters.length;
  if (left) while (start < end && dropped.has(characters[start]!)) start++;
  if (right) while (end > start && dropped.has(characters[end - 1]!)) end--;
  return characters.slice(start, end).join('');
}

/** `str.title()`, also the `title` filter for words of letters. */
export const title = (value: string): string =>
  value.replace(WORD_START, (word) => {
    const first = String.fromCodePoint(word.codePointAt(0)!);
    return first.toUpperCase() + word.slice(first.length).toLowerCase();
  });

export const capitalize = (value: string): string => {
  const first = value === '' ? '' : String.fromCodePoint(value.codePointAt(0)!);
  return first.toUpperCase() + value.slice(first.length).toLowerCase();
};

/** `text.replace(old, new, count)`; a negative or missing count replaces all. */
export function replace(value: string, from: string, to: string, count: Value): string {
  const limit = count === undefined || count === null ? -1 : wholeNumber(count, 'replace');
  if (limit < 0) return from === '' ? [...['', ...value].join(to), to].join('') : value.replaceAll(from, () => to);
  const pieces = from === '' ? ['', ...value, ''] : value.split(from);
  const kept = Math.min(limit, pieces.length - 1);
  return [...pieces.slice(0, kept), pieces.slice(kept).join(from)].join(to);
}

function split(value: string, separator: Value, limit: number): string[] {
  if (separator !== undefined && separator !== null) {
    const by = string(separator, 'split');
    if (by === '') throw new TemplateError('empty separator');
    const pieces = value.split(by);
    return limit < 0 || pieces.length <= limit + 1 ? pieces : [...pieces.slice(0, limit), pieces.slice(limit).join(by)];
  }
  const words: string[] = [];
  let rest = value.replace(LEADING_SPACE, '');
  while (rest !== '') {
    SPACES.lastIndex = 0;
    const gap = limit >= 0 && words.length >= limit ? null : SPACES.exec(rest);
    words.push(gap === null ? rest : rest.slice(0, gap.index));
    rest = gap === null ? '' : rest.slice(gap.index + gap[0].length);
  }
  return words;
}

function splitRight(value: string, separator: Value, limit: number): string[] {
  if (limit < 0) return split(value, separator, -1);
  const by = string(separator, 'rsplit');
  const pieces = value.split(by);
  const joined = pieces.length - limit;
  return joined <= 1 ? pieces : [pieces.slice(0, joined).join(by), ...pieces.slice(joined)];
}

function splitLines(value: string, keepEnds: boolean): string[] {
  const lines: string[] = [];
  let start = 0;
  for (const match of value.matchAll(LINE_END)) {
    const end = match.index + match[0].length;
    lines.push(value.slice(start, keepEnds ? end : match.index));
    start = end;
  }
  if (start < value.length) lines.push(value.slice(start));
  return lines;
}

/** Prefix and suffix tests take a text or a tuple of texts. */
const anyOf = (affix: Value, test: (text: string) => boolean): boolean =>
  affix instanceof Tuple ? affix.some((one) => test(string(one, 'startswith'))) : test(string(affix, 'startswith'));

const partition = (value: string, at: number, separator: string, fallback: [string, string, string]): Value =>
  Tuple.from(at < 0 ? fallback : [value.slice(0, at), separator, value.slice(at + separator.length)]);

const pad = (value: string, args: readonly Value[]): [missing: number, fill: string] => [
  Math.max(0, wholeNumber(args[0], 'padding') - Array.from(value).length),
  args[1] === undefined ? ' ' : text(args[1]),
];

const METHODS: Readonly<Record<string, Method>> = {
  upper: (self) => self.toUpperCase(),
  lower: (self) => self.toLowerCase(),
  casefold: (self) => self.toLowerCase(),
  title,
  capitalize,
  strip: (self, args) => strip(self, args[0]),
  lstrip: (self, args) => strip(self, args[0], true, false),
  rstrip: (self, args) => strip(self, args[0], false, true),
  split: (self, args, keywords) => split(self, args[0] ?? keywords.get('sep'), splitLimit(args, keywords)),
  rsplit: (self, args, keywords) => splitRight(self, args[0] ?? keywords.get('sep'), splitLimit(args, keywords)),
  splitlines: (self, args, keywords) => splitLines(self, Boolean(args[0] ?? keywords.get('keepends'))),
  replace: (self, args, keywords) =>
    replace(self, string(args[0], 'replace'), string(args[1], 'replace'), args[2] ?? keywords.get('count')),
  startswith: (self, args) => anyOf(args[0], (affix) => from(self, args[1]).startsWith(affix)),
  endswith: (self, args) => anyOf(args[0], (affix) => self.endsWith(affix)),
  removeprefix: (self, args) => {
    const prefix = string(args[0], 'removeprefix');
    return self.startsWith(prefix) ? self.slice(prefix.length) : self;
  },
  removesuffix: (self, args) => {
    const suffix = string(args[0], 'removesuffix');
    return suffix !== '' && self.endsWith(suffix) ? self.slice(0, -suffix.length) : self;
  },
  find: (self, args) => codePointIndex(self, self.indexOf(string(args[0], 'find'))),
  rfind: (self, args) => codePointIndex(self, self.lastIndexOf(string(args[0], 'rfind'))),
  index: (self, args) => {
    const at = self.indexOf(string(args[0], 'index'));
    if (at < 0) throw new TemplateError('substring not found');
    return codePointIndex(self, at);
  },
  count: (self, args) => self.split(string(args[0], 'count')).length - 1,
  join: (self, args) =>
    iterate(args[0])
      .map((item) => string(item, 'join'))
      .join(self),
  partition: (self, args) => {
    const separator = string(args[0], 'partition');
    return partition(self, self.indexOf(separator), separator, [self, '', '']);
  },
  rpartition: (self, args) => {
    const separator = string(args[0], 'rpartition');
    return partition(self, self.lastIndexOf(separator), separator, ['', '', self]);
  },
  ljust: (self, args) => {
    const [missing, fill] = pad(self, args);
    return self + fill.repeat(missing);
  },
  rjust: (self, args) => {
    const [missing, fill] = pad(self, args);
    return fill.repeat(missing) + self;
  },
  zfill: (self, args) => {
    const [missing] = pad(self, args);
    const sign = /^[+-]/.exec(self)?.[0] ?? '';
    return sign + '0'.repeat(missing) + self.slice(sign.length);
  },
  isdigit: (self) => /^\p{Nd}+$/u.test(self),
  isnumeric: (self) => /^\p{N}+$/u.test(self),
  isalpha: (self) => /^\p{L}+$/u.test(self),
  isalnum: (self) => /^[\p{L}\p{N}]+$/u.test(self),
  isspace: (self) => self !== '' && strip(self, null) === '',
  isupper: (self) => self !== self.toLowerCase() && self === self.toUpperCase(),
  islower: (self) => self !== self.toUpperCase() && self === self.toLowerCase(),
};

/** The method `name` of `str`, or undefined when it has none that templates may use here. */
export const stringMethod = (name: string): Method | undefined =>
  Object.hasOwn(METHODS, name) ? METHODS[name] : undefined;

/** `value[start:stop:step]` of a text, a list or a tuple. */
export function slice(value: Value, start: Value, stop: Value, step: Value): Value {
  if (typeof value === 'string' && isBasic(value) && (step === undefined || step === null)) {
    const [from, to] = bounds(value.length, start, stop, 1);
    return value.slice(from, Math.max(from, to));
  }
  if (typeof value === 'string') return sliceItems(Array.from(value), start, stop, step).join('');
  if (!isList(value)) throw new TemplateError(`'${typeName(value)}' object cannot be sliced`);
  const items = sliceItems(value, start, stop, step);
  return value instanceof Tuple ? Tuple.from(items) : items;
}

function sliceItems<T>(items: readonly T[], start: Value, stop: Value, step: Value): T[] {
  const by = step === undefined || step === null ? 1 : wholeNumber(step, 'slice');
  if (by === 0) throw new TemplateError('slice step cannot be zero');
  const [from, to] = bounds(items.length, start, stop, by);
  const taken: T[] = [];
  for (let i = from; by > 0 ? i < to : i > to; i += by) taken.push(items[i]!);
  return taken;
}

function bounds(size: number, start: Value, stop: Value, step: number): [from: number, to: number] {
  const lowest = step > 0 ? 0 : -1;
  const highest = step > 0 ? size : size - 1;
  const bound = (value: Value, fallback: number): number => {
    if (value === undefined || value === null) return fallback;
    const index = wholeNumber(value, 'slice');
    return Math.min(Math.max(index < 0 ? index + size : index, lowest), highest);
  };
  return step > 0 ? [bound(start, lowest), bound(stop, highest)] : [bound(start, highest), bound(stop, lowest)];
}

/** `value[index]`; undefined beyond the ends, as Jinja2 has it. */
export function item(value: string | readonly Value[], index: number): Value {
  if (typeof value !== 'string') return value.at(index);
  return isBasic(value) ? value.at(index) : Array.from(value).at(index);
}

/** The whole number that an argument must be. @throws TemplateError when it is none. */
export function wholeNumber(value: Value, of: string): number {
  const number = toNumber(value);
  if (number === undefined || !Number.isInteger(number)) {
    throw new TemplateError(`${of} takes an integer, not ${typeName(value)}`);
  }
  return number;
}

/** The text that an argument must be. @throws TemplateError when it is none. */
export function string(value: Value, of: string): string {
  if (typeof value !== 'string') throw new TemplateError(`${of} takes a str, not ${typeName(value)}`);
  return value;
}

const splitLimit = (args: readonly Value[], keywords: Keywords): number => {
  const limit = args[1] ?? keywords.get('maxsplit');
  return limit === undefined ? -1 : wholeNumber(limit, 'split');
};
const from = (value: string, start: Value): string =>
  start === undefined ? value : (slice(value, start, null, null) as string);
const codePointIndex = (value: string, at: number): number =>
  at < 0 || isBasic(value) ? at : Array.from(value.slice(0, at)).length;

/** Keys for sorting and grouping, upper and lower case alike unless asked otherwise. */
export const sortKey = (value: Value, caseSensitive: boolean): Value =>
  typeof value === 'string' && !caseSensitive ? value.toLowerCase() : value;

/** The items in order; stable. @throws TemplateError when Python cannot compare two of them. */
export function sorted<T>(items: readonly T[], key: (item: T) => Value, reverse: boolean): T[] {
  const keyed = items.map((one) => ({ one, key: key(one) }));
  keyed.sort((a, b) => (reverse ? compare(b.key, a.key) : compare(a.key, b.key)));
  return keyed.map(({ one }) => one);
}

/** A dictionary's members as the pairs that Python's `items()` gives. */
export function pairs(value: Value): Tuple[] {
  if (!isDict(value)) throw new TemplateError(`Can only get item pairs from a mapping, not ${typeName(value)}`);
  return Array.from(value, ([key, member]) => Tuple.of(key, member) as Tuple);
}
