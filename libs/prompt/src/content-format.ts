import { type Expression, type For, type Node, walk } from './jinja/ast.ts';

/** How a template wants the content of a message: as one text, or as the list of its parts. */
export type ContentFormat = 'string' | 'openai';

/**
 * What vLLM finds out about a template (`_detect_content_format` of its `renderers/hf.py`): `openai` when somewhere it
 * loops over the content of a message. Followed to the letter, since the two formats render differently.
 */
export function detectContentFormat(nodes: readonly Node[]): ContentFormat {
  const all: Node[] = [];
  walk(nodes, (node) => all.push(node));
  const loops = all.filter((node) => node.type === 'For');
  const histories = aliases(all, 'messages');
  if (histories === null) return 'string';
  const messages = loops.flatMap((loop) =>
    histories.some((name) => isElementOf(iterated(loop), name, null)) && loop.loopvar.type === 'Identifier'
      ? [loop.loopvar.value]
      : [],
  );
  const parameters = contentParameters(all, messages);
  const overContent = (loop: For): boolean => {
    const source = iterated(loop);
    if (messages.some((name) => isElementOf(source, name, 'content'))) return true;
    if (source.type !== 'Identifier') return false;
    const inMacro = parameters.get(loop);
    return inMacro === undefined ? source.value === 'content' : inMacro.has(source.value);
  };
  return loops.some(overContent) ? 'openai' : 'string';
}

/** Whether a template knows the `developer` role; without that, vLLM makes those messages system messages. */
export const knowsDeveloperRole = (source: string): boolean =>
  source.includes('"developer"') || source.includes("'developer'");

const iterated = (loop: For): Expression =>
  loop.iterable.type === 'SelectExpression' ? loop.iterable.lhs : loop.iterable;

/** `name` and the variables set to it or to parts of it; null where vLLM's analysis fails (a field of a namespace). */
function aliases(all: readonly Node[], name: string): string[] | null {
  const found = [name];
  for (const source of found) {
    for (const node of all) {
      if (node.type !== 'Set' || node.value === null || !isElementOf(node.value, source, null)) continue;
      if (node.assignee.type !== 'Identifier') return null;
      if (!found.includes(node.assignee.value)) found.push(node.assignee.value);
    }
  }
  return found;
}

/** For each loop inside a macro, the parameters through which the macro is given the content of a message. */
function contentParameters(all: readonly Node[], messages: readonly string[]): Map<For, ReadonlySet<string>> {
  const found = new Map<For, ReadonlySet<string>>();
  const isContent = (node: Expression): boolean => messages.some((name) => isElementOf(node, name, 'content'));
  for (const macro of all) {
    if (macro.type !== 'Macro') continue;
    const names = macro.args.map((parameter) => (parameter.type === 'Identifier' ? parameter : parameter.key).value);
    const given = new Set<string>();
    for (const call of all) {
      if (call.type !== 'CallExpression' || call.callee.type !== 'Identifier') continue;
      if (call.callee.value !== macro.name.value) continue;
      call.args.forEach((argument, i) => {
        if (argument.type !== 'KeywordArgumentExpression') {
          if (names[i] !== undefined && isContent(argument)) given.add(names[i]);
        } else if (names.includes(argument.key.value) && isContent(argument.value)) given.add(argument.key.value);
      });
    }
    walk(macro.body, (node) => node.type === 'For' && found.set(node, given));
  }
  return found;
}

/** Whether `node` is the variable `name` (or its member `key`), perhaps filtered, tested or sliced. */
function isElementOf(node: Expression, name: string, key: string | null): boolean {
  if (node.type === 'FilterExpression' || node.type === 'TestExpression') return isElementOf(node.operand, name, key);
  if (node.type === 'MemberExpression' && node.property.type === 'SliceExpression') {
    return isElementOf(node.object, name, key);
  }
  if (key === null) return node.type === 'Identifier' && node.value === name;
  return (
    node.type === 'MemberExpression' &&
    node.object.type === 'Identifier' &&
    node.object.value === name &&
    node.property.type === (node.computed ? 'StringLiteral' : 'Identifier') &&
    node.property.value === key
  );
}
