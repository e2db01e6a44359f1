import { parseJson, rememberJson } from './jinja/json.ts';
import { isDict, isList, type Key, type Value } from './jinja/values.ts';
import type { Message } from './conversation.ts';
import { Unrenderable } from './unrenderable.ts';

/** Text of tools that is kept, in characters; the values and their JSON take some times as much. */
const MAX_KEPT_CHARS = 2_000_000;

/** The tools with the keys that vLLM's schema gives them; null for none. @throws Unrenderable for others than functions. */
export function toolsOf(tools: Value): readonly Value[] | null {
  return isList(tools) ? tools.map(toolOf) : null;
}

function toolOf(tool: Value): Message {
  const given = isDict(tool) ? tool.get('function') : undefined;
  if (!isDict(tool) || !isDict(given)) throw new Unrenderable('a tool is not of type function');
  const defer = tool.get('defer_loading') ?? null;
  const called: Message = new Map<Key, Value>([
    ['name', given.get('name')],
    ['description', given.get('description') ?? null],
    ['parameters', given.get('parameters') ?? null],
  ]);
  for (const [key, value] of [
    ['strict', given.get('strict') ?? null],
    ['defer_loading', given.get('defer_loading') ?? defer],
  ] as const) {
    if (value !== null) called.set(key, value);
  }
  const result: Message = new Map<Key, Value>([
    ['type', 'function'],
    ['function', called],
  ]);
  return defer === null ? result : result.set('defer_loading', defer);
}

/**
 * Tools by their text. An agent sends the same ones with every request, and they are long: what they parse to and what
 * templates print of them (nearly always the JSON of each) is kept, the least recently used to go first. A template cannot
 * change what it is given.
 */
export class KnownTools {
  private readonly byText = new Map<string, readonly Value[] | null>();
  private keptChars = 0;

  /** {@link toolsOf} of a JSON text. @throws SyntaxError, Unrenderable */
  read(text: string): readonly Value[] | null {
    let tools = this.byText.get(text);
    if (tools !== undefined) this.byText.delete(text);
    else {
      tools = toolsOf(parseJson(text));
      this.keptChars += text.length;
      for (const tool of tools ?? []) if (isDict(tool)) rememberJson(tool);
    }
    this.byText.set(text, tools);
    for (const [oldest] of this.byText) {
      if (this.keptChars <= MAX_KEPT_CHARS) break;
      this.byText.delete(oldest);
      this.keptChars -= oldest.length;
    }
    return tools;
  }
}
