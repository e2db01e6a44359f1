import type { ContentFormat } from './content-format.ts';
import { fromJavaScript, parseJson } from './jinja/json.ts';
import { type Dict, isDict, isList, type Key, truthy, type Value } from './jinja/values.ts';
import { Unrenderable } from './unrenderable.ts';

/** A message as the template sees it; its keys are in vLLM's order. */
export type Message = Map<Key, Value>;

/** Content parts that are text, and the field that has it. */
const TEXT_FIELD: ReadonlyMap<Value, string> = new Map<Value, string>([
  ['text', 'text'],
  ['input_text', 'text'],
  ['output_text', 'text'],
  ['refusal', 'refusal'],
  ['thinking', 'thinking'],
]);
/** Fields of content parts that vLLM knows; others it passes on to templates that take parts. */
const KNOWN_PART_FIELDS: readonly Key[] = [
  ...['type', 'text', 'refusal', 'thinking', 'closed', 'name', 'uuid', 'data', 'image_url', 'image_pil'],
  ...['image_embeds', 'audio_embeds', 'video_embeds', 'audio_url', 'video_url', 'input_audio', 'file'],
  'prompt_cache_breakpoint',
];
/** A line that Claude Code puts before its system prompt and that changes with every request; vLLM drops it. */
const BILLING_HEADER = 'x-anthropic-billing-header';

/**
 * The conversation that vLLM makes of a request's `messages` (`parse_chat_messages` of its `renderers/chat_utils.py`):
 * contents as text or parts, arguments of tool calls as objects, `reasoning` under both of its names.
 * @throws Unrenderable for parts that are no text, and for messages that vLLM refuses.
 */
export function parseMessages(messages: unknown, format: ContentFormat): Message[] {
  if (!Array.isArray(messages) || messages.length === 0) throw new Unrenderable('the request has no messages');
  return messages.map((message: unknown) => {
    const fields = fromJavaScript(message);
    if (!isDict(fields) || typeof fields.get('role') !== 'string') {
      throw new Unrenderable('a message has no role');
    }
    return parseMessage(fields, fields.get('role') as string, format);
  });
}

function parseMessage(fields: Dict, role: string, format: ContentFormat): Message {
  const parts = contentParts(fields.get('content'), role, format);
  const asText = format === 'string' || (role === 'tool' && parts.every((part) => partText(part) !== undefined));
  const content = asText ? parts.map((part) => partText(part) ?? part).join('\n') : parts;
  const message: Message = new Map<Key, Value>([
    ['role', role],
    ['content', content],
  ]);
  if (role === 'assistant') {
    const calls = fields.get('tool_calls');
    if (isList(calls) && calls.length > 0) message.set('tool_calls', calls.map(toolCall));
    const reasoning = fields.get('reasoning') ?? fields.get('reasoning_content');
    if (reasoning !== undefined && reasoning !== null) {
      message.set('reasoning', reasoning).set('reasoning_content', reasoning);
    }
  }
  if (role === 'tool' && fields.has('tool_call_id')) message.set('tool_call_id', fields.get('tool_call_id'));
  for (const name of ['name', 'task']) {
    const value = fields.get(name);
    if (typeof value === 'string') message.set(name, value);
  }
  if (role === 'developer') message.set('tools', fields.get('tools') ?? null);
  return message;
}

/** The parts of a content: texts where the template takes text, `{type: 'text', text}` where it takes parts. */
function contentParts(content: Value, role: string, format: ContentFormat): Value[] {
  if (content === undefined || content === null) return [];
  const given = isList(content) ? content : [content];
  const parts: Value[] = [];
  for (const part of given) {
    if (part === null) continue;
    if (isDict(part) && part.get('type') === 'tool_reference') {
      const name = part.get('name');
      parts.push(
        format === 'string'
          ? name
          : new Map<Key, Value>([
              ['type', 'tool_reference'],
              ['name', name],
            ]),
      );
      continue;
    }
    const text = textOf(part);
    if (text === null) continue;
    const kept = role === 'system' ? withoutBillingHeader(part, text) : text;
    // vLLM leaves out empty texts where it joins them
    if (kept === null || (kept === '' && format === 'string')) continue;
    parts.push(format === 'string' ? kept : textPart(part, kept));
  }
  return parts;
}

