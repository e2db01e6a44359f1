import {
  compare,
  contains,
  equals,
  float,
  isFloat,
  isList,
  TemplateError,
  text,
  toNumber,
  Tuple,
  typeName,
  type Value,
} from './values.ts';

type Operate = (left: Value, right: Value) => Value;

/** The operator of two values, `and` and `or` excepted. @throws TemplateError when Jinja2 has none of that name. */
export function binary(operator: string): Operate {
  const operate = OPERATORS.get(operator);
  if (operate === undefined) throw new TemplateError(`no operator '${operator}'`);
  return operate;
}

const arithmetic =
  (symbol: string, compute: (left: number, right: number) => number, always?: 'float'): Operate =>
  (left, right) => {
    const a = toNumber(left);
    const b = toNumber(right);
    if (a === undefined || b === undefined) throw unsupported(symbol, left, right);
    const result = compute(a, b);
    return always === 'float' || isFloat(left) || isFloat(right) ? float(result) : result;
  };

const divisor = (value: number): number => {
  if (value === 0) throw new TemplateError('division by zero');
  return value;
};
const addNumbers = arithmetic('+', (a, b) => a + b);
const multiplyNumbers = arithmetic('*', (a, b) => a * b);

function add(left: Value, right: Value): Value {
  if (typeof left === 'string' && typeof right === 'string') return left + right;
  if (isList(left) && isList(right) && left instanceof Tuple === right instanceof Tuple) return left.concat(right);
  return addNumbers(left, right);
}

function multiply(left: Value, right: Value): Value {
  const [times, sequence] = typeof left === 'number' ? [left, right] : [right, left];
  if (typeof times !== 'number') return multiplyNumbers(left, right);
  if (typeof sequence === 'string') return sequence.repeat(Math.max(0, times));
  if (!isList(sequence)) return multiplyNumbers(left, right);
  return Array.from({ length: Math.max(0, times) }, () => sequence).flat(1) as Value[];
}

const OPERATORS: ReadonlyMap<string, Operate> = new Map<string, Operate>([
  ['+', add],
  ['-', arithmetic('-', (a, b) => a - b)],
  ['*', multiply],
  ['/', arithmetic('/', (a, b) => a / divisor(b), 'float')],
  ['//', arithmetic('//', (a, b) => Math.floor(a / divisor(b)))],
  ['%', arithmetic('%', (a, b) => a - divisor(b) * Math.floor(a / b))],
  ['**', arithmetic('**', (a, b) => a ** b)],
  ['~', (left, right) => text(left) + text(right)],
  ['==', equals],
  ['!=', (left, right) => !equals(left, right)],
  ['<', (left, right) => compare(left, right) < 0],
  ['<=', (left, right) => compare(left, right) <= 0],
  ['>', (left, right) => compare(left, right) > 0],
  ['>=', (left, right) => compare(left, right) >= 0],
  ['in', (left, right) => contains(right, left)],
  ['not in', (left, right) => !contains(right, left)],
]);

function unsupported(symbol: string, left: Value, right: Value): TemplateError {
  return new TemplateError(`unsupported operand type(s) for ${symbol}: '${typeName(left)}' and '${typeName(right)}'`);
}
