import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { chatEvents, streamPieces } from '@sluice/upstream/testing';
import type { Behaviour } from '@sluice/upstream/testing';
import { chat, pool, send, settableFleet, startRouter, startWorkerEngine, worker } from '../testing/harness.ts';
import type { TestRouter, WorkerEngine } from '../testing/harness.ts';
import { upstreamErrorCause } from './attempt-metrics.ts';

const serve: Behaviour = (_request, response) => streamPieces(response, chatEvents(['x', 'y', 'z']));
const errorEvent: Behaviour = (_request, response) =>
  streamPieces(response, ['data: {"error":{"message":"no memory","type":"InternalServerError","code":500}}\n\n']);

let engine: WorkerEngine;
let router: TestRouter;

beforeEach(async () => {
  engine = await startWorkerEngine('a', serve);
  router = await startRouter(settableFleet({ pools: [pool()], workers: [worker(engine)] }), { retries: 0 });
  await router.untilUp(1);
});
afterEach(async () => {
  await router.untilIdle();
  await router.stop();
  await engine.kill();
});

const ask = (headers: Record<string, string> = {}) =>
  send(router.url, { headers, body: chat('word '.repeat(80), { stream: true }) });
const metric = (series: string): Promise<number> => router.metric(`sluice_router_${series}`);

describe('metrics of an attempt', () => {
  it('are told by route and worker, the prediction beside what happened', async () => {
    await ask();
    const served = 'service="router",model="tiny"';
    for (const latency of ['ttft', 'tpot', 'e2e']) {
      expect(await metric(`${latency}_seconds_count{${served},route="/v1/chat/completions"`)).toBe(1);
      expect(await metric(`${latency}_seconds_count{${served},route="/v1/completions"`)).toBe(0);
    }
    expect(await metric('actual_to_predicted_ratio_count{service="router",pool="tiny",target="ttft"')).toBe(1);
    expect(await metric('actual_to_predicted_ratio_count{service="router",pool="tiny",target="tpot"')).toBe(1);
    expect(await metric('tpot_error_seconds_count')).toBe(1);
    const own = '{pool="tiny",worker="a"';
    expect(await metric(`worker_streams_total${own}`)).toBe(1);
    const [actual, predicted] = [
      await metric(`worker_ttft_seconds_total${own}`),
      await metric(`worker_predicted_ttft_seconds_total${own}`),
    ];
    const later = await metric('ttft_error_seconds_sum{service="router",pool="tiny",direction="later"');
    const sooner = await metric('ttft_error_seconds_sum{service="router",pool="tiny",direction="sooner"');
    expect(predicted).toBeGreaterThan(0);
    expect(actual - predicted).toBeCloseTo(later - sooner, 6);
    expect(await metric(`worker_attempts_total{pool="tiny",worker="a",result="completed"`)).toBe(1);
    expect(await metric(`worker_up${own}`)).toBe(1);
    expect(await metric('scrapes_total')).toBeGreaterThan(0);
  });

  it('say whether a request had what it asked for', async () => {
    await ask();
    expect(await metric('slo_requests_total')).toBe(0);
    await ask({ 'x-sluice-slo-ttft-ms': '60000', 'x-sluice-slo-tpot-ms': '0.000001' });
    expect(await metric('slo_requests_total{pool="tiny",slo="ttft",outcome="met"')).toBe(1);
    expect(await metric('slo_requests_total{pool="tiny",slo="tpot",outcome="missed"')).toBe(1);
    expect(await metric('slo_requests_total')).toBe(2);
  });

  it('tell errors within a stream apart, and count nothing of them as a latency', async () => {
    engine.behave(errorEvent);
    await ask();
    expect(await metric('upstream_errors_total{cause="error-event"')).toBe(1);
    expect(await metric('upstream_errors_total')).toBe(1);
    expect(await metric('worker_attempts_total{pool="tiny",worker="a",result="upstream-error"')).toBe(1);
    expect(await metric('e2e_seconds_count')).toBe(0);
  });
});

describe('upstreamErrorCause', () => {
  it('names an answer by its status, and everything else by its kind', () => {
    expect(upstreamErrorCause({ kind: 'completed', status: 503 })).toBe('server-error');
    expect(upstreamErrorCause({ kind: 'completed', status: 200 })).toBe('error-event');
    expect(upstreamErrorCause({ kind: 'connect-failed', cause: 'x' })).toBe('connect-failed');
  });
});
