import { item, string } from './strings.ts';
import {
  Callable,
  compare,
  contains,
  equals,
  isDict,
  isFloat,
  isInteger,
  isKey,
  isList,
  Namespace,
  TemplateError,
  text,
  toNumber,
  type Value,
} from './values.ts';

/** `value is name(argument)`. */
export type Test = (value: Value, argument: Value) => boolean;

const remainder = (value: Value, by: Value): number => {
  const [number, divisor] = [toNumber(value), toNumber(by)];
  if (number === undefined || divisor === undefined) throw new TemplateError('not a number');
  return number % divisor;
};

/** The tests of Jinja2 by their names. */
export const TESTS: Readonly<Record<string, Test>> = {
  defined: (value) => value !== undefined,
  undefined: (value) => value === undefined,
  none: (value) => value === null,
  string: (value) => typeof value === 'string',
  boolean: (value) => typeof value === 'boolean',
  true: (value) => value === true,
  false: (value) => value === false,
  integer: (value) => isInteger(value) && typeof value !== 'boolean',
  float: isFloat,
  number: (value) => toNumber(value) !== undefined,
  mapping: isDict,
  sequence: (value) => typeof value === 'string' || isList(value) || isDict(value) || value === undefined,
  iterable: (value) => typeof value === 'string' || isList(value) || isDict(value) || value === undefined,
  callable: (value) => value instanceof Callable,
  even: (value) => remainder(value, 2) === 0,
  odd: (value) => Math.abs(remainder(value, 2)) === 1,
  divisibleby: (value, by) => remainder(value, by) === 0,
  lower: (value) => text(value) !== text(value).toUpperCase() && text(value) === text(value).toLowerCase(),
  upper: (value) => text(value) !== text(value).toLowerCase() && text(value) === text(value).toUpperCase(),
  in: (value, container) => contains(container, value),
  sameas: (value, other) => value === other,
  equalto: equals,
  eq: equals,
  '==': equals,
  ne: (value, other) => !equals(value, other),
  '!=': (value, other) => !equals(value, other),
  lt: (value, other) => compare(value, other) < 0,
  '<': (value, other) => compare(value, other) < 0,
  lessthan: (value, other) => compare(value, other) < 0,
  le: (value, other) => compare(value, other) <= 0,
  '<=': (value, other) => compare(value, other) <= 0,
  gt: (value, other) => compare(value, other) > 0,
  '>': (value, other) => compare(value, other) > 0,
  greaterthan: (value, other) => compare(value, other) > 0,
  ge: (value, other) => compare(value, other) >= 0,
  '>=': (value, other) => compare(value, other) >= 0,
};

/** The test `name`. @throws TemplateError when Jinja2 has none of that name. */
export function testNamed(name: string): Test {
  const test = Object.hasOwn(TESTS, name) ? TESTS[name] : undefined;
  if (test === undefined) throw new TemplateError(`No test named '${name}'`);
  return test;
}

/**
 * `value[key]` as Jinja2 has it: an item; undefined where there is none.
 * @throws TemplateError for a member of something undefined.
 */
export function getItem(value: Value, key: Value): Value {
  if (isDict(value)) return isKey(key) ? value.get(key) : undefined;
  if (typeof value === 'string' || isList(value)) {
    return isInteger(key) ? item(value, toNumber(key)!) : undefined;
  }
  if (value === undefined) throw new TemplateError(`'undefined' has no element ${text(key)}`);
  return value instanceof Namespace ? value.fields.get(string(key, 'namespace')) : undefined;
}
