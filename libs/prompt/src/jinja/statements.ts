import type { CallStatement, Expression, For, Node, Parameter, SetStatement } from './ast.ts';
import { walk } from './ast.ts';
import { compileArguments, compileExpression, compileFilter, type Evaluate } from './expressions.ts';
import { binary } from './operators.ts';
import { Pieces } from './pieces.ts';
import { type Rendering, Scope } from './scope.ts';
import {
  Callable,
  iterate,
  type Keywords,
  Loop,
  Namespace,
  TemplateError,
  text,
  truthy,
  Tuple,
  typeName,
  type Value,
} from './values.ts';

/** How a statement ended: on to the next, or out of the iteration or the loop around it. */
type Flow = 'next' | 'continue' | 'break';
/** A compiled statement, which writes to `rendering.out`. */
type Execute = (scope: Scope, rendering: Rendering) => Flow;

/** Compiles the statements of a block into one. @throws TemplateError for what Jinja2 does not have. */
export function compileBlock(nodes: readonly Node[]): Execute {
  const statements = nodes.filter((node) => node.type !== 'Comment').map(compileStatement);
  if (statements.length === 1) return statements[0]!;
  return (scope, rendering) => {
    for (const statement of statements) {
      const flow = statement(scope, rendering);
      if (flow !== 'next') return flow;
    }
    return 'next';
  };
}

function compileStatement(node: Node): Execute {
  switch (node.type) {
    case 'If': {
      const test = compileExpression(node.test as Expression);
      const body = compileBlock(node.body);
      const alternate = compileBlock(node.alternate);
      return (scope, rendering) => (truthy(test(scope, rendering)) ? body : alternate)(scope, rendering);
    }
    case 'For':
      return compileFor(node);
    case 'Set':
      return compileSet(node);
    case 'Macro': {
      const { value: name } = node.name;
      const macro = compileMacro(node.name.value, node.args, node.body);
      return (scope, rendering) => {
        scope.set(name, macro(scope, rendering));
        return 'next';
      };
    }
    case 'CallStatement':
      return compileCallStatement(node);
    case 'FilterStatement': {
      const body = compileBlock(node.body);
      const filter = compileFilter(node.filter);
      return (scope, rendering) => {
        const filtered = text(filter(captured(body, new Scope(scope), rendering), scope, rendering));
        rendering.out.write(filtered);
        return 'next';
      };
    }
    case 'Break':
      return () => 'break';
    case 'Continue':
      return () => 'continue';
    case 'StringLiteral': {
      const { value } = node;
      return (_scope, rendering) => {
        rendering.out.write(value);
        return 'next';
      };
    }
    case 'Program':
    case 'Comment':
      throw new TemplateError(`${node.type} inside a block`);
    default:
      return compileOutput(node);
  }
}

/** Compiles `{{ expression }}`. The terms of a sum of texts are written one by one, so that long ones are not copied. */
function compileOutput(node: Expression): Execute {
  const terms = termsOf(node).map(compileExpression);
  const add = binary('+');
  return (scope, rendering) => {
    // Evaluated first: a macro called here puts the text before it aside.
    const values = terms.map((term) => term(scope, rendering));
    if (values.every((value) => typeof value === 'string')) for (const value of values) rendering.out.write(value);
    else rendering.out.write(text(values.reduce(add)));
    return 'next';
  };
}

/** `a`, `b` and `c` of `a + b + c`. */
function termsOf(node: Expression): Expression[] {
  const isSum = node.type === 'BinaryExpression' && node.operator.value === '+';
  return isSum ? [...termsOf(node.left), node.right] : [node];
}

/** What `body` writes. */
function captured(body: Execute, scope: Scope, rendering: Rendering): string {
  const before = rendering.out;
  const inner = new Pieces();
  rendering.out = inner;
  body(scope, rendering);
  rendering.out = before;
  return inner.text();
}

function compileFor(node: For): Execute {
  const { iterable } = node;
  const source = compileExpression(iterable.type === 'SelectExpression' ? iterable.lhs : iterable);
  const condition = iterable.type === 'SelectExpression' ? compileExpression(iterable.test) : null;
  const bind = compileTarget(node.loopvar);
  const body = compileBlock(node.body);
  const otherwise = compileBlock(node.defaultBlock);

  return (scope, rendering) => {
    let items = iterate(source(scope, rendering));
    if (condition !== null) {
      items = items.filter((item) => {
        const tested = new Scope(scope);
        bind(tested, item);
        return truthy(condition(tested, rendering));
      });
    }
    if (items.length === 0) return otherwise(scope, rendering);
    const loop = new Loop(items);
    for (let i = 0; i < items.length; i++) {
      loop.index0 = i;
      // A scope for every iteration: what one sets, the next does not see.
      const inner = new Scope(scope);
      inner.set('loop', loop);
      bind(inner, items[i]);
      if (body(inner, rendering) === 'break') break;
    }
    return 'next';
  };
}

