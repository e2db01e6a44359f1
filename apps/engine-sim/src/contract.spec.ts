import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { rawRequest } from './testing/raw-http.ts';
import type { RawAnswer } from './testing/raw-http.ts';
import { closeSimulators, simulatorWith } from './testing/simulators.ts';
import type { RunningSimulator } from './start-simulator.ts';

interface Case {
  name: string;
  method: string;
  path: string;
  headers: Record<string, string>;
  body: string | null;
  repeat?: { prompt?: [token: number, times: number]; content?: [text: string, times: number] };
  status: number;
  contentType: string | null;
  allow: string | null;
  answer?: string;
  chunks?: string[];
}

const { cases } = JSON.parse(readFileSync(new URL('../testdata/http.json', import.meta.url), 'utf8')) as {
  cases: Case[];
};
const caseOf = (name: string): Case => cases.find((one) => one.name === name)!;

function bodyOf({ body, repeat }: Case): string | null {
  if (repeat?.prompt) return JSON.stringify({ model: 'tiny', prompt: Array(repeat.prompt[1]).fill(repeat.prompt[0]) });
  if (repeat?.content) {
    const content = repeat.content[0].repeat(repeat.content[1]);
    return JSON.stringify({ model: 'tiny', messages: [{ role: 'user', content }] });
  }
  return body;
}

let plain: RunningSimulator;
let ranks: RunningSimulator;
beforeAll(async () => {
  const shape = ['--speed', '100', '--block-size', '32', '--kv-blocks', '400'];
  const events = ['--kv-events', 'tcp://127.0.0.1:*', '--kv-events-replay', 'tcp://127.0.0.1:*'];
  plain = await simulatorWith(...shape, ...events, '--max-model-len', '8192');
  const keyed = ['--data-parallel-size', '2', '--api-key', 'sk-test', '--lora', 'lora-one'];
  ranks = await simulatorWith(...shape, ...events, ...keyed, '--max-model-len', '4096');
});
afterAll(closeSimulators);

/** Where answers come from: the captured engine or the simulator. */
type Source = (name: string) => Promise<RawAnswer>;

const captured: Source = (name) => {
  const { status, contentType, allow, answer, chunks } = caseOf(name);
  return Promise.resolve({
    status,
    contentType,
    allow,
    body: chunks === undefined ? answer! : chunks.join(''),
    chunks: chunks ?? null,
  });
};
const simulated: Source = (name) => {
  const one = caseOf(name);
  return rawRequest(name.startsWith('dp2-') ? ranks.url : plain.url, { ...one, body: bodyOf(one) });
};

/** A JSON value with every string, number and boolean replaced by its type; keys keep their order. */
function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.length === 0 ? [] : [shapeOf(value[0])];
  if (typeof value !== 'object' || value === null) return value === null ? null : typeof value;
  return Object.entries(value).map(([key, field]) => [key, shapeOf(field)]);
}

const events = (answer: RawAnswer): string[] => answer.chunks!.map((chunk) => /^data: (.*)\n\n$/s.exec(chunk)![1]!);

