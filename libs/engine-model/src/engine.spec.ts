import { describe, expect, it } from '@jest/globals';
import { createEngine } from './engine.ts';
import type { Engine, EngineRequest } from './engine-api.ts';
import { PROFILE_IDS, PROFILES } from './profiles.ts';
import { apiTimeMs, stepTimeMs } from './step-time.ts';

const profile = PROFILES['qwen3-32b-tp2-h100'];

const request = (
  first: number,
  promptTokens: number,
  maxTokens: number,
  more: Partial<EngineRequest> = {},
): EngineRequest => ({
  promptTokens: Uint32Array.from({ length: promptTokens }, (_, i) => first + i),
  maxTokens,
  stopToken: null,
  loraName: null,
  cacheSalt: null,
  nextToken: (index) => first + 900_000 + index,
  ...more,
});

/** Runs until nothing is left and returns the end of each request's first step with a token, in milliseconds. */
function firstTokens(engine: Engine<EngineRequest>, requests: readonly EngineRequest[], nowMs: number): number[] {
  const firstMs = new Map<EngineRequest, number>();
  for (const one of requests) engine.submit(one, nowMs);
  for (let result = engine.step(nowMs); result !== null; result = engine.step(nowMs)) {
    nowMs += result.durationMs;
    for (const one of result.requests) if (!firstMs.has(one)) firstMs.set(one, nowMs);
  }
  return requests.map((one) => firstMs.get(one)!);
}

describe('step time', () => {
  it('is the formula: Qwen3-32B prefills 8,192 tokens in half a second, and decodes at the weight floor', () => {
    const prefill = { batchTokens: 8192, prefillPairs: 8192 * 4096, decodeContextTokens: 0, sequences: 1 };
    expect(stepTimeMs(profile.step, prefill)).toBeCloseTo(2.2 + 0.053 * 8192 + 0.88e-6 * 8192 * 4096 + 0.005, 9);
    const decode = { batchTokens: 32, prefillPairs: 0, decodeContextTokens: 32 * 8000, sequences: 32 };
    expect(stepTimeMs(profile.step, decode)).toBeCloseTo(2.2 + 12.3 + 0.046e-3 * 256_000 + 0.16, 9);
  });

  it('reaches the prefill rates that were published', () => {
    const rate = (id: (typeof PROFILE_IDS)[number]): number => {
      const work = { batchTokens: 8192, prefillPairs: 8192 * 4096, decodeContextTokens: 0, sequences: 1 };
      return (8192 / stepTimeMs(PROFILES[id].step, work)) * 1000;
    };
    expect(rate('llama-3.1-8b-h100')).toBeCloseTo(38_000, -3);
    expect(rate('qwen3-32b-tp2-h100')).toBeCloseTo(17_600, -2);
    // 13,300 tokens/s measured, at 16,384 tokens in two steps
    const step70b = PROFILES['llama-3.1-70b-tp4-h100'].step;
    const half = { batchTokens: 8192, decodeContextTokens: 0, sequences: 1 };
    const ms = [4096, 12_288].map((before) => stepTimeMs(step70b, { ...half, prefillPairs: 8192 * before }));
    expect(Math.abs(((16_384 / (ms[0]! + ms[1]!)) * 1000) / 13_300 - 1)).toBeLessThan(0.01);
  });

  it('has the API in front: 15 ms and 12 us a token', () => {
    expect(apiTimeMs(profile.step, 10_000)).toBeCloseTo(135, 9);
  });

  it('holds whole blocks of KV in every profile', () => {
    for (const id of PROFILE_IDS) expect(PROFILES[id].kvTokens % PROFILES[id].blockSize).toBe(0);
  });
});

