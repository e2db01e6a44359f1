import type { ServerResponse } from 'node:http';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { chatEvents, streamPieces, tick, until } from '@sluice/upstream/testing';
import { chat, send } from '../testing/harness.ts';
import type { Answer } from '../testing/harness.ts';
import { serveRouter } from '../testing/served-router.ts';
import type { ServedRouter } from '../testing/served-router.ts';

const EVENTS = chatEvents(['a', 'b'], { prompt_tokens: 100, completion_tokens: 2 });
const owed: { user: string; response: ServerResponse }[] = [];
let router: ServedRouter;

beforeEach(async () => {
  router = await serveRouter((request, response) => {
    owed.push({ user: (JSON.parse(String(request.body)) as { user: string }).user, response });
  });
});
afterEach(() => router.stop());

const configure = (settings: Record<string, string>): Promise<Answer> =>
  send(router.running.url, {
    method: 'PATCH',
    path: '/config',
    headers: { 'content-type': 'application/json' },
    body: { settings },
  });
/** Held requests by the priority at which their band begins. */
const heldByBand = async (): Promise<Record<string, number>> => {
  const lines = (await router.context.metrics.text()).split('\n');
  const samples = lines.map((line) => /^sluice_router_queue_requests\{.*band="(-?\d+)".*\} (\d+)/.exec(line));
  return Object.fromEntries(samples.flatMap((sample) => (sample === null ? [] : [[sample[1]!, Number(sample[2])]])));
};

it('takes other bands while requests wait: each moves to the band of its priority, and that order is served', async () => {
  expect((await configure({ ROUTER_BACKLOG_TOKENS: '1', ROUTER_PRIORITY_BANDS: '0' })).status).toBe(200);
  const priorities = [0, 1, 5, -3];
  const answers: Promise<Answer>[] = [];
  for (const priority of priorities) {
    const body = chat(`${priority} ${'word '.repeat(80)}`, { stream: true, user: String(priority) });
    answers.push(send(router.dataPlane, { body, headers: { 'x-sluice-priority': String(priority) } }));
    await until(() => owed.length === 1, 'the first request at the engine');
    while ((await heldByBand())['0'] !== answers.length - 1) await tick();
  }

  expect((await configure({ ROUTER_PRIORITY_BANDS: '-1,0,4' })).status).toBe(200);
  expect(await heldByBand()).toEqual({ '-1': 1, '0': 1, '4': 1 });
  for (let i = 0; i < priorities.length; i++) {
    await until(() => owed.length > i, 'the next request');
    await streamPieces(owed[i]!.response, EVENTS);
  }
  expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([200, 200, 200, 200]);
  expect(owed.map(({ user }) => user)).toEqual(['0', '5', '1', '-3']);
  expect(await router.context.metrics.text()).toMatch(/router_queue_wait_seconds_count\{.*band="4".*\} 1\n/);
});