/** Binds a value to the name, names or field on the left of an assignment. */
function compileTarget(node: Expression): (scope: Scope, value: Value) => void {
  if (node.type === 'Identifier') {
    const name = node.value;
    return (scope, value) => scope.set(name, value);
  }
  if (node.type === 'TupleLiteral') {
    const targets = node.value.map(compileTarget);
    return (scope, value) => {
      const items = iterate(value);
      if (items.length !== targets.length) throw new TemplateError(`expected ${targets.length} values to unpack`);
      targets.forEach((target, i) => target(scope, items[i]));
    };
  }
  if (node.type === 'MemberExpression' && node.object.type === 'Identifier' && node.property.type === 'Identifier') {
    const object = node.object.value;
    const field = node.property.value;
    return (scope, value) => {
      const namespace = scope.get(object);
      if (!(namespace instanceof Namespace)) throw new TemplateError('cannot assign attribute on non-namespace object');
      namespace.fields.set(field, value);
    };
  }
  throw new TemplateError(`cannot assign to ${node.type}`);
}

function compileSet(node: SetStatement): Execute {
  const isFilter = node.value === null && node.assignee.type === 'FilterExpression';
  if (isFilter) throw new TemplateError('a filter on a set block is not supported');
  const bind = compileTarget(node.assignee);
  if (node.value !== null) {
    const value = compileExpression(node.value);
    return (scope, rendering) => {
      bind(scope, value(scope, rendering));
      return 'next';
    };
  }
  const body = compileBlock(node.body);
  return (scope, rendering) => {
    bind(scope, captured(body, new Scope(scope), rendering));
    return 'next';
  };
}

/** Compiles a macro, or the body of a `call` block, to what makes a callable of it where it stands. */
function compileMacro(
  name: string,
  parameters: readonly Parameter[],
  nodes: readonly Node[],
): (scope: Scope, rendering: Rendering) => Callable {
  const body = compileBlock(nodes);
  const names = parameters.map((parameter) => (parameter.type === 'Identifier' ? parameter : parameter.key).value);
  const defaults = parameters.map((parameter): Evaluate | null =>
    parameter.type === 'Identifier' ? null : compileExpression(parameter.value),
  );
  const mentioned = new Set<string>();
  walk(nodes, (node) => node.type === 'Identifier' && mentioned.add(node.value));

  return (outer, rendering) =>
    new Callable(name, (args, keywords) => {
      const scope = new Scope(outer);
      const spare = new Map(keywords);
      names.forEach((parameter, i) => {
        const given = i < args.length ? args[i] : keywords.get(parameter);
        spare.delete(parameter);
        scope.set(parameter, given === undefined ? defaults[i]?.(scope, rendering) : given);
      });
      if (mentioned.has('caller')) scope.set('caller', spare.get('caller'));
      spare.delete('caller');
      if (mentioned.has('varargs')) scope.set('varargs', Tuple.from(args.slice(names.length)));
      else if (args.length > names.length) throw new TemplateError(`macro '${name}' takes ${names.length} argument(s)`);
      if (mentioned.has('kwargs')) scope.set('kwargs', spare);
      else if (spare.size > 0) throw unexpectedKeyword(name, spare);
      return captured(body, scope, rendering);
    });
}

const unexpectedKeyword = (name: string, keywords: Keywords): TemplateError =>
  new TemplateError(`macro '${name}' takes no keyword argument '${Array.from(keywords.keys()).join("', '")}'`);

function compileCallStatement(node: CallStatement): Execute {
  const callee = compileExpression(node.call.callee);
  const args = compileArguments(node.call.args);
  const caller = compileMacro('caller', node.callerArgs ?? [], node.body);
  return (scope, rendering) => {
    const target = callee(scope, rendering);
    if (!(target instanceof Callable)) throw new TemplateError(`'${typeName(target)}' object is not callable`);
    const { positional, keywords } = args(scope, rendering);
    const written = text(target.call(positional, new Map([...keywords, ['caller', caller(scope, rendering)]])));
    rendering.out.write(written);
    return 'next';
  };
}