describe('createEngine', () => {
  it('keeps what output filled in the prefix cache, unless the profile says otherwise', () => {
    const turns = [request(0, 1600, 161), request(0, 1600, 1)] as const;
    // the second prompt goes on with what the first was answered
    const [first, second] = [
      turns[0],
      { ...turns[1], promptTokens: Uint32Array.from({ length: 1776 }, (_, i) => (i < 1600 ? i : 900_000 + i - 1600)) },
    ];
    const cached = (cachesOutput: boolean): number => {
      const engine = createEngine({ profile: { ...profile, cachesOutput } });
      firstTokens(engine, [first], 0);
      const made = engine.submit(second, 1e6);
      engine.step(1e6);
      return made.kind === 'accepted' ? made.progress.cachedTokens : NaN;
    };
    expect([cached(true), cached(false)]).toEqual([1760, 1600]);
  });

  it('makes concurrent prefills contend for the token budget, first come first served', () => {
    const [alone] = firstTokens(createEngine({ profile }), [request(0, 8000, 1)], 0);
    const together = firstTokens(
      createEngine({ profile }),
      [0, 1, 2, 3].map((i) => request(10_000 * i, 8000, 1)),
      0,
    );
    // 32,000 tokens through a budget of 8,192 a step: the last one waits for all before it
    expect(together).toEqual([...together].sort((a, b) => a - b));
    expect(together[0]!).toBeGreaterThanOrEqual(alone!);
    expect(together[3]!).toBeGreaterThan(3.8 * alone!);
  });

  it('lets decodes go on beside a chunked prefill, one token a step', () => {
    const engine = createEngine({ profile, maxBatchTokens: 1024 });
    const decode = request(0, 16, 100);
    const prefill = request(50_000, 5000, 1);
    engine.submit(decode, 0);
    let nowMs = engine.step(0)!.durationMs;
    engine.submit(prefill, nowMs);
    const steps = [];
    for (let i = 0; i < 5; i++) {
      const result = engine.step(nowMs)!;
      nowMs += result.durationMs;
      steps.push({ tokens: result.batchTokens, requests: [...result.requests] });
    }
    expect(steps.map(({ tokens }) => tokens)).toEqual([1024, 1024, 1024, 1024, 5 + 5000 - 4 * 1023 - 4]);
    expect(steps.map(({ requests }) => requests.includes(decode))).toEqual([true, true, true, true, true]);
    expect(steps.map(({ requests }) => requests.includes(prefill))).toEqual([false, false, false, false, true]);
  });

  it('makes a cached prefix cheaper by what it need not compute', () => {
    const engine = createEngine({ profile });
    const [coldMs] = firstTokens(engine, [request(0, 8000, 1)], 0);
    const again = { ...request(0, 8000, 1) };
    const startMs = 10_000;
    const [warmMs] = firstTokens(engine, [again], startMs);
    // 499 of 500 blocks are found (the last token must be computed): 16 tokens remain, below the weight floor
    expect(warmMs! - startMs).toBeCloseTo(2.2 + 12.3 + 0.88e-6 * 16 * (7984 + 8) + 0.005, 9);
    expect(coldMs!).toBeGreaterThan(400);
  });

  it('shares blocks within one step: an equal prompt behind the first one computes only its last block', () => {
    const engine = createEngine({ profile });
    const first = request(0, 1600, 1);
    const second = { ...request(0, 1600, 1) };
    const submissions = [engine.submit(first, 0), engine.submit(second, 0)];
    expect(engine.step(0)!.batchTokens).toBe(1600 + 16);
    expect(submissions.map((s) => s.kind === 'accepted' && s.progress.cachedTokens)).toEqual([0, 1584]);
  });

  it('keeps prefixes of other salts and adapters apart', () => {
    const engine = createEngine({ profile });
    const cached = (more: Partial<EngineRequest>, startMs: number): number => {
      const submission = engine.submit(request(0, 320, 1, more), startMs);
      for (let nowMs = startMs, r = engine.step(nowMs); r !== null; r = engine.step(nowMs)) nowMs += r.durationMs;
      return submission.kind === 'accepted' ? submission.progress.cachedTokens : -1;
    };
    const hits = [{}, { cacheSalt: 'a' }, { cacheSalt: 'b' }, { loraName: 'a' }, { cacheSalt: 'a' }, {}].map(
      (more, i) => cached(more, 1000 * i),
    );
    expect(hits).toEqual([0, 0, 0, 0, 304, 304]);
  });

  it('frees the blocks of an aborted request at once, waiting or running', () => {
    const engine = createEngine({ profile, kvBlocks: 101 });
    const running = request(0, 800, 10);
    const waiting = request(5000, 1500, 10);
    engine.submit(running, 0);
    engine.submit(waiting, 0);
    const { durationMs } = engine.step(0)!;
    expect(engine.stats()).toMatchObject({ runningRequests: 1, waitingRequests: 1, usedBlocks: 50 });
    expect(engine.abort(running)).toBe(true);
    expect(engine.stats()).toMatchObject({ runningRequests: 0, waitingRequests: 1, usedBlocks: 0 });
    expect(engine.abort(running)).toBe(false);
    expect(engine.abort(waiting)).toBe(true);
    expect(engine.hasWork()).toBe(false);
    expect(engine.step(durationMs)).toBeNull();
  });

  it('preempts the request that came last and computes it again, without losing a token', () => {
    const engine = createEngine({ profile, blockSize: 4, kvBlocks: 11 });
    const first = request(0, 15, 20);
    const last = request(1000, 15, 20);
    const outputs = new Map<EngineRequest, number[]>([
      [first, []],
      [last, []],
    ]);
    const order: EngineRequest[] = [];
    engine.submit(first, 0);
    engine.submit(last, 0);
    for (let nowMs = 0, result = engine.step(nowMs); result !== null; result = engine.step(nowMs)) {
      nowMs += result.durationMs;
      result.requests.forEach((one, i) => {
        outputs.get(one)!.push(result!.tokens[i]!);
        if (result!.finished[i] !== null) order.push(one);
      });
    }
    expect(engine.stats().preemptions).toBeGreaterThan(0);
    expect(order).toEqual([first, last]);
    for (const one of [first, last]) {
      expect(outputs.get(one)).toEqual(Array.from({ length: 20 }, (_, i) => one.nextToken(i)));
    }
  });

  it('refuses a request that could never fit, and a clear while blocks are in use', () => {
    const engine = createEngine({ profile, kvBlocks: 11 });
    expect(engine.submit(request(0, 150, 11), 0)).toEqual({
      kind: 'rejected',
      reason: 'exceeds-kv-capacity',
      capacityTokens: 160,
    });
    const running = request(0, 32, 5);
    engine.submit(running, 0);
    const { durationMs } = engine.step(0)!;
    expect(engine.resetPrefixCache()).toBe(false);
    engine.abort(running);
    expect(engine.resetPrefixCache()).toBe(true);
    engine.submit(request(0, 32, 5), durationMs);
    expect(engine.step(durationMs)!.events.map(({ kind }) => kind)).toEqual(['cleared', 'stored']);
  });

  it('rejects time that runs backwards and sizes that make no engine', () => {
    const engine = createEngine({ profile });
    engine.submit(request(0, 32, 5), 0);
    engine.step(100);
    expect(() => engine.step(101)).toThrow(RangeError);
    expect(() => createEngine({ profile, kvBlocks: 1 })).toThrow(RangeError);
    expect(() => createEngine({ profile, blockSize: 0.5 })).toThrow(RangeError);
  });
});
