import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { post, type Sim, Sluice, syntheticText, waitFor } from '@sluice/testkit';
import { FakeEngine, halfAnEventThenDie } from './fake-engine.ts';
import { chatUrl, env, MODEL, poolOf, startSims, stopSims, sumMetric } from './setup.ts';

interface ErrorBody {
  readonly error: { readonly message: string; readonly type: string; readonly code: number | string | null };
}

describe('bad input and broken peers, through the whole system', () => {
  let sims: Sim[] = [];
  let broken: FakeEngine;
  let sluice: Sluice;
  const hello = { model: MODEL, messages: [{ role: 'user', content: 'hello' }] };

  beforeAll(async () => {
    sims = await startSims(2, { profile: 'llama-3.1-8b-h100' });
    broken = await FakeEngine.start(halfAnEventThenDie);
    const pools = [
      poolOf(sims),
      {
        id: 'broken',
        models: ['broken'],
        tokenizer: null,
        engines: [{ id: 'broken-1', url: broken.url, kvEvents: null }],
      },
    ];
    sluice = await Sluice.start({ pools, services: false, env });
  }, 120_000);

  afterAll(async () => {
    await sluice?.stop();
    await stopSims(sims);
    await broken?.stop();
  }, 60_000);

  const refused = async (body: unknown): Promise<{ status: number } & ErrorBody['error']> => {
    const answer = await post(chatUrl(sluice), body);
    return { status: answer.status, ...(JSON.parse(answer.text) as ErrorBody).error };
  };

  it('malformed JSON: 400 with an OpenAI error object', async () => {
    expect(await refused('{"model": "sim", "messages": [')).toMatchObject({
      status: 400,
      code: 400,
      type: expect.stringMatching(/bad ?request/i),
    });
    expect(await refused('[1, 2]')).toMatchObject({ status: 400, code: 400 });
  });

  it('unknown model: 404 that names the models there are', async () => {
    const error = await refused({ ...hello, model: 'gpt-nope' });
    expect(error).toMatchObject({ status: 404, code: 404 });
    expect(error.message).toContain('gpt-nope');
    expect(error.message).toContain(MODEL);
  });

  it('a body over the limit: 413, without reading 10 MB', async () => {
    expect(
      await refused({ ...hello, messages: [{ role: 'user', content: 'x'.repeat(10 * 1024 * 1024) }] }),
    ).toMatchObject({ status: 413, code: 413 });
  });

  it("negative max_tokens: the engine's own 400", async () => {
    expect(await refused({ ...hello, max_tokens: -1 })).toMatchObject({
      status: 400,
      code: 400,
      message: expect.stringContaining('max_tokens'),
    });
  });

  it('a client that hangs up in mid-stream ends the request at the engine', async () => {
    const urls = sims.map((sim) => sim.url);
    const gone = new AbortController();
    const response = await fetch(chatUrl(sluice), {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ ...hello, stream: true, max_tokens: 20_000, ignore_eos: true }),
      signal: gone.signal,
    });
    const reader = response.body!.getReader();
    await reader.read();
    expect(await sumMetric(urls, 'vllm:num_requests_running')).toBe(1);
    gone.abort();
    await reader.read().catch(() => null);
    await waitFor('engine free again', 3000, async () => (await sumMetric(urls, 'vllm:num_requests_running')) === 0);
  });

  it('an engine that sends half an event and dies: a clean error event ends the stream', async () => {
    const answer = await post(chatUrl(sluice), { ...hello, model: 'broken', stream: true });
    expect(answer.status).toBe(200);
    expect(answer.complete).toBe(false);
    const events = answer.text.split('\n\n').filter((event) => event.startsWith('data:'));
    const last = JSON.parse(events.at(-1)!.slice(5)) as ErrorBody;
    expect(last.error).toMatchObject({
      code: expect.anything(),
      message: expect.any(String),
      type: expect.any(String),
    });
    for (const event of events.slice(0, -1)) expect(() => JSON.parse(event.slice(5)) as unknown).not.toThrow();
  });

  it('nothing leaks: in-flight counts are zero after all of it and after a burst of hang-ups', async () => {
    await Promise.all(
      Array.from({ length: 30 }, (_, i) => {
        const gone = new AbortController();
        setTimeout(() => gone.abort(), 5 + i * 7);
        return post(
          chatUrl(sluice),
          { ...hello, messages: [{ role: 'user', content: syntheticText(i, 500) }], stream: true, max_tokens: 500 },
          { signal: gone.signal },
        );
      }),
    );
    await waitFor('ledger at zero', 5000, async () => {
      const { workers } = await sluice.getAdmin<{ workers: { inflightRequests: number }[] }>('router', '/workers');
      return workers.length === 3 && workers.every((worker) => worker.inflightRequests === 0);
    });
    await waitFor(
      'engines idle',
      5000,
      async () =>
        (await sumMetric(
          sims.map((sim) => sim.url),
          'vllm:num_requests_running',
        )) === 0,
    );
  });
});
