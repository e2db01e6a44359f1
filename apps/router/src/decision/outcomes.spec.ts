import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { chatEvents, streamPieces, until } from '@sluice/upstream/testing';
import type { Behaviour } from '@sluice/upstream/testing';
import {
  chat,
  pool,
  send,
  settableFleet,
  startRouter,
  startWorkerEngine,
  testConfig,
  worker,
} from '../testing/harness.ts';
import type { TestRouter, WorkerEngine } from '../testing/harness.ts';

const serve: Behaviour = (_request, response) => streamPieces(response, chatEvents(['x', 'y']));
const fail: Behaviour = (_request, response) => void response.writeHead(503).end();

let engines: WorkerEngine[];
let router: TestRouter;

const start = async (workers: number): Promise<void> => {
  const fleet = settableFleet({ pools: [pool()], workers: engines.slice(0, workers).map((engine) => worker(engine)) });
  const { flow } = testConfig();
  // One prefill at a time at each worker, and nobody may wait.
  const limits = { ...flow.limits, backlogTokens: 1, maxRequests: 0 };
  const shadowPolicies = ['round-robin', 'least-request'] as const;
  router = await startRouter(fleet, { flow: { ...flow, limits }, shadowPolicies, shadowSample: 1 });
  await router.untilUp(workers);
};

beforeEach(async () => {
  engines = await Promise.all(['a', 'b'].map((id) => startWorkerEngine(id, serve)));
});
afterEach(async () => {
  await router.untilIdle();
  await router.stop();
  await Promise.all(engines.map((engine) => engine.kill()));
});

const ask = (content = 'word '.repeat(80)) => send(router.url, { body: chat(content, { stream: true }) });
/** The decision `n` after the one of this id. */
const after = (id: string, n: number): string => {
  const [prefix, sequence] = id.split('-') as [string, string];
  return `${prefix}-${(parseInt(sequence, 36) + n).toString(36)}`;
};

describe('what came of a decision', () => {
  it('is the chain of its retries, with shadow policies asked once', async () => {
    await start(2);
    let failures = 1;
    for (const engine of engines) {
      engine.behave((request, response) => (failures-- > 0 ? fail : serve)(request, response));
    }
    const id = String((await ask()).headers['x-sluice-decision-id']);
    const decision = router.service.decision(id)!;
    expect(decision).toMatchObject({ followedBy: null, shadows: [], outcome: { result: 'completed' } });
    expect(decision.outcome!.queuedMs).toBeGreaterThan(decision.outcome!.heldMs);
    expect(router.service.decision(decision.retryOf!)).toMatchObject({
      id: after(id, -1),
      retryOf: null,
      followedBy: id,
      shadows: [{ policy: 'round-robin' }, { policy: 'least-request' }],
      outcome: { result: 'upstream-error', ttftErrorMs: null, ttftRegretMs: null },
    });
  });

  it('has the miss of its prediction and the regret, which is no smaller', async () => {
    await start(2);
    const answer = await ask();
    const decision = router.service.decision(String(answer.headers['x-sluice-decision-id']))!;
    const { outcome, candidates, worker: chosen } = decision;
    const predicted = candidates.map(({ predictedTtftMs }) => Number(predictedTtftMs));
    const own = Number(candidates.find((each) => each['worker'] === chosen)!['predictedTtftMs']);
    const actualMs = outcome!.heldMs + outcome!.ttftMs!;
    expect(outcome!.ttftErrorMs).toBeCloseTo(actualMs - own, 2);
    expect(outcome!.ttftRegretMs).toBeCloseTo(actualMs - Math.min(...predicted), 2);
    expect(outcome!.ttftRegretMs).toBeGreaterThanOrEqual(outcome!.ttftErrorMs!);
    expect(await router.metric('sluice_router_ttft_error_seconds_count')).toBe(1);
    expect(await router.metric('sluice_router_ttft_regret_seconds_count')).toBe(1);
  });

  it('is told also where the request was never sent', async () => {
    await start(1);
    const firstId = String((await ask()).headers['x-sluice-decision-id']);
    let release = (): void => undefined;
    const released = new Promise<void>((resolve) => (release = resolve));
    const stall: Behaviour = async (request, response) => {
      await released;
      await serve(request, response);
    };
    engines[0]!.behave(stall);
    const running = ask();
    await until(() => engines[0]!.received.length === 2, 'the worker is busy');
    expect((await ask()).status).toBe(429);
    expect(router.service.decision(after(firstId, 2))).toMatchObject({
      outcome: {
        result: 'overload',
        status: null,
        cause: 'queue-full: none may wait',
        ttftMs: null,
        ttftErrorMs: null,
      },
    });
    release();
    expect((await running).status).toBe(200);
  });
});
