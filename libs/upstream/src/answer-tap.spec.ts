import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { AnswerTap } from './answer-tap.ts';
import { SseFramer } from './sse-framer.ts';
import { chatEvents } from './testing.ts';

const USAGE = {
  prompt_tokens: 22,
  total_tokens: 28,
  completion_tokens: 6,
  prompt_tokens_details: { cached_tokens: 16, created_cache_tokens: 0 },
};
const expected = { promptTokens: 22, completionTokens: 6, cachedTokens: 16 };

function tapped(bytes: Buffer, pieceBytes: number): AnswerTap {
  const tap = new AnswerTap(null);
  const framer = new SseFramer();
  for (let at = 0, time = 0; at < bytes.length; at += pieceBytes, time++) {
    const whole = framer.push(bytes.subarray(at, at + pieceBytes));
    if (whole !== null) tap.events(whole, time);
  }
  return tap;
}

const captured = (name: string): Buffer => readFileSync(new URL(`../testdata/${name}`, import.meta.url));

describe('AnswerTap on event streams', () => {
  it('counts content and reads usage however the stream is cut', () => {
    const stream = Buffer.from(chatEvents(['He', 'll', 'o "usage" ', '\u00e4\ud83d\ude00'], USAGE).join(''));
    for (let piece = 1; piece <= stream.length; piece += 7) {
      const tap = tapped(stream, piece);
      expect(tap.contentEvents).toBe(4);
      expect(tap.usage).toEqual(expected);
      expect(tap.done).toBe(true);
      expect(tap.error).toBeNull();
    }
  });

  it('tells the listener of the first and the further tokens, and when they came', () => {
    const calls: string[] = [];
    const tap = new AnswerTap({ firstToken: () => calls.push('first'), tokens: (n) => calls.push(`+${n}`) });
    const [role, a, b, c, done] = chatEvents(['a', 'b', 'c']).map((event) => Buffer.from(event));
    tap.events(role!, 5);
    expect(tap.firstContentAtMs).toBeNull();
    tap.events(a!, 10);
    tap.events(Buffer.concat([b!, c!, done!]), 30);
    expect(calls).toEqual(['first', '+2']);
    expect([tap.firstContentAtMs, tap.lastContentAtMs]).toEqual([10, 30]);
  });

  it('takes data lines without a space, spaces in the JSON, comments and carriage returns', () => {
    const tap = new AnswerTap(null);
    tap.events(Buffer.from(': ping\n\ndata:{"choices": [{"delta": {"content": "x"}}]}\n\n'), 1);
    tap.events(
      Buffer.from(
        `data: {"choices":[{"text":"y"}]}\r\n\r\ndata:{"usage": ${JSON.stringify(USAGE)}}\r\n\r\ndata:[DONE]\r\n\r\n`,
      ),
      2,
    );
    expect(tap.contentEvents).toBeGreaterThanOrEqual(1);
    expect(tap.usage).toEqual(expected);
  });

  it('takes streams whose lines end in CR or CR LF', () => {
    for (const end of ['\r', '\r\n']) {
      const stream = Buffer.from(chatEvents(['a', 'b', 'c'], USAGE).join('').replaceAll('\n', end));
      for (const piece of [1, 50, stream.length]) {
        const tap = tapped(stream, piece);
        expect([tap.contentEvents, tap.usage, tap.done]).toEqual([3, expected, true]);
      }
    }
  });

  it('reads usage and errors of events with other fields too', () => {
    const tap = new AnswerTap(null);
    tap.events(Buffer.from(`event: chunk\ndata: ${JSON.stringify({ usage: USAGE })}\nid: 7\n\n`), 1);
    expect(tap.usage).toEqual(expected);
    tap.events(Buffer.from('event: error\ndata: {"error":{"message":"no","code":503}}\nid: 8\n\n'), 1);
    expect(tap.error).toEqual({ message: 'no', code: 503 });
  });

  it('counts reasoning and tool calls as content, null and empty content not', () => {
    const tap = new AnswerTap(null);
    for (const delta of ['{"content":null}', '{"content":""}', '{"role":"assistant"}']) {
      tap.events(Buffer.from(`data: {"choices":[{"delta":${delta}}]}\n\n`), 1);
    }
    expect(tap.contentEvents).toBe(0);
    for (const delta of [
      '{"reasoning":"a"}',
      '{"content":null,"tool_calls":[{"function":{"name":"f"}}]}',
      '{"content":"b"}',
    ]) {
      tap.events(Buffer.from(`data: {"choices":[{"delta":${delta}}]}\n\n`), 1);
    }
    expect(tap.contentEvents).toBe(3);
  });

  it('is not fooled by text that looks like keys', () => {
    const tap = new AnswerTap(null);
    const text = '"usage":{"prompt_tokens":9} data: [DONE]';
    tap.events(Buffer.from(`data: ${JSON.stringify({ choices: [{ delta: { content: text } }] })}\n\n`), 1);
    expect(tap.usage).toBeNull();
    expect(tap.done).toBe(false);
    expect(tap.contentEvents).toBe(1);
  });

  it('reads what vLLM sent: a stream with usage, one with usage on every chunk, one whose engine was killed', () => {
    const plain = tapped(captured('chat-stream-usage.sse'), 100);
    expect([plain.contentEvents, plain.usage?.completionTokens, plain.usage?.promptTokens, plain.done]).toEqual([
      6,
      6,
      22,
      true,
    ]);
    const continuous = tapped(captured('chat-stream-usage-continuous.sse'), 1000);
    expect([continuous.contentEvents, continuous.usage?.completionTokens]).toEqual([6, 6]);
    const killed = tapped(captured('stream-during-kill.sse'), 333);
    expect(killed.error).toEqual({ message: expect.stringContaining('EngineCore encountered an issue'), code: 500 });
    expect(killed.done).toBe(true);
    const tools = tapped(captured('chat-tools-named-stream.sse'), 64);
    expect(tools.contentEvents).toBeGreaterThan(5);
  });
});

