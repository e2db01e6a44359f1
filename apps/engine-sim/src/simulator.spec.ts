import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { rawRequest } from './testing/raw-http.ts';
import type { RawAnswer } from './testing/raw-http.ts';
import { closeSimulators, simulatorWith, until } from './testing/simulators.ts';
import type { RunningSimulator } from './start-simulator.ts';

interface Whole {
  choices: { text: string; finish_reason: string; stop_reason: string | null; token_ids: number[] | null }[];
  usage: { prompt_tokens: number; completion_tokens: number; prompt_tokens_details: { cached_tokens: number } };
}

const post = (url: string, path: string, body: object, headers: Record<string, string> = {}): Promise<RawAnswer> =>
  rawRequest(url, {
    method: 'POST',
    path,
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
const range = (first: number, count: number): number[] => Array.from({ length: count }, (_, i) => first + i);

let fast: RunningSimulator;
const complete = async (body: object, headers?: Record<string, string>, url = fast.url): Promise<Whole> => {
  const answer = await post(url, '/v1/completions', body, headers);
  expect(answer.status).toBe(200);
  return JSON.parse(answer.body) as Whole;
};

beforeAll(async () => {
  fast = await simulatorWith('--speed', '200');
});
afterAll(closeSimulators);

describe('without prefix caching', () => {
  it('nothing is found again, and metrics say so', async () => {
    const off = await simulatorWith('--speed', '200', '--no-enable-prefix-caching');
    const cached = async (url: string): Promise<number> =>
      (await complete({ prompt: range(0, 200), max_tokens: 1 }, {}, url)).usage.prompt_tokens_details.cached_tokens;
    expect([await cached(fast.url), await cached(fast.url)]).toEqual([0, 192]);
    expect([await cached(off.url), await cached(off.url)]).toEqual([0, 0]);
    const metrics = await rawRequest(off.url, { method: 'GET', path: '/metrics' });
    expect(metrics.body).toContain('enable_prefix_caching="False"');
  });
});

describe('answers', () => {
  it('are the same for the same prompt and seed, and others for another', async () => {
    const text = async (body: object): Promise<string> => (await complete(body)).choices[0]!.text;
    const prompt = 'Tell me about rivers.';
    expect(await text({ prompt, max_tokens: 30 })).toBe(await text({ prompt, max_tokens: 30 }));
    expect(await text({ prompt, max_tokens: 30 })).not.toBe(await text({ prompt: 'And lakes?', max_tokens: 30 }));
    expect(await text({ prompt, max_tokens: 30 })).not.toBe(await text({ prompt, max_tokens: 30, seed: 7 }));
  });

  it('end by themselves when a chat names no limit, and never when told to ignore the end', async () => {
    const messages = [{ role: 'user', content: 'Hello there' }];
    const chat = async (more: object): Promise<Whole> =>
      JSON.parse((await post(fast.url, '/v1/chat/completions', { messages, ...more })).body) as Whole;
    const natural = await chat({});
    expect(natural.choices[0]!.finish_reason).toBe('stop');
    const tokens = natural.usage.completion_tokens;
    expect((await chat({ min_tokens: tokens + 5 })).usage.completion_tokens).toBe(tokens + 6);
    const endless = await chat({ ignore_eos: true, max_completion_tokens: tokens + 40 });
    expect(endless.usage.completion_tokens).toBe(tokens + 40);
    expect(endless.choices[0]!.finish_reason).toBe('length');
  });

  it('have exactly as many tokens as asked for, clamped to the context', async () => {
    const small = await simulatorWith('--speed', '200', '--max-model-len', '64');
    const { usage, choices } = await complete({ prompt: range(0, 50), max_tokens: 5000 }, {}, small.url);
    expect([usage.completion_tokens, choices[0]!.finish_reason]).toEqual([14, 'length']);
    const full = await post(small.url, '/v1/completions', { prompt: range(0, 64), max_tokens: 1 });
    expect(JSON.parse(full.body)).toMatchObject({ error: { param: 'max_tokens', code: 400 } });
  });

  it('stop before a stop string, streamed or not, and free the engine', async () => {
    const prompt = 'Tell me about rivers.';
    const { text } = (await complete({ prompt, max_tokens: 40 })).choices[0]!;
    const stop = text.slice(60, 66);
    const expected = text.slice(0, text.indexOf(stop));
    const whole = await complete({ prompt, max_tokens: 40, stop });
    expect(whole.choices[0]).toMatchObject({ text: expected, finish_reason: 'stop', stop_reason: stop });
    const streamed = await post(fast.url, '/v1/completions', { prompt, max_tokens: 40, stop: [stop], stream: true });
    const data = streamed.chunks!.map((chunk) => chunk.slice('data: '.length).trim());
    expect(data.pop()).toBe('[DONE]');
    const pieces = data.map((chunk) => (JSON.parse(chunk) as Whole).choices[0]!);
    expect(pieces.map((piece) => piece.text).join('')).toBe(expected);
    expect(pieces.at(-1)).toMatchObject({ finish_reason: 'stop', stop_reason: stop });
    const metrics = (await rawRequest(fast.url, { method: 'GET', path: '/metrics' })).body;
    expect(metrics).toContain('vllm:num_requests_running{engine="0",model_name="tiny"} 0.0');
  });

  it('come back through /tokenize and /detokenize unchanged', async () => {
    const text = '<|im_start|>user\nGrüße, 世界 🙂<|im_end|>\n';
    const { tokens, count } = JSON.parse((await post(fast.url, '/tokenize', { prompt: text })).body) as {
      tokens: number[];
      count: number;
    };
    expect(count).toBe(tokens.length);
    expect(JSON.parse((await post(fast.url, '/detokenize', { tokens })).body)).toEqual({ prompt: text });
  });

  it('refuse what is not simulated in one clear line', async () => {
    const errors = await Promise.all(
      [
        { prompt: 'x', n: 2, temperature: 1 },
        { prompt: ['a', 'b'] },
        { prompt: 'x', logprobs: 3 },
        { prompt: 'x', echo: true },
      ].map(
        async (body) =>
          JSON.parse((await post(fast.url, '/v1/completions', body)).body) as { error: { message: string } },
      ),
    );
    for (const { error } of errors) expect(error.message).toMatch(/simulator/);
  });
});

describe('the prefix cache behind HTTP', () => {
  it('reports what it found, per rank and per salt', async () => {
    const ranks = await simulatorWith('--speed', '200', '--data-parallel-size', '2');
    const prompt = range(0, 100);
    const cached = async (rank: string, more: object = {}): Promise<number> => {
      const body = { prompt, max_tokens: 1, ...more };
      const { usage } = await complete(body, { 'x-data-parallel-rank': rank }, ranks.url);
      return usage.prompt_tokens_details.cached_tokens;
    };
    expect([await cached('0'), await cached('0'), await cached('1'), await cached('1')]).toEqual([0, 96, 0, 96]);
    expect([await cached('0', { cache_salt: 'a' }), await cached('0', { cache_salt: 'a' })]).toEqual([0, 96]);
    expect((await post(ranks.url, '/reset_prefix_cache', {})).body).toBe('{"success":true}');
    expect([await cached('0'), await cached('1')]).toEqual([0, 0]);
  });

  it('gives ranks their turns when the client names none', async () => {
    const ranks = await simulatorWith('--speed', '200', '--data-parallel-size', '2');
    for (let i = 0; i < 4; i++) await complete({ prompt: range(1000 * i, 20), max_tokens: 1 }, {}, ranks.url);
    const { body } = await rawRequest(ranks.url, { method: 'GET', path: '/metrics' });
    for (const engine of [0, 1]) {
      expect(body).toContain(`vllm:prompt_tokens_total{engine="${engine}",model_name="tiny"} 40.0`);
    }
  });
});

describe('an engine that is told to stop', () => {
  it('refuses new connections and ends open requests with the error of a dead engine', async () => {
    const slow = await simulatorWith();
    const body = { prompt: range(0, 20), max_tokens: 4000 };
    const streamed = post(slow.url, '/v1/completions', { ...body, stream: true });
    const whole = post(slow.url, '/v1/completions', body);
    await until(async () => {
      const { body: page } = await rawRequest(slow.url, { method: 'GET', path: '/metrics' });
      return /generation_tokens_total\{[^}]*\} [1-9]\d/.test(page);
    });
    await slow.close();
    await expect(rawRequest(slow.url, { method: 'GET', path: '/health' })).rejects.toThrow('ECONNREFUSED');
    const error = {
      message: 'EngineCore encountered an issue. See stack trace (above) for the root cause.',
      type: 'InternalServerError',
      param: null,
      code: 500,
    };
    const chunks = (await streamed).chunks!;
    expect(chunks.at(-1)).toBe('data: [DONE]\n\n');
    // byte for byte what the captured engine sent when its core was killed
    expect(chunks.at(-2)).toBe(
      'data: {"error": {"message": "EngineCore encountered an issue. See stack trace (above) for the root cause.", "type": "InternalServerError", "param": null, "code": 500}}\n\n',
    );
    expect((await whole).status).toBe(500);
    expect(JSON.parse((await whole).body)).toEqual({ error });
  });

  it('lets open requests finish when it is given time', async () => {
    const patient = await simulatorWith('--speed', '20', '--shutdown-timeout', '5');
    const answer = post(patient.url, '/v1/completions', { prompt: range(0, 20), max_tokens: 200 });
    await until(async () => (await rawRequest(patient.url, { method: 'GET', path: '/load' })).body.includes(':1}'));
    await patient.close();
    expect((await answer).status).toBe(200);
  });
});
