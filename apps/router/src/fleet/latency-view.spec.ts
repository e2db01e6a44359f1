import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { latencyParameters } from '@sluice/contracts';
import type { DecisionRecord } from '@sluice/contracts';
import { PRIORS } from '@sluice/latency-model';
import { chatEvents, streamPieces, until } from '@sluice/upstream/testing';
import type { RouterConfig } from '../config.ts';
import { chat, pool, send, settableFleet, startRouter, startWorkerEngine, worker } from '../testing/harness.ts';
import type { TestRouter, WorkerEngine } from '../testing/harness.ts';

let engines: WorkerEngine[];
let router: TestRouter;

beforeEach(async () => {
  engines = await Promise.all(
    ['a', 'b'].map((id) =>
      startWorkerEngine(id, (_request, response) => streamPieces(response, chatEvents(['x', 'y']))),
    ),
  );
});
afterEach(async () => {
  await router.stop();
  await Promise.all(engines.map((engine) => engine.kill()));
});

const start = async (config: Partial<RouterConfig> = {}): Promise<void> => {
  const workers = engines.map((engine) => worker(engine));
  router = await startRouter(settableFleet({ pools: [pool()], workers }), config);
  await router.untilUp(2);
};

/** Makes every TTFT 5 s longer, and that of worker `a` twice as long. */
const learned = {
  pool: 'tiny',
  variant: 'default',
  samples: 10,
  step: { ...PRIORS.default, apiBaseMs: 5000 },
  ttftTailFactor: 1,
  tpotTailFactor: 1,
  workerBias: { a: 2 },
  meanOutputTokens: 7,
  bytesPerToken: 4,
};
const publish = (): void => router.bus.publish(latencyParameters, { version: 3, variants: [learned] });
const latency = (): string => router.service.status().checks['latency']!.detail;

const decide = async (): Promise<DecisionRecord> => {
  const answer = await send(router.url, { body: chat('x') });
  return router.service.decision(String(answer.headers['x-sluice-decision-id']))!;
};

describe('latency parameters', () => {
  it('come from the predictor when it has some', async () => {
    await start();
    publish();
    await until(() => latency().includes('version 3'), 'the parameters');
    const decision = await decide();
    const ttft = Object.fromEntries(decision.candidates.map((c) => [c.worker, c.predictedTtftMs!]));
    expect(ttft['b']).toBeGreaterThan(5000);
    expect(ttft['a']).toBeGreaterThan(10_000);
    expect(decision.worker).toBe('b');
  });

  it('stay those of the profile where that is asked for', async () => {
    await start({ latency: 'profile', profile: 'qwen3-32b-tp2-h100' });
    publish();
    const decision = await decide();
    expect(decision.candidates[0]!.predictedTtftMs).toBeLessThan(100);
    expect(latency()).toBe('priors of the profile');
  });
});
