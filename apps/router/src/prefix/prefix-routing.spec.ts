import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { kvDeltas, KvBatchWriter, KvFlag, kvResync, kvSnapshot, routeOutcome } from '@sluice/contracts';
import type { PayloadOf, ReplyOf } from '@sluice/contracts';
import { rootKey, spanKey } from '@sluice/model';
import type { PrefixRoot } from '@sluice/model';
import { chatEvents, streamPieces, until } from '@sluice/upstream/testing';
import { writeByteTokenizer } from '../testing/byte-tokenizer.ts';
import { chat, pool, send, settableFleet, startRouter, startWorkerEngine, worker } from '../testing/harness.ts';
import type { Answer, TestRouter, WorkerEngine } from '../testing/harness.ts';

const BLOCK = 16;
const kvEvents = { mode: 'connect', endpoint: 'tcp://127.0.0.1:1', replayEndpoint: null, topic: '' } as const;

let tokenizer: Awaited<ReturnType<typeof writeByteTokenizer>>;
let engines: WorkerEngine[];
let router: TestRouter;
let outcomes: PayloadOf<typeof routeOutcome>[];

/** Blocks of `text` as the bridge publishes them, with a byte a token. */
function storeBlocks(writer: KvBatchWriter, root: PrefixRoot, text: string): void {
  const bytes = Buffer.from(text);
  const key = new Uint32Array(2);
  rootKey(root, key);
  for (let at = 0; at + BLOCK <= bytes.length; at += BLOCK) {
    const [parentHi, parentLo] = [key[0]!, key[1]!];
    spanKey(parentHi, parentLo, bytes, at, at + BLOCK, key);
    writer.store(0, key[0]!, key[1]!, parentHi, parentLo, BLOCK, BLOCK);
  }
}
const base: PrefixRoot = { pool: 'tiny', lora: null, salt: null };

function batch(seq: number, texts: readonly [PrefixRoot, string][], epoch = 1): Uint8Array {
  const writer = new KvBatchWriter();
  for (const [root, text] of texts) storeBlocks(writer, root, text);
  return writer.finish({ flags: seq === 0 ? KvFlag.BEGIN : 0, epoch, seq, engineTimeMs: 0 });
}
const publish = (id: string, bytes: Uint8Array): void => router.bus.append(kvDeltas, ['tiny', id], bytes);

interface Decision {
  readonly worker: string;
  readonly promptTokens: number;
  readonly exactPrompt: boolean;
  readonly candidates: readonly { worker: string; cachedTokens: number; predictedTtftMs: number | null }[];
  readonly outcome: { result: string; cachedTokens: number | null } | null;
}
const decisionOf = (answer: Answer): Decision =>
  router.service.decision(String(answer.headers['x-sluice-decision-id'])) as unknown as Decision;
const cachedBy = (decision: Decision): Record<string, number> =>
  Object.fromEntries(decision.candidates.map(({ worker: id, cachedTokens }) => [id, cachedTokens]));

const start = async (withTokenizer = true): Promise<void> => {
  const fleet = settableFleet({
    pools: [
      pool('tiny', {
        models: ['tiny', 'lora-one'],
        loras: ['lora-one'],
        tokenizer: withTokenizer ? tokenizer.dir : null,
      }),
    ],
    workers: engines.map((engine) => worker(engine, 'tiny', { kvEvents: withTokenizer ? kvEvents : null })),
  });
  router = await startRouter(fleet);
  outcomes = [];
  router.bus.subscribe(routeOutcome, (outcome) => outcomes.push(outcome));
  await router.untilUp(2);
};