describe.each([
  ['vLLM 0.32.0, captured', captured],
  ['the simulator', simulated],
])('%s', (_name, ask) => {
  it.each([
    ['err-empty-body', 400, 'Bad Request', 'body'],
    ['err-malformed-json', 400, 'Bad Request', 'body.31'],
    ['err-not-json-content-type', 400, 'Bad Request', null],
    ['err-no-messages', 400, 'Bad Request', 'body.messages'],
    ['err-messages-wrong-type', 400, 'Bad Request', 'body.messages'],
    ['err-max-tokens-string', 400, 'Bad Request', 'body.max_tokens'],
    ['err-empty-messages', 400, 'BadRequestError', null],
    ['err-empty-prompt', 400, 'BadRequestError', 'prompt'],
    ['err-negative-max-tokens', 400, 'BadRequestError', 'max_tokens'],
    ['err-zero-max-tokens', 400, 'BadRequestError', 'max_tokens'],
    ['err-temperature-negative', 400, 'BadRequestError', 'temperature'],
    ['err-top_p-2', 400, 'BadRequestError', 'top_p'],
    ['err-n-zero', 400, 'BadRequestError', null],
    ['err-n2-greedy', 400, 'BadRequestError', null],
    ['err-prompt-too-long', 400, 'BadRequestError', 'input_tokens'],
    ['err-completions-too-long', 400, 'BadRequestError', 'input_tokens'],
    ['err-stream-options-without-stream', 400, 'BadRequestError', 'stream_options'],
    ['err-unknown-model', 404, 'NotFoundError', 'model'],
    ['err-unknown-model-stream', 404, 'NotFoundError', 'model'],
  ])('answers %s with %i %s', async (name, status, type, param) => {
    const answer = await ask(name);
    expect(answer).toMatchObject({ status, contentType: 'application/json', chunks: null });
    expect(JSON.parse(answer.body)).toEqual({ error: { message: expect.any(String), type, param, code: status } });
  });

  it.each([
    ['chat-stream', ['role', '1', '2', '3', '4', '5', 'end']],
    ['chat-stream-usage', ['role', '1', '2', '3', '4', '5', 'end', 'usage']],
    ['chat-max-tokens-1-stream', ['role', 'end', 'usage']],
    ['completions-stream', ['1', '2', '3', '4', '5', 'end']],
    ['completions-stream-usage', ['1', '2', '3', '4', '5', 'end', 'usage']],
  ])('streams %s as one event a chunk, closed by [DONE]', async (name, parts) => {
    const answer = await ask(name);
    expect(answer).toMatchObject({ status: 200, contentType: 'text/event-stream; charset=utf-8' });
    const data = events(answer);
    expect(data).toHaveLength(parts.length + 1);
    expect(data.at(-1)).toBe('[DONE]');
    const chunks = data.slice(0, -1).map((text) => JSON.parse(text) as Record<string, unknown>);
    expect(new Set(chunks.map(({ id, created, model }) => `${id} ${created} ${model}`)).size).toBe(1);
    chunks.forEach((chunk, i) => {
      const [choice] = chunk['choices'] as { finish_reason: unknown; delta?: unknown }[];
      if (parts[i] === 'usage') expect(choice).toBeUndefined();
      else expect(choice!.finish_reason).toBe(parts[i] === 'end' ? 'length' : null);
      if (parts[i] === 'role') expect(choice!.delta).toEqual({ role: 'assistant', content: '' });
      expect('usage' in chunk).toBe(parts[i] === 'usage');
      // the last chunk of a stream names the engine's build
      expect('system_fingerprint' in chunk).toBe(i === chunks.length - 1);
    });
  });

  it('counts tokens in usage, whole and streamed alike', async () => {
    const whole = JSON.parse((await ask('chat-plain')).body) as { usage: Record<string, number> };
    const last = JSON.parse(events(await ask('chat-stream-usage')).at(-2)!) as { usage: Record<string, number> };
    const { prompt_tokens: prompt, completion_tokens: completion, total_tokens: total } = whole.usage;
    expect(completion).toBe(6);
    expect(total).toBe(prompt! + completion!);
    expect(last.usage).toMatchObject({ prompt_tokens: prompt, completion_tokens: 6, total_tokens: total });
  });

  it('takes the request id of the client, unknown fields and unknown roles', async () => {
    expect(JSON.parse((await ask('chat-xrequestid')).body)).toMatchObject({ id: 'chatcmpl-abc-123' });
    for (const name of ['ok-unknown-extra-field', 'ok-priority-field', 'err-bad-role']) {
      expect((await ask(name)).status).toBe(200);
    }
  });

  it('guards /v1 with the key, and nothing else', async () => {
    for (const name of ['dp2-err-no-api-key', 'dp2-err-wrong-api-key']) {
      expect(await ask(name)).toMatchObject({ status: 401, body: '{"error":"Unauthorized"}' });
    }
    for (const name of ['dp2-ok-no-key-health', 'dp2-no-key-kv-event-sources']) {
      expect((await ask(name)).status).toBe(200);
    }
    expect((await ask('dp2-get-models')).status).toBe(200);
  });

  it('lists an adapter below its base model', async () => {
    const { data } = JSON.parse((await ask('dp2-get-models')).body) as {
      data: { id: string; parent: string | null }[];
    };
    expect(data.map(({ id, parent }) => [id, parent])).toEqual([
      ['tiny', null],
      ['lora-one', 'tiny'],
    ]);
    expect(JSON.parse((await ask('dp2-lora-first')).body)).toMatchObject({ model: 'lora-one' });
  });
});

describe('the simulator beside the capture', () => {
  it.each(
    cases
      .map(({ name }) => name)
      .filter((name) => /^(dp2-)?err-(?!bad-role)/.test(name))
      .concat('get-health', 'get-ping', 'get-nope', 'get-version', 'get-load', 'get-v1_chat_completions', 'dp2-reset'),
  )('gives the very answer of %s', async (name) => {
    expect(await simulated(name)).toEqual(await captured(name));
  });

  it.each([
    'chat-plain',
    'chat-return-token-ids',
    'completions-plain',
    'get-v1_models',
    'dp2-get-models',
    'get-kv_event_sources',
    'dp2-no-key-kv-event-sources',
    'tokenize-chat',
    'tokenize-prompt',
  ])('gives %s with the same fields in the same order', async (name) => {
    const [theirs, ours] = [await captured(name), await simulated(name)];
    expect([ours.status, ours.contentType]).toEqual([theirs.status, theirs.contentType]);
    expect(shapeOf(JSON.parse(ours.body))).toEqual(shapeOf(JSON.parse(theirs.body)));
  });

  it.each([
    'chat-stream',
    'chat-stream-usage',
    'chat-stream-usage-continuous',
    'chat-stream-return-token-ids',
    'completions-stream',
    'completions-stream-usage',
  ])('streams %s with the same fields in the same order', async (name) => {
    const shapes = (answer: RawAnswer): unknown[] =>
      events(answer).map((data) => (data === '[DONE]' ? data : shapeOf(JSON.parse(data))));
    expect(shapes(await simulated(name))).toEqual(shapes(await captured(name)));
  });

  it('leaves the generation prompt out of /tokenize when asked to', async () => {
    const count = async (name: string): Promise<number> =>
      (JSON.parse((await simulated(name)).body) as { count: number }).count;
    expect(await count('tokenize-chat-no-generation-prompt')).toBeLessThan(await count('tokenize-chat'));
  });
});
