import { pairs, stringMethod } from './strings.ts';
import {
  Callable,
  type Dict,
  equals,
  isDict,
  isKey,
  isList,
  type Keywords,
  Loop,
  Namespace,
  TemplateError,
  Tuple,
  typeName,
  type Value,
} from './values.ts';

/**
 * `value.name` as Jinja2 has it: an attribute of the Python object, or else an item. A dictionary's methods come before
 * its members, so that `schema.items` is the method however the schema looks.
 * @throws TemplateError for an attribute of something undefined.
 */
export function attributeOf(value: Value, name: string): Value {
  if (isDict(value)) {
    return DICT_METHODS.has(name)
      ? new Callable(name, (args, keywords) => callMethod(value, name, args, keywords))
      : value.get(name);
  }
  if (value instanceof Loop) return loopAttribute(value, name);
  if (value instanceof Namespace) return value.fields.get(name);
  if (value === undefined) throw new TemplateError(`'undefined' has no attribute '${name}'`);
  if (typeof value === 'string' && stringMethod(name) !== undefined) {
    return new Callable(name, (args, keywords) => callMethod(value, name, args, keywords));
  }
  return undefined;
}

/** `value.name(args, keywords)`. @throws TemplateError when that cannot be called. */
export function callMethod(value: Value, name: string, args: readonly Value[], keywords: Keywords): Value {
  if (typeof value === 'string') {
    const method = stringMethod(name);
    if (method !== undefined) return method(value, args, keywords);
  } else if (isDict(value)) {
    const method = DICT_METHODS.get(name);
    if (method !== undefined) return method(value, args);
  } else if (isList(value)) {
    const method = LIST_METHODS.get(name);
    if (method !== undefined) return method(value, args);
  } else {
    const target = attributeOf(value, name);
    if (target instanceof Callable) return target.call(args, keywords);
  }
  const target = isDict(value) ? value.get(name) : undefined;
  if (target instanceof Callable) return target.call(args, keywords);
  throw new TemplateError(`'${typeName(value)}' object has no method '${name}'`);
}

/** What the sandbox does not let a template do to the request. */
const forbidden = (name: string): TemplateError => new TemplateError(`access to '${name}' is unsafe`);

const DICT_METHODS: ReadonlyMap<string, (self: Dict, args: readonly Value[]) => Value> = new Map<
  string,
  (self: Dict, args: readonly Value[]) => Value
>([
  ['get', (self, args) => (isKey(args[0]) && self.has(args[0]) ? self.get(args[0]) : (args[1] ?? null))],
  ['items', (self) => pairs(self)],
  ['keys', (self) => Array.from(self.keys())],
  ['values', (self) => Array.from(self.values())],
  ['copy', (self) => new Map(self)],
  ...['clear', 'pop', 'popitem', 'setdefault', 'update'].map((name): [string, () => Value] => [
    name,
    () => {
      throw forbidden(name);
    },
  ]),
]);

const LIST_METHODS: ReadonlyMap<string, (self: readonly Value[], args: readonly Value[]) => Value> = new Map<
  string,
  (self: readonly Value[], args: readonly Value[]) => Value
>([
  [
    'index',
    (self, args) => {
      const at = self.findIndex((item) => equals(item, args[0]));
      if (at < 0) throw new TemplateError('value is not in list');
      return at;
    },
  ],
  ['count', (self, args) => self.filter((item) => equals(item, args[0])).length],
  ['copy', (self) => Array.from(self)],
]);

function loopAttribute(loop: Loop, name: string): Value {
  const { items, index0 } = loop;
  switch (name) {
    case 'index0':
      return index0;
    case 'index':
      return index0 + 1;
    case 'first':
      return index0 === 0;
    case 'last':
      return index0 === items.length - 1;
    case 'length':
      return items.length;
    case 'revindex0':
      return items.length - index0 - 1;
    case 'revindex':
      return items.length - index0;
    case 'previtem':
      return index0 === 0 ? undefined : items[index0 - 1];
    case 'nextitem':
      return items[index0 + 1];
    case 'depth':
      // deeper only in recursive loops, which the parser does not know
      return 1;
    case 'depth0':
      return 0;
    case 'cycle':
      return new Callable('cycle', (args) => args[index0 % args.length]);
    case 'changed':
      return new Callable('changed', (args) => {
        const changed = loop.seen === undefined || !equals(Tuple.from(loop.seen), Tuple.from(args));
        loop.seen = args;
        return changed;
      });
    default:
      return undefined;
  }
}
