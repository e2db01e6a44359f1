import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { rawRequest } from '../testing/raw-http.ts';
import { closeSimulators, simulatorWith } from '../testing/simulators.ts';
import type { RunningSimulator } from '../start-simulator.ts';

let simulator: RunningSimulator;
beforeAll(async () => {
  simulator = await simulatorWith('--speed', '200');
});
afterAll(closeSimulators);

const CHAT = '/v1/chat/completions';
const COMPLETION = '/v1/completions';
const messages = [{ role: 'user', content: 'Hello' }];
const cases: [path: string, body: object, param: string | null][] = [
  [CHAT, { messages: null }, 'body.messages'],
  [CHAT, { messages: [null] }, 'body.messages.0'],
  [CHAT, { messages: [{}] }, null],
  [CHAT, { messages: [{ role: 'user', content: 5 }] }, null],
  [CHAT, { messages: [{ role: 'user', content: [{ type: 'text', text: 5 }] }] }, null],
  [CHAT, { messages, model: 5 }, 'body.model'],
  [CHAT, { messages, tools: {} }, 'body.tools'],
  [CHAT, { messages, tools: [null] }, null],
  [CHAT, { messages, stop: [5] }, 'body.stop'],
  [CHAT, { messages, stream: {} }, 'body.stream'],
  [CHAT, { messages, stream: true, stream_options: 5 }, 'body.stream_options'],
  [CHAT, { messages, max_tokens: {} }, 'body.max_tokens'],
  [CHAT, { messages, temperature: [] }, 'body.temperature'],
  [CHAT, { messages, cache_salt: 5 }, 'body.cache_salt'],
  [COMPLETION, { prompt: null }, 'prompt'],
  [COMPLETION, { prompt: {} }, 'prompt'],
  [COMPLETION, { prompt: [1, null] }, 'prompt'],
  [COMPLETION, { prompt: 'Hello', logprobs: 'few' }, 'body.logprobs'],
  ['/tokenize', { messages: null }, 'body.messages'],
  ['/tokenize', { messages: [null] }, null],
  ['/tokenize', { prompt: 5 }, 'body.prompt'],
  ['/detokenize', { tokens: null }, 'body.tokens'],
  ['/detokenize', { tokens: [null] }, null],
];

describe('fields of a wrong type', () => {
  it.each(cases)('%s answers %j with 400', async (path, body, param) => {
    const headers = { 'content-type': 'application/json' };
    const answer = await rawRequest(simulator.url, { method: 'POST', path, headers, body: JSON.stringify(body) });
    expect(answer.status).toBe(400);
    expect(JSON.parse(answer.body)).toEqual({
      error: { message: expect.any(String), type: expect.stringMatching(/^Bad ?Request/), param, code: 400 },
    });
  });

  it('complains of null for messages as of any other value that is no list', async () => {
    const headers = { 'content-type': 'application/json' };
    const body = '{"messages":null}';
    const answer = await rawRequest(simulator.url, { method: 'POST', path: CHAT, headers, body });
    expect(JSON.parse(answer.body)).toMatchObject({
      error: {
        message:
          "1 validation error:\n  {'type': 'list_type', 'loc': 'body.messages', 'msg': 'Input should be a valid list', 'input': 'None'}",
      },
    });
  });
});
