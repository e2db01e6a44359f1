import { describe, expect, it } from '@jest/globals';
import { seededRng } from '@sluice/numerics';
import * as fc from 'fast-check';
import { BodyReader, readWhole } from './body-reader.ts';

const KB = 1024;

/** What a reader says of a body: the value and the order of its keys, or that it is no JSON. */
function outcome(read: () => unknown): string {
  try {
    return JSON.stringify(read());
  } catch (error) {
    return String(error);
  }
}

/** Text with what JSON has to escape and what is more than one byte, the same for the same seed. */
function longText(seed: number, length: number): string {
  const rng = seededRng(seed);
  const units = ['plain words ', '"', '\\', '\n', 'é', '漢字', '😀', '\u0001', '{"a":[', ']}', 'messages'];
  let text = '';
  while (text.length < length) text += units[Math.floor(rng() * units.length)]!;
  return text;
}

describe('BodyReader', () => {
  const message = fc
    .record({ seed: fc.nat(5), length: fc.constantFrom(0, 10, 900, 5 * KB, 20 * KB), shape: fc.nat(3) })
    .map(({ seed, length, shape }) => {
      const text = longText(seed, length);
      if (shape === 0) return { role: 'user', content: text };
      if (shape === 1) return { role: 'system', content: [{ type: 'text', text }] };
      return shape === 2 ? { content: text, '10': 1.5, tool_calls: [{ id: seed }], role: 'assistant' } : text;
    });
  const body = fc
    .record({
      messages: fc.array(message, { maxLength: 6 }),
      before: fc.option(fc.record({ model: fc.string(), tools: fc.array(fc.jsonValue()) })),
      after: fc.dictionary(fc.string(), fc.jsonValue()),
      indent: fc.constantFrom(undefined, 1),
      twice: fc.nat(9),
    })
    .map(({ messages, before, after, indent, twice }) => {
      const json = JSON.stringify({ ...before, messages, ...after }, null, indent);
      return twice === 0 ? `${json.slice(0, -1)},"messages":[1]}` : json;
    });

  it.each([1, 2, 3])('reads what JSON.parse reads, whatever it knows (seed %i)', (seed) => {
    fc.assert(
      fc.property(
        fc.array(body, { minLength: 1, maxLength: 12 }),
        fc.constantFrom(0, 8 * KB, 1000 * KB),
        (bodies, known) => {
          const reader = new BodyReader(known);
          for (const json of [...bodies, ...bodies, ...bodies]) {
            const bytes = Buffer.from(json);
            expect(outcome(() => reader.readChat(bytes))).toBe(outcome(() => readWhole(bytes)));
          }
        },
      ),
      { seed, numRuns: 25 },
    );
  });

  it.each([1, 2, 3])('takes and refuses what JSON.parse does when bytes were changed (seed %i)', (seed) => {
    const messages = [1, 2].map((i) => ({ role: 'user', content: longText(i, 12 * KB) }));
    const whole = Buffer.from(JSON.stringify({ model: 'm', messages, stream: true }));
    const reader = new BodyReader(1000 * KB);
    for (let i = 0; i < 3; i++) reader.readChat(whole);
    const edges = fc.oneof(
      fc.nat(60),
      fc.integer({ min: whole.length - 60, max: whole.length - 1 }),
      fc.nat(whole.length - 1),
    );
    const change = fc.tuple(edges, fc.oneof(fc.nat(255), fc.constantFrom(...Buffer.from(' ,:[]{}"\\\t\u000b1'))));
    fc.assert(
      fc.property(fc.array(change, { maxLength: 2 }), fc.option(fc.nat(whole.length)), (changes, cut) => {
        const bytes = Buffer.from(whole.subarray(0, cut ?? whole.length));
        for (const [at, byte] of changes) if (at < bytes.length) bytes[at] = byte;
        expect(outcome(() => reader.readChat(bytes))).toBe(outcome(() => readWhole(bytes)));
      }),
      { seed, numRuns: 400 },
    );
  });

  it('parses a long message anew until it has come twice, and gives the same object from then on', () => {
    const reader = new BodyReader(1000 * KB);
    const system = { role: 'system', content: longText(1, 30 * KB) };
    const read = (question: string): unknown[] => {
      const json = { messages: [system, { role: 'user', content: question }] };
      const { messages } = reader.readChat(Buffer.from(JSON.stringify(json))) as { messages: unknown[] };
      expect(messages).toEqual(json.messages);
      return messages;
    };
    const [first, second, third] = ['a', 'b', 'c'].map(read);
    expect(second![0]).not.toBe(first![0]);
    expect(third![0]).toBe(second![0]);
    expect(Object.isFrozen(third![0])).toBe(true);
    expect(third![1]).not.toBe(second![1]);
  });

  it('keeps no message where none may be kept', () => {
    const reader = new BodyReader(0);
    const body = Buffer.from(JSON.stringify({ messages: [{ role: 'system', content: longText(1, 30 * KB) }] }));
    const read = () => (reader.readChat(body) as { messages: unknown[] }).messages[0];
    expect([read(), read()].map(Object.isFrozen)).toEqual([false, false]);
    expect(read()).not.toBe(read());
    expect(reader.known.heldBytes).toBe(0);
  });
});
