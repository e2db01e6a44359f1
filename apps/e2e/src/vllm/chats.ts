/** Body of a `/v1/chat/completions` request, without the fields that only steer the answer. */
export interface ChatBody {
  readonly messages: readonly Readonly<Record<string, unknown>>[];
  readonly [field: string]: unknown;
}

type Rng = () => number;

const pick = <T>(rng: Rng, items: readonly T[]): T => items[Math.floor(rng() * items.length)]!;
const chance = (rng: Rng, probability: number): boolean => rng() < probability;
const times = <T>(count: number, make: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i));

/** Pieces of text that tokenizers and templates treat in ways of their own. */
const PIECES: readonly string[] = [
  'The quick brown fox jumps over the lazy dog.',
  'Explain how a B-tree splits its pages, please.',
  'function add(a, b) {\n\treturn a + b;\n}',
  '    indented\n\n\n  and spaced   out  ',
  "It's 12,345.67 € — isn't it? We'll see; they've said I'd know.",
  'Grüße aus Köln, où l’été est fini. Año nuevo.',
  'Cafe\u0301 and Zu\u0308rich, decomposed; \u212b and \u2126 too.',
  '東京は日本の首都です。你好，世界！한국어도 있어요.',
  'مرحبا بالعالم \u200f\u202bכתוב בעברית\u202c',
  'नमस्ते दुनिया, สวัสดีชาวโลก, Привет, мир',
  '👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽 🇩🇪 🤷‍♀️',
  'zero\u200bwidth\u200djoiner\ufeff and nbsp\u00a0here',
  '𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝟘𝟙𝟚 \u{1f9d1}\u{1f3fb}',
  'tab\there, carriage\r\nreturn, form\ffeed, \u0085 next line \u2028 line separator',
  '{"json": {"a": [1, 2.0, null, true], "quote": "\\"x\\""}}',
  "{'single': 'quotes'} <b>html & entities</b> &amp; `code` $x^2$ \\frac{1}{2}",
  '{{ not_a_template }} {% if x %} {# comment #}',
  '<tool_call>{"name": "fake"}</tool_call> <think>hm</think>',
  'a|b|c <| not special |> < |im_start|>',
  'x'.repeat(90),
  '1234567890'.repeat(6),
  '\u0338combining first',
  '...!!!???---___***',
  "SELECT * FROM \"users\" WHERE name LIKE '%o''brien%';",
  '',
  ' ',
  '\n',
];

const text = (rng: Rng, pieces: number): string =>
  times(1 + Math.floor(rng() * pieces), () => pick(rng, PIECES)).join(pick(rng, [' ', '\n', '\n\n', '']));

/** Content as clients send it: a text, parts of text, an empty list, or nothing. */
function content(rng: Rng, pieces: number, nullable: boolean): unknown {
  const kind = rng();
  if (kind < 0.72) return text(rng, pieces);
  if (kind < 0.93) return times(1 + Math.floor(rng() * 3), () => ({ type: 'text', text: text(rng, pieces) }));
  return nullable ? null : text(rng, pieces);
}

const KEYS = ['city', 'unit', 'größe', '10', '2', 'items', 'keys', 'name', 'type', 'emoji 🙂', 'with "quotes"', 'a\\b'];

/** Any JSON value, with the numbers and names that JavaScript and Python write differently. */
function json(rng: Rng, depth: number): unknown {
  const kind = Math.floor(rng() * (depth > 0 ? 9 : 7));
  switch (kind) {
    case 0:
      return text(rng, 1);
    case 1:
      return Math.floor(rng() * 2000) - 1000;
    case 2:
      return pick(rng, [0.5, -0.25, 1e-7, 1.5e300, 123456789.125, 3.0000000000000004, 1e21, 0.0001, 1e16]);
    case 3:
      return chance(rng, 0.5);
    case 4:
      return null;
    case 5:
      return pick(rng, [Number.MAX_SAFE_INTEGER, -1, 0, 4096]);
    case 6:
      return pick(rng, ['', 'plain', '\u0000\u001f\u007f', 'line\nbreak']);
    case 7:
      return times(Math.floor(rng() * 4), () => json(rng, depth - 1));
    default:
      return object(rng, depth - 1);
  }
}

const object = (rng: Rng, depth: number): Record<string, unknown> =>
  Object.fromEntries(times(Math.floor(rng() * 4), () => [pick(rng, KEYS), json(rng, depth)]));

/** A tool with a random schema of parameters. */
export function randomTool(rng: Rng, name: string): Readonly<Record<string, unknown>> {
  const properties = Object.fromEntries(
    times(Math.floor(rng() * 4), () => [
      pick(rng, KEYS),
      { type: pick(rng, ['string', 'number', 'object']), description: text(rng, 1), ...object(rng, 2) },
    ]),
  );
  return {
    type: 'function',
    function: {
      name,
      ...(chance(rng, 0.8) && { description: text(rng, 2) }),
      ...(chance(rng, 0.9) && { parameters: { type: 'object', properties, required: Object.keys(properties) } }),
      ...(chance(rng, 0.2) && { strict: chance(rng, 0.5) }),
    },
  };
}

const TOOL_NAMES = ['get_weather', 'search', 'run-python', 'übersetze'];

const toolCall = (rng: Rng, id: string): Readonly<Record<string, unknown>> => ({
  id,
  type: 'function',
  function: {
    name: pick(rng, TOOL_NAMES),
    arguments: pick(rng, [
      JSON.stringify(object(rng, 2)),
      JSON.stringify(object(rng, 2), null, 2),
      '',
      '{broken',
      '[1]',
    ]),
  },
});

type Turn = Readonly<Record<string, unknown>>[];

/** An answer of the assistant that calls tools, and their results. */
export function randomToolTurn(rng: Rng, turn: number): Turn {
  const calls = times(1 + Math.floor(rng() * 2), (i) => toolCall(rng, `call_${turn}_${i}`));
  return [
    { role: 'assistant', content: content(rng, 3, true), tool_calls: calls },
    ...calls.map((call) => ({ role: 'tool', tool_call_id: call['id'], content: content(rng, 2, false) })),
  ];
}

/** What follows a message of the user in a history. */
function assistantTurn(rng: Rng, turn: number): Turn {
  if (chance(rng, 0.35)) return randomToolTurn(rng, turn);
  const reasoning = chance(rng, 0.15) && { [pick(rng, ['reasoning', 'reasoning_content'])]: text(rng, 2) };
  return [{ role: 'assistant', content: content(rng, 3, true), ...reasoning }];
}

/**
 * A chat of any shape that vLLM accepts: with and without system message, several turns, tools, tool calls and results,
 * parts, missing contents, reasoning, every script and the JSON that is written differently in Python.
 */
export function randomChat(rng: Rng): ChatBody {
  const system = chance(rng, 0.6) ? [{ role: 'system', content: content(rng, 3, false) }] : [];
  const turns = times(Math.floor(rng() * 4), (i) => [
    { role: 'user', content: content(rng, 3, false), ...(chance(rng, 0.05) && { name: 'Ann' }) },
    ...assistantTurn(rng, i),
  ]);
  const messages = [...system, ...turns.flat(), { role: 'user', content: content(rng, 3, false) }];
  const withTools = chance(rng, 0.4);
  return {
    messages,
    ...(withTools && { tools: TOOL_NAMES.slice(0, 1 + Math.floor(rng() * 3)).map((name) => randomTool(rng, name)) }),
    ...(chance(rng, 0.2) && { chat_template_kwargs: { enable_thinking: chance(rng, 0.5) } }),
    ...(chance(rng, 0.1) && { add_generation_prompt: false }),
  };
}
