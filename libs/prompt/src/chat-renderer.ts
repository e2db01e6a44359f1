import { type ContentFormat, detectContentFormat, knowsDeveloperRole } from './content-format.ts';
import { type Message, parseMessages, withoutDeveloperRole } from './conversation.ts';
import { fromJavaScript, parseJson } from './jinja/json.ts';
import { strip } from './jinja/strings.ts';
import { compileTemplate, type Template } from './jinja/template.ts';
import { type Dict, isDict, isList, type Key, type Value } from './jinja/values.ts';
import { JsonCursor } from './json-cursor.ts';
import { KnownTools, toolsOf } from './tools.ts';
import { Unrenderable } from './unrenderable.ts';

/** A parsed JSON object of a request. */
export type RequestBody = Readonly<Record<string, unknown>>;

/** Chat templates of a model as its files name them: one text, or several of which one may be for tools. */
export type ChatTemplates = ReadonlyMap<string, string>;

/** Renders chat requests to the text that vLLM tokenises for `/v1/chat/completions`, in pieces. */
export interface ChatRenderer {
  /**
   * @param source Bytes of the body, for what a parsed body has lost: `1.0` against `1`, the order of keys like "10".
   * @throws Unrenderable when the request has no text, or vLLM would refuse it.
   */
  render(body: RequestBody, source: Uint8Array | null): readonly string[];
}

interface CompiledTemplate extends Template {
  readonly format: ContentFormat;
  readonly developer: boolean;
  readonly source: string;
}

/** What transformers puts behind the last message to find where it ends in the rendered text. */
const CONTINUE_TAG = 'CONTINUE_FINAL_MESSAGE_TAG ';
/** Members of a request whose values templates may print, so that they must be exactly what the client wrote. */
const PRINTED_MEMBERS = ['tools', 'documents', 'chat_template_kwargs'] as const;

/**
 * @param templates By name; `default` and `tool_use` are used.
 * @param specialTokens `bos_token` and the like, which templates may use.
 * @param now Clock for templates that print the date, which engines take from their own.
 */
export function createChatRenderer(templates: ChatTemplates, specialTokens: Dict, now: () => Date): ChatRenderer {
  const knownTools = new KnownTools();
  const compiled = new Map<string, CompiledTemplate>();
  const problems = new Map<string, string>();
  for (const [name, source] of templates) {
    try {
      const template = compileTemplate(source);
      const format = detectContentFormat(template.nodes);
      compiled.set(name, { ...template, format, developer: knowsDeveloperRole(source), source });
    } catch (error) {
      problems.set(name, error instanceof Error ? error.message : String(error));
    }
  }

  const templateFor = (withTools: boolean): CompiledTemplate => {
    const name = withTools && templates.has('tool_use') ? 'tool_use' : 'default';
    const template = compiled.get(name);
    if (template !== undefined) return template;
    const problem = problems.get(name);
    throw new Unrenderable(problem === undefined ? 'the model has no chat template' : `chat template: ${problem}`);
  };

  return {
    render(body, source) {
      refuseUnsupported(body);
      const members = printedMembers(body, source, knownTools);
      const tools = members.tools ?? null;
      const template = templateFor(tools !== null);
      const parsed = parseMessages(body['messages'], template.format);
      const conversation = template.developer ? parsed : withoutDeveloperRole(parsed);
      const variables = templateVariables(body, members, tools, specialTokens);
      return body['continue_final_message'] === true
        ? [renderContinued(template, conversation, variables, now)]
        : template.render([...variables, ['messages', conversation]], now);
    },
  };
}

/** @throws Unrenderable for what changes the prompt in ways that only the engine knows. */
function refuseUnsupported(body: RequestBody): void {
  const kwargs = body['chat_template_kwargs'] as RequestBody | null | undefined;
  if (typeof (body['chat_template'] ?? kwargs?.['chat_template'] ?? null) === 'string') {
    throw new Unrenderable('the request brings its own chat template');
  }
  if ((body['truncate_prompt_tokens'] ?? null) !== null) throw new Unrenderable('the prompt is truncated by tokens');
  if (body['continue_final_message'] === true && body['add_generation_prompt'] !== false) {
    throw new Unrenderable('continue_final_message needs add_generation_prompt to be false');
  }
}

interface PrintedMembers {
  tools?: readonly Value[] | null;
  documents?: Value;
  chat_template_kwargs?: Value;
}

function printedMembers(body: RequestBody, source: Uint8Array | null, knownTools: KnownTools): PrintedMembers {
  const present = PRINTED_MEMBERS.filter((name) => (body[name] ?? null) !== null);
  const members: PrintedMembers = {};
  if (source === null) {
    for (const name of present) {
      const value = fromJavaScript(body[name]);
      if (name === 'tools') members.tools = toolsOf(value);
      else members[name] = value;
    }
  } else if (present.length > 0) {
    const cursor = new JsonCursor(source);
    cursor.members((key) => {
      const name = present.find((one) => one === key);
      if (name === undefined) cursor.skip();
      else if (name === 'tools') members.tools = knownTools.read(cursor.text());
      else members[name] = parseJson(cursor.text());
    });
  }
  return members;
}

/** Everything but the messages that a template is given, later entries over earlier ones. */
function templateVariables(
  body: RequestBody,
  members: PrintedMembers,
  tools: readonly Value[] | null,
  specialTokens: Dict,
): [Key, Value][] {
  const given = isDict(members.chat_template_kwargs) ? members.chat_template_kwargs : new Map<string, Value>();
  const effort = body['reasoning_effort'];
  const variables: [Key, Value][] = [
    ...specialTokens,
    ['tools', tools],
    ['documents', members.documents ?? null],
    // vLLM takes null and "auto" for not given
    ...Array.from(given).filter(([, value]) => value !== null && value !== 'auto'),
    ['add_generation_prompt', body['add_generation_prompt'] !== false],
  ];
  if (typeof effort === 'string') {
    variables.push(['reasoning_effort', effort]);
    if (!given.has('enable_thinking')) variables.push(['enable_thinking', effort !== 'none']);
  }
  return variables;
}

/** The text up to the end of the last message's content, as transformers' `render_jinja_template` finds it. */
function renderContinued(
  template: CompiledTemplate,
  conversation: readonly Message[],
  variables: readonly [Key, Value][],
  now: () => Date,
): string {
  const last = conversation.at(-1)!;
  const content = last.get('content');
  const [final, tagged] = tagEnd(content);
  const messages = [...conversation.slice(0, -1), new Map(last).set('content', tagged)];
  const text = template.render([...variables, ['messages', messages]], now).join('');
  const tag = text.lastIndexOf(CONTINUE_TAG.trimEnd());
  if (tag < 0 || !text.includes(strip(final, null)) || !template.source.includes('content')) {
    throw new Unrenderable('the chat template does not keep the final message that is to be continued');
  }
  const kept = text.slice(0, tag);
  return text.startsWith(CONTINUE_TAG, tag) ? kept : strip(kept, null, false, true);
}

function tagEnd(content: Value): [final: string, tagged: Value] {
  if (typeof content === 'string') return [content, content + CONTINUE_TAG];
  const parts = isList(content) ? content : [];
  const at = parts.findLastIndex((part) => isDict(part) && part.has('text'));
  const part = parts[at];
  const text = isDict(part) ? part.get('text') : undefined;
  if (!isDict(part) || typeof text !== 'string') throw new Unrenderable('there is no final text to continue');
  return [text, parts.with(at, new Map(part).set('text', text + CONTINUE_TAG))];
}
