import { describe, expect, it, jest } from '@jest/globals';
import { fileURLToPath } from 'node:url';
import { loadPromptKit } from '@sluice/prompt';
import { seededRng } from '@sluice/numerics';
import * as fc from 'fast-check';
import { BodyReader, readWhole } from './body-reader.ts';

// Many random chats: a busy machine may take its time.
jest.setTimeout(60_000);

const TOKENIZER = fileURLToPath(new URL('../../../engine-sim/assets/tokenizer', import.meta.url));
const KB = 1024;
const SCRIPTS = [
  'plain words ',
  'ünïcödé ',
  'e\u0301 ',
  '漢字かな',
  '한국어 ',
  '😀',
  '<|im_end|>',
  '"\\\n',
  '</think>',
];

/** Text of one script, or of all. */
function textOf(seed: number, length: number): string {
  const rng = seededRng(seed);
  const units = seed % 2 === 0 ? SCRIPTS : [SCRIPTS[seed % SCRIPTS.length]!];
  let text = '';
  while (text.length < length) text += units[Math.floor(rng() * units.length)]!;
  return text;
}

const text = fc
  .tuple(fc.nat(12), fc.constantFrom(0, 20, 600, 3 * KB, 20 * KB))
  .map(([seed, length]) => textOf(seed, length));
const message = fc.oneof(
  text.map((content) => ({ role: 'user', content })),
  text.map((words) => ({
    role: 'user',
    content: [
      { type: 'text', text: words },
      { type: 'text', text: 'and more' },
    ],
  })),
  text.map((content) => ({
    role: 'assistant',
    content,
    tool_calls: [{ id: '1', type: 'function', function: { name: 'look', arguments: '{"at": 1.0}' } }],
  })),
  text.map((content) => ({ role: 'tool', tool_call_id: '1', content })),
);
const tools = fc.option(
  fc
    .nat(3)
    .map((seed) =>
      [1, 2, 3].map((i) => ({
        type: 'function',
        function: { name: `f${i}`, description: textOf(seed, 900), parameters: { type: 'object', properties: {} } },
      })),
    ),
);
const chat = fc
  .record({ system: text, turns: fc.array(message, { minLength: 1, maxLength: 5 }), tools })
  .map(({ system, turns, tools }) => ({
    model: 'm',
    ...(tools !== null && { tools }),
    messages: [{ role: 'system', content: system }, ...turns],
  }));

describe('chats of which messages and tools are known', () => {
  it.each([1, 2, 3])('render to the same bytes as chats that are read whole, turn by turn (seed %i)', async (seed) => {
    const kit = await loadPromptKit(TOKENIZER);
    const bodies = new BodyReader(32 * 1024 * KB);
    fc.assert(
      fc.property(fc.array(chat, { minLength: 1, maxLength: 4 }), (chats) => {
        for (const { messages, ...rest } of [...chats, ...chats, ...chats]) {
          for (let turns = 1; turns <= messages.length; turns++) {
            const body = Buffer.from(JSON.stringify({ ...rest, messages: messages.slice(0, turns) }));
            // Without the bytes of the body no tools are known either.
            const [known, whole] = [kit.renderChat(bodies.readChat(body), body), kit.renderChat(readWhole(body))];
            if (known.kind !== 'rendered' || whole.kind !== 'rendered') throw new Error('a chat was not rendered');
            expect(Buffer.compare(known.bytes, whole.bytes)).toBe(0);
          }
        }
      }),
      { seed, numRuns: 10 },
    );
  });
});
