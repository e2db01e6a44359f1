import { type Node, parseTemplate } from './ast.ts';
import { Rendering, Scope } from './scope.ts';
import { compileBlock } from './statements.ts';
import { strftime } from './strftime.ts';
import { wholeNumber } from './strings.ts';
import { Callable, isDict, type Key, Namespace, TemplateError, text, type Value } from './values.ts';

/** A chat template, compiled once. */
export interface Template {
  readonly nodes: readonly Node[];
  /**
   * The text that the template makes of `variables`, in pieces. `now` is what `strftime_now` formats, in local time.
   * @throws TemplateError when the template refuses its input, or does what Python would refuse.
   */
  render(variables: Iterable<readonly [Key, Value]>, now: () => Date): readonly string[];
}

/** @throws Error when `source` is no template that can be compiled. */
export function compileTemplate(source: string): Template {
  const nodes = parseTemplate(source);
  const execute = compileBlock(nodes);
  return {
    nodes,
    render(variables, now) {
      const globals = new Scope(null);
      for (const [name, value] of FUNCTIONS) globals.set(name, value);
      globals.set('strftime_now', new Callable('strftime_now', (args) => strftime(text(args[0]), now())));
      for (const [name, value] of variables) globals.set(String(name), value);
      const rendering = new Rendering();
      execute(new Scope(globals), rendering);
      return rendering.out.all();
    },
  };
}

const FUNCTIONS: readonly (readonly [string, Callable])[] = [
  new Callable('range', (args) => range(args.map((arg) => wholeNumber(arg, 'range')))),
  new Callable('namespace', (args, keywords) => {
    const namespace = new Namespace();
    for (const arg of args) if (isDict(arg)) for (const [key, value] of arg) namespace.fields.set(String(key), value);
    for (const [key, value] of keywords) namespace.fields.set(key, value);
    return namespace;
  }),
  new Callable('dict', (args, keywords) => new Map([...(isDict(args[0]) ? args[0] : []), ...keywords])),
  new Callable('raise_exception', (args) => {
    throw new TemplateError(text(args[0]));
  }),
  new Callable('joiner', (args) => {
    let used = false;
    return new Callable('joiner', () => {
      const separator = used ? (args[0] ?? ', ') : '';
      used = true;
      return separator;
    });
  }),
].map((callable) => [callable.name, callable]);

/** Longest list that Jinja2's sandbox lets `range` make. */
const MAX_RANGE = 100_000;

function range(args: readonly number[]): Value {
  const [start, stop, step] = args.length === 1 ? [0, args[0]!, 1] : [args[0] ?? 0, args[1] ?? 0, args[2] ?? 1];
  if (step === 0) throw new TemplateError('range() arg 3 must not be zero');
  const length = Math.max(0, Math.ceil((stop - start) / step));
  if (length > MAX_RANGE) throw new TemplateError('Range too big');
  return Array.from({ length }, (_, i) => start + i * step);
}
