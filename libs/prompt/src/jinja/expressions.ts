import type { Binary, CallExpression, Expression, Identifier, Member, Slice } from './ast.ts';
import { filterNamed } from './filters.ts';
import { attributeOf, callMethod } from './attributes.ts';
import { binary } from './operators.ts';
import type { Rendering, Scope } from './scope.ts';
import { slice } from './strings.ts';
import { getItem, testNamed } from './tests.ts';
import {
  Callable,
  float,
  isDict,
  isFloat,
  isKey,
  iterate,
  type Key,
  type Keywords,
  NO_KEYWORDS,
  TemplateError,
  toNumber,
  truthy,
  Tuple,
  typeName,
  type Value,
} from './values.ts';

/** A compiled expression. */
export type Evaluate = (scope: Scope, rendering: Rendering) => Value;

const CONSTANTS: ReadonlyMap<string, Value> = new Map<string, Value>([
  ['true', true],
  ['True', true],
  ['false', false],
  ['False', false],
  ['none', null],
  ['None', null],
]);

/** Compiles an expression once. @throws TemplateError for filters, tests and forms that Jinja2 does not have. */
export function compileExpression(node: Expression): Evaluate {
  switch (node.type) {
    case 'Identifier':
      return compileIdentifier(node);
    case 'IntegerLiteral':
    case 'StringLiteral': {
      const { value } = node;
      return () => value;
    }
    case 'FloatLiteral': {
      const value = float(node.value);
      return () => value;
    }
    case 'ArrayLiteral': {
      const items = node.value.map(compileExpression);
      return (scope, rendering) => items.map((item) => item(scope, rendering));
    }
    case 'TupleLiteral': {
      const items = node.value.map(compileExpression);
      return (scope, rendering) => Tuple.from(items, (item) => item(scope, rendering));
    }
    case 'ObjectLiteral': {
      const entries = Array.from(
        node.value,
        ([key, value]) => [compileExpression(key), compileExpression(value)] as const,
      );
      return (scope, rendering) =>
        new Map(entries.map(([key, value]) => [dictKey(key(scope, rendering)), value(scope, rendering)] as const));
    }
    case 'MemberExpression':
      return compileMember(node);
    case 'CallExpression':
      return compileCall(node);
    case 'BinaryExpression':
      return compileBinary(node);
    case 'UnaryExpression':
      return compileUnary(node.operator.value, compileExpression(node.argument));
    case 'FilterExpression': {
      const operand = compileExpression(node.operand);
      const filter = compileFilter(node.filter);
      return (scope, rendering) => filter(operand(scope, rendering), scope, rendering);
    }
    case 'TestExpression': {
      const operand = compileExpression(node.operand);
      const test = testNamed(node.test.value);
      const wanted = !node.negate;
      return (scope, rendering) => test(operand(scope, rendering), undefined) === wanted;
    }
    case 'Ternary': {
      const condition = compileExpression(node.condition);
      const whenTrue = compileExpression(node.trueExpr);
      const whenFalse = compileExpression(node.falseExpr);
      return (scope, rendering) =>
        truthy(condition(scope, rendering)) ? whenTrue(scope, rendering) : whenFalse(scope, rendering);
    }
    case 'SelectExpression': {
      const condition = compileExpression(node.test);
      const whenTrue = compileExpression(node.lhs);
      return (scope, rendering) => (truthy(condition(scope, rendering)) ? whenTrue(scope, rendering) : undefined);
    }
    case 'SliceExpression':
    case 'KeywordArgumentExpression':
    case 'SpreadExpression':
    case 'KeywordSpreadExpression':
      throw new TemplateError(`${node.type} has no value of its own`);
  }
}

/** Compiles `| name` and `| name(arguments)`. */
export function compileFilter(
  node: Identifier | CallExpression,
): (value: Value, scope: Scope, rendering: Rendering) => Value {
  if (node.type === 'Identifier') {
    const filter = filterNamed(node.value);
    return (value) => filter(value, [], NO_KEYWORDS);
  }
  const filter = filterNamed(calleeName(node));
  const args = compileArguments(node.args);
  return (value, scope, rendering) => {
    const { positional, keywords } = args(scope, rendering);
    return filter(value, positional, keywords);
  };
}

export interface Arguments {
  readonly positional: readonly Value[];
  readonly keywords: Keywords;
}