/** What a client makes of a stream by the HTML standard, with every payload parsed. */
function naive(stream: string): { content: number; done: boolean; usage: unknown; error: unknown } {
  const seen: ReturnType<typeof naive> = { content: 0, done: false, usage: null, error: null };
  for (const event of stream.replaceAll('\r\n', '\n').replaceAll('\r', '\n').split('\n\n')) {
    const lines = event.split('\n').filter((line) => line.startsWith('data:'));
    const data = lines.map((line) => line.slice(5).replace(/^ /, '')).join('\n');
    if (data === '[DONE]') seen.done = true;
    if (data === '' || data === '[DONE]') continue;
    const { choices, usage, error } = JSON.parse(data) as Record<string, unknown>;
    if (error !== undefined) seen.error = (error as { message: string }).message;
    if (usage !== undefined && usage !== null) seen.usage = usage;
    const choice = (choices as Record<string, unknown>[] | undefined)?.[0];
    const delta = (choice?.['delta'] ?? {}) as Record<string, unknown>;
    const texts = [delta['content'], delta['reasoning'], choice?.['text']];
    const calls = delta['tool_calls'] as unknown[] | undefined;
    if (texts.some((text) => typeof text === 'string' && text !== '') || (calls?.length ?? 0) > 0) seen.content++;
  }
  return seen;
}