/** Text of a part; null for a part whose text is null, which vLLM leaves out. @throws Unrenderable when it is no text. */
function textOf(part: Value): string | null {
  if (typeof part === 'string') return part;
  if (!isDict(part)) throw new Unrenderable('a content part is neither text nor an object');
  const type = part.get('type');
  const field = TEXT_FIELD.get(type);
  if (field === undefined || (part.get('uuid') ?? null) !== null) {
    throw new Unrenderable(`content of type '${String(type)}' is not text`);
  }
  const text = part.get(field) ?? null;
  if (text !== null && typeof text !== 'string') throw new Unrenderable(`the ${field} of a content part is no text`);
  return text;
}

function textPart(part: Value, text: string): Value {
  const result = new Map<Key, Value>([
    ['type', 'text'],
    ['text', text],
  ]);
  if (isDict(part)) for (const [key, value] of part) if (!KNOWN_PART_FIELDS.includes(key)) result.set(key, value);
  return result;
}

/** Null when nothing of the part is left. */
function withoutBillingHeader(part: Value, text: string): string | null {
  const isText = typeof part === 'string' || (isDict(part) && part.get('type') === 'text');
  if (!isText || !text.startsWith(BILLING_HEADER)) return text;
  const end = text.indexOf('\n');
  return end < 0 || end === text.length - 1 ? null : text.slice(end + 1);
}

const partText = (part: Value): string | undefined => {
  if (typeof part === 'string') return part;
  const text = isDict(part) && part.get('type') === 'text' ? part.get('text') : undefined;
  return typeof text === 'string' ? text : undefined;
};

/** A tool call with its keys in the order of vLLM's schema, and its arguments as an object. */
function toolCall(call: Value): Value {
  const given = isDict(call) ? call.get('function') : undefined;
  if (!isDict(call) || !isDict(given) || (call.get('type') ?? 'function') !== 'function') {
    throw new Unrenderable('a tool call is not of type function');
  }
  const called = ordered(given, ['arguments', 'name']);
  called.set('arguments', argumentsOf(given.get('arguments')));
  const result = ordered(call, ['id', 'function', 'type']);
  return result.set('function', called);
}

/** What templates are given for arguments: an object, empty when the text is no JSON or no object. */
function argumentsOf(given: Value): Value {
  if (isDict(given)) return given;
  if (typeof given !== 'string' || !truthy(given)) return new Map<string, Value>();
  try {
    const parsed = parseJson(given);
    return isDict(parsed) ? parsed : new Map<string, Value>();
  } catch (error) {
    if (error instanceof SyntaxError) return new Map<string, Value>();
    throw error;
  }
}

/** The dictionary with the `first` keys that it has in front. */
function ordered(dict: Dict, first: readonly string[]): Message {
  const result: Message = new Map();
  for (const key of first) if (dict.has(key)) result.set(key, dict.get(key));
  for (const [key, value] of dict) result.set(key, value);
  return result;
}

/**
 * For templates that do not know the developer role: developer messages become system messages, and when that puts a
 * system message elsewhere than first, all of them are joined into one at the front.
 */
export function withoutDeveloperRole(conversation: readonly Message[]): readonly Message[] {
  if (!conversation.some((message) => message.get('role') === 'developer')) return conversation;
  const converted = conversation.map((message) => {
    if (message.get('role') !== 'developer') return message;
    const system: Message = new Map(message).set('role', 'system');
    system.delete('tools');
    return system;
  });
  const isSystem = (message: Message): boolean => message.get('role') === 'system';
  if (!converted.some((message, i) => i > 0 && isSystem(message))) return converted;
  const contents = converted.filter(isSystem).map((message) => {
    const content = message.get('content');
    return isList(content) ? content.map((part) => partText(part) ?? '').join('\n') : (content as string);
  });
  const merged: Message = new Map<Key, Value>([
    ['role', 'system'],
    ['content', contents.filter((content) => content !== '').join('\n\n')],
  ]);
  return [merged, ...converted.filter((message) => !isSystem(message))];
}