/** Compiles the arguments of a call. */
export function compileArguments(nodes: readonly Expression[]): (scope: Scope, rendering: Rendering) => Arguments {
  const plain = nodes.map((node) => (isSpecialArgument(node) ? null : compileExpression(node)));
  if (!plain.includes(null)) {
    const all = plain as Evaluate[];
    return (scope, rendering) => ({
      positional: all.map((argument) => argument(scope, rendering)),
      keywords: NO_KEYWORDS,
    });
  }
  const parts = nodes.map((node) => {
    if (node.type === 'KeywordArgumentExpression') {
      return { kind: node.key.value, value: compileExpression(node.value), node };
    }
    const spread = node.type === 'SpreadExpression' || node.type === 'KeywordSpreadExpression';
    return { kind: null, value: compileExpression(spread ? node.argument : node), node };
  });
  return (scope, rendering) => {
    const positional: Value[] = [];
    const keywords = new Map<string, Value>();
    for (const { kind, value, node } of parts) {
      const result = value(scope, rendering);
      if (kind !== null) keywords.set(kind, result);
      else if (node.type === 'SpreadExpression') positional.push(...iterate(result));
      else if (node.type !== 'KeywordSpreadExpression') positional.push(result);
      else if (isDict(result)) for (const [key, member] of result) keywords.set(String(key), member);
      else throw new TemplateError(`argument after ** must be a mapping, not ${typeName(result)}`);
    }
    return { positional, keywords };
  };
}

const isSpecialArgument = (node: Expression): boolean =>
  node.type === 'KeywordArgumentExpression' ||
  node.type === 'SpreadExpression' ||
  node.type === 'KeywordSpreadExpression';

function dictKey(value: Value): Key {
  if (!isKey(value)) throw new TemplateError(`a dict key of type ${typeName(value)} is not supported`);
  return value;
}

function calleeName(node: CallExpression): string {
  if (node.callee.type !== 'Identifier') throw new TemplateError('a filter must be a name');
  return node.callee.value;
}

function compileIdentifier(node: Identifier): Evaluate {
  const name = node.value;
  if (CONSTANTS.has(name)) {
    const constant = CONSTANTS.get(name);
    return () => constant;
  }
  return (scope) => scope.get(name);
}

function compileMember(node: Member): Evaluate {
  const object = compileExpression(node.object);
  const { property } = node;
  if (!node.computed) {
    if (property.type === 'Identifier') {
      const name = property.value;
      return (scope, rendering) => attributeOf(object(scope, rendering), name);
    }
    const key = compileExpression(property);
    return (scope, rendering) => getItem(object(scope, rendering), key(scope, rendering));
  }
  if (property.type === 'SliceExpression') return compileSlice(object, property);
  const key = compileExpression(property);
  return (scope, rendering) => {
    const value = object(scope, rendering);
    const at = key(scope, rendering);
    const found = getItem(value, at);
    return found === undefined && typeof at === 'string' && !(isDict(value) && value.has(at))
      ? attributeOf(value, at)
      : found;
  };
}

function compileSlice(object: Evaluate, node: Slice): Evaluate {
  const [start, stop, step] = [node.start, node.stop, node.step].map((part) =>
    part === undefined ? () => undefined : compileExpression(part),
  ) as [Evaluate, Evaluate, Evaluate];
  return (scope, rendering) =>
    slice(object(scope, rendering), start(scope, rendering), stop(scope, rendering), step(scope, rendering));
}

function compileCall(node: CallExpression): Evaluate {
  const args = compileArguments(node.args);
  const { callee } = node;
  if (callee.type === 'MemberExpression' && !callee.computed && callee.property.type === 'Identifier') {
    const object = compileExpression(callee.object);
    const name = callee.property.value;
    return (scope, rendering) => {
      const { positional, keywords } = args(scope, rendering);
      return callMethod(object(scope, rendering), name, positional, keywords);
    };
  }
  const called = compileExpression(callee);
  return (scope, rendering) => {
    const target = called(scope, rendering);
    if (!(target instanceof Callable)) throw new TemplateError(`'${typeName(target)}' object is not callable`);
    const { positional, keywords } = args(scope, rendering);
    return target.call(positional, keywords);
  };
}

function compileBinary(node: Binary): Evaluate {
  const left = compileExpression(node.left);
  const right = compileExpression(node.right);
  switch (node.operator.value) {
    case 'and':
      return (scope, rendering) => {
        const value = left(scope, rendering);
        return truthy(value) ? right(scope, rendering) : value;
      };
    case 'or':
      return (scope, rendering) => {
        const value = left(scope, rendering);
        return truthy(value) ? value : right(scope, rendering);
      };
    default: {
      const operate = binary(node.operator.value);
      return (scope, rendering) => operate(left(scope, rendering), right(scope, rendering));
    }
  }
}

function compileUnary(operator: string, argument: Evaluate): Evaluate {
  if (operator === 'not') return (scope, rendering) => !truthy(argument(scope, rendering));
  const sign = operator === '-' ? -1 : 1;
  return (scope, rendering) => {
    const value = argument(scope, rendering);
    const number = toNumber(value);
    if (number === undefined) throw new TemplateError(`bad operand type for unary ${operator}: '${typeName(value)}'`);
    return isFloat(value) ? float(sign * number) : sign * number;
  };
}