describe('AnswerTap beside a naive reading', () => {
  const text = fc.oneof(
    fc.constantFrom('', '"usage": {"prompt_tokens": 1}', 'data: [DONE]\n\n', '{"error"', '\\"content":"', '\u2028\r\n'),
    fc.string({ unit: 'binary', maxLength: 6 }),
  );
  const logprobs = fc.option(
    fc.array(
      text.map((token) => ({ token, bytes: [1], logprob: -0.5 })),
      { maxLength: 2 },
    ),
  );
  const delta = fc.record(
    {
      role: fc.constant('assistant'),
      content: fc.option(text),
      reasoning: fc.option(text),
      tool_calls: fc.array(fc.record({ index: fc.nat(2), function: fc.record({ arguments: text }) }), { maxLength: 2 }),
    },
    { requiredKeys: [] },
  );
  const usage = fc.option(
    fc.nat(99).map((n) => ({ prompt_tokens: n, completion_tokens: 2, prompt_tokens_details: null })),
  );
  const chunk = fc.oneof(
    fc.record({
      id: text,
      choices: fc.tuple(
        fc.record({ index: fc.nat(3), delta, logprobs: logprobs.map((content) => content && { content }), stop: text }),
      ),
      usage,
    }),
    fc.record({ choices: fc.tuple(fc.record({ index: fc.nat(3), text })), usage }),
    fc.record({ choices: fc.constant([]), usage }),
    text.map((message) => ({ error: { message, code: 400 } })),
  );
  const spaced = (json: unknown): string => JSON.stringify(json, null, 1).replaceAll(/\n */g, ' ');
  const event = fc
    .tuple(chunk, fc.boolean(), fc.constantFrom('data: ', 'data:'), fc.constantFrom('', 'id: 1\n', ': ping\n\n'))
    .map(([json, loose, data, before]) => `${before}${data}${loose ? spaced(json) : JSON.stringify(json)}\n\n`);

  it('counts, and finds usage, errors and the end, wherever the stream is cut', () => {
    fc.assert(
      fc.property(
        fc.array(event, { maxLength: 6 }),
        fc.constantFrom('', 'data: [DONE]\n\n', 'data: [DONE]\n\ndata: [DONE]\n\n'),
        fc.constantFrom('\n', '\r\n', '\r'),
        fc.integer({ min: 1, max: 400 }),
        (events, end, lineEnd, pieceBytes) => {
          const stream = `${events.join('')}${end}`.replaceAll('\n', lineEnd);
          const tap = tapped(Buffer.from(stream), pieceBytes);
          const { content, done, usage: counted, error } = naive(stream);
          expect([tap.contentEvents, tap.done, tap.error?.message ?? null]).toEqual([content, done, error]);
          const promptTokens = (counted as { prompt_tokens: number } | null)?.prompt_tokens;
          expect(tap.usage?.promptTokens).toBe(promptTokens);
        },
      ),
      { seed: 9, numRuns: 2000 },
    );
  });
});

describe('AnswerTap on JSON bodies', () => {
  const body = (usage: unknown): Buffer =>
    Buffer.from(
      JSON.stringify({ choices: [{ message: { content: 'say "usage": {} ' } }], usage, prompt_token_ids: [1, 2] }),
    );

  it('finds the usage wherever the body is cut', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 40 }), (sizes) => {
        const tap = new AnswerTap(null);
        const bytes = body(USAGE);
        for (let at = 0, i = 0; at < bytes.length; i++) {
          const size = sizes[i % sizes.length]!;
          tap.json(bytes.subarray(at, at + size));
          at += size;
        }
        expect(tap.usage).toEqual(expected);
      }),
      { seed: 11, numRuns: 300 },
    );
  });

  it('has none when the body has none', () => {
    for (const usage of [null, undefined, {}, 'x']) {
      const tap = new AnswerTap(null);
      tap.json(body(usage));
      expect(tap.usage).toBeNull();
    }
  });

  it('gives up on an object that never ends, and reads a later one', () => {
    const tap = new AnswerTap(null);
    tap.json(Buffer.from(`{"usage":{"x":"${'y'.repeat(5000)}`));
    tap.json(Buffer.from(`"},"usage":${JSON.stringify(USAGE)}}`));
    expect(tap.usage).toEqual(expected);
  });
});