beforeAll(async () => {
  tokenizer = await writeByteTokenizer();
});
afterAll(() => tokenizer.remove());
beforeEach(async () => {
  engines = await Promise.all(
    ['a', 'b'].map((id) =>
      startWorkerEngine(id, (_request, response) =>
        streamPieces(
          response,
          chatEvents(['x', 'y'], {
            prompt_tokens: 100,
            completion_tokens: 2,
            prompt_tokens_details: { cached_tokens: 64 },
          }),
        ),
      ),
    ),
  );
});
afterEach(async () => {
  await router.stop();
  await Promise.all(engines.map((engine) => engine.kill()));
});
const untilLive = (count: number) =>
  until(() => router.service.status().checks['index']!.detail.startsWith(`${count} of 2`), `${count} workers live`);

// Rendered: <user>TEXT\n. 94 bytes of text make 101 tokens: six blocks and five tokens.
const text = 'The quick brown fox jumps over the lazy dog; '.repeat(3).slice(0, 94);
const rendered = (content: string): string => `<user>${content}\n`;

describe('with KV events', () => {
  it('finds the blocks that the events announced, token by token, and routes to their worker', async () => {
    await start();
    publish('a', batch(0, []));
    publish('b', batch(0, [[base, rendered(text)]]));
    await untilLive(2);
    const decision = decisionOf(await send(router.url, { body: chat(`${text}!`, { stream: true }) }));
    expect(decision.exactPrompt).toBe(true);
    expect(cachedBy(decision)).toEqual({ a: 0, b: 96 });
    expect(decision.worker).toBe('b');
    expect(decision.candidates.find(({ worker: id }) => id === 'b')!.predictedTtftMs!).toBeLessThan(
      decision.candidates.find(({ worker: id }) => id === 'a')!.predictedTtftMs!,
    );
  });

  it('counts the last block as recomputed when it is the whole prompt', async () => {
    await start();
    const whole = text.slice(0, 96 - rendered('').length);
    publish('a', batch(0, []));
    publish('b', batch(0, [[base, rendered(whole)]]));
    await untilLive(2);
    expect(cachedBy(decisionOf(await send(router.url, { body: chat(whole) })))).toEqual({ a: 0, b: 80 });
  });

  it('keeps adapters and cache salts apart', async () => {
    await start();
    publish('a', batch(0, [[{ ...base, lora: 'lora-one' }, rendered(text)]]));
    publish('b', batch(0, [[{ ...base, salt: 's' }, rendered(text)]]));
    await untilLive(2);
    expect(cachedBy(decisionOf(await send(router.url, { body: chat(text) })))).toEqual({ a: 0, b: 0 });
    const lora = decisionOf(await send(router.url, { body: chat(text, { model: 'lora-one' }) }));
    expect([cachedBy(lora), lora.worker]).toEqual([{ a: 96, b: 0 }, 'a']);
    const salted = decisionOf(await send(router.url, { body: chat(text, { cache_salt: 's' }) }));
    expect([cachedBy(salted), salted.worker]).toEqual([{ a: 0, b: 96 }, 'b']);
  });

  it('takes a prompt as held from its dispatch on, and believes the events once they are there', async () => {
    await start();
    publish('a', batch(0, []));
    publish('b', batch(0, []));
    await untilLive(2);
    let finish: (() => void) | undefined;
    for (const engine of engines) {
      engine.behave(async (_request, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.write(chatEvents(['x'])[1]!);
        await new Promise<void>((resolve) => (finish = resolve));
        response.end('data: [DONE]\n\n');
      });
    }
    const first = send(router.url, { body: chat(text, { stream: true }) });
    await until(() => finish !== undefined, 'the first request');
    const home = engines.find((engine) => engine.received.length === 1)!.id;
    const other = home === 'a' ? 'b' : 'a';
    const finishFirst = finish!;
    engines.forEach((engine) => engine.behave((_request, response) => streamPieces(response, chatEvents(['x']))));
    const during = cachedBy(decisionOf(await send(router.url, { body: chat(`${text} and more`, { stream: true }) })));
    expect(during[home]).toBeGreaterThan(0);
    expect(during[other]).toBe(0);
    // The worker says that it holds two blocks of it only: from the end of the request on, that is what counts.
    publish(home, batch(1, [[base, rendered(text).slice(0, 32)]]));
    finishFirst();
    await first;
    await router.untilIdle();
    const after = cachedBy(decisionOf(await send(router.url, { body: chat(text, { stream: true }) })));
    expect(after[home]).toBe(32);
  });

  it('asks the index for a snapshot when it joins or misses a batch, else the bridge for a new epoch', async () => {
    const asked: string[] = [];
    await start();
    router.bus.subscribe(kvResync, ({ worker: id }) => asked.push(String(id)));
    publish('a', batch(0, [[base, rendered(text)]]));
    publish('b', batch(0, []));
    await untilLive(2);
    publish('a', batch(2, [])); // batch 1 is lost: no snapshot is to be had, so the bridge is asked
    await until(() => asked.includes('a'), 'the request for a resync');
    expect(cachedBy(decisionOf(await send(router.url, { body: chat(text) })))['a']).toBe(0);
    const snapshot = Buffer.from(batch(0, [[base, rendered(text)]])).toString('base64');
    router.bus.respond(kvSnapshot, ({ worker: id }): ReplyOf<typeof kvSnapshot> => {
      if (id !== 'b') return { kind: 'unknown' };
      return { kind: 'page', epoch: 1, seq: 5, incomplete: false, batch: snapshot, cursor: null };
    });
    publish('b', batch(4, []));
    publish('b', batch(6, [[{ ...base, salt: 'tail' }, rendered(text)]]));
    await untilLive(1);
    const decision = decisionOf(await send(router.url, { body: chat(`${text}?`) }));
    expect(cachedBy(decision)['b']).toBe(96);
    const tail = decisionOf(await send(router.url, { body: chat(`${text}?`, { cache_salt: 'tail' }) }));
    expect(cachedBy(tail)['b']).toBe(96);
    publish('a', batch(0, [[base, rendered(text)]], 2));
    await untilLive(2);
  });

  it('compares what it predicted with what the engine delivered, and tells the predictor', async () => {
    await start();
    publish('a', batch(0, []));
    publish('b', batch(0, [[base, rendered(text).slice(0, 64)]]));
    await untilLive(2);
    const answer = await send(router.url, { body: chat(text, { stream: true }) });
    expect(decisionOf(answer).outcome).toMatchObject({ result: 'completed', cachedTokens: 64 });
    await until(() => outcomes.length === 1, 'the outcome');
    expect(outcomes[0]).toMatchObject({
      worker: 'b',
      result: 'completed',
      promptTokens: 100,
      outputTokens: 2,
      predictedCachedTokens: 64,
      cachedTokens: 64,
      decisionId: answer.headers['x-sluice-decision-id'],
      load: { inflightRequests: 0, queuedPrefillTokens: 0 },
    });
    expect(outcomes[0]!.ttftMs).toBeGreaterThan(0);
    expect(await router.metric('sluice_router_cached_prediction_total{pool="tiny",agreement="equal"')).toBe(1);
    expect(await router.metric('sluice_router_delivered_cached_tokens_total')).toBe(64);
  });
});

describe('without a tokenizer', () => {
  it('says so and keeps what was routed to each worker, within its capacity', async () => {
    await start(false);
    expect(router.service.status().checks['tokenizers']).toEqual({
      ok: false,
      detail: 'tiny: no tokenizer is configured',
    });
    const long = 'All work and no play makes Jack a dull boy. '.repeat(40);
    const first = decisionOf(await send(router.url, { body: chat(long, { stream: true }) }));
    expect(first.exactPrompt).toBe(false);
    for (let i = 0; i < 3; i++) {
      const next = decisionOf(await send(router.url, { body: chat(`${long}${i}`, { stream: true }) }));
      expect(next.worker).toBe(first.worker);
      expect(cachedBy(next)[first.worker]).toBeGreaterThan(0.8 * next.promptTokens);
    }
  });
});
