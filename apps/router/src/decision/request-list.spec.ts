import { describe, expect, it } from '@jest/globals';
import { requestOrderSchema } from '@sluice/contracts';
import type { RequestSummary } from '@sluice/contracts';
import { seededRng } from '@sluice/numerics';
import { listRequests } from './request-list.ts';
import type { RequestQuery } from './request-list.ts';

const request = (rest: Partial<RequestSummary>): RequestSummary => ({
  id: 'ab-1',
  atMs: 1000,
  pool: 'p',
  model: 'm',
  tenant: 'acme',
  worker: 'w1',
  promptTokens: 100,
  cachedTokens: 0,
  result: 'completed',
  status: 200,
  queuedMs: 1,
  ttftMs: 40,
  predictedTtftMs: 38,
  ttftErrorMs: 2,
  ttftRegretMs: 3,
  tpotMs: 9,
  e2eMs: 400,
  ...rest,
});
const all: RequestQuery = {
  by: 'newest',
  limit: 100,
  pool: null,
  worker: null,
  tenant: null,
  result: null,
  fromMs: null,
};
const idsOf = (requests: readonly RequestSummary[]): string[] => requests.map(({ id }) => id);

describe('listRequests', () => {
  it('puts the largest first, errors in either direction, and leaves out who has no such number', () => {
    const requests = [
      request({ id: 'running', result: null, ttftMs: null, ttftErrorMs: null, e2eMs: null }),
      request({ id: 'slow', ttftMs: 900, ttftErrorMs: 5 }),
      request({ id: 'early', ttftMs: 50, ttftErrorMs: -70 }),
      request({ id: 'late', ttftMs: 50, ttftErrorMs: 60 }),
    ];
    expect(idsOf(listRequests(requests, all))).toEqual(['running', 'slow', 'early', 'late']);
    expect(idsOf(listRequests(requests, { ...all, by: 'ttft' }))).toEqual(['slow', 'early', 'late']);
    expect(idsOf(listRequests(requests, { ...all, by: 'error' }))).toEqual(['early', 'late', 'slow']);
    expect(idsOf(listRequests(requests, { ...all, by: 'error', limit: 1 }))).toEqual(['early']);
  });

  it('takes those that were asked for', () => {
    const requests = [
      request({ id: '1', worker: 'w2', atMs: 3000 }),
      request({ id: '2', tenant: 'trial', atMs: 2000 }),
      request({ id: '3', result: 'upstream-error', pool: 'q', atMs: 1000 }),
    ];
    expect(idsOf(listRequests(requests, { ...all, worker: 'w2' }))).toEqual(['1']);
    expect(idsOf(listRequests(requests, { ...all, tenant: 'trial' }))).toEqual(['2']);
    expect(idsOf(listRequests(requests, { ...all, result: 'upstream-error' }))).toEqual(['3']);
    expect(idsOf(listRequests(requests, { ...all, pool: 'q', worker: 'w2' }))).toEqual([]);
    expect(idsOf(listRequests(requests, { ...all, fromMs: 2000 }))).toEqual(['1', '2']);
  });

  it('agrees with taking the largest one by one', () => {
    const rng = seededRng(11);
    const number = (): number | null => (rng() < 0.2 ? null : Math.round(rng() * 8));
    for (let round = 0; round < 60; round++) {
      const requests = Array.from({ length: 30 }, (_, i) =>
        request({ id: String(i), ttftMs: number(), tpotMs: number(), e2eMs: number(), queuedMs: number() }),
      );
      for (const by of requestOrderSchema.exclude(['newest', 'error', 'regret']).options) {
        const sizes = requests.map((each) => each[`${by}Ms`] ?? -1);
        const expected: string[] = [];
        while (expected.length < 7 && Math.max(...sizes) >= 0) {
          const at = sizes.indexOf(Math.max(...sizes));
          expected.push(String(at));
          sizes[at] = -1;
        }
        expect(idsOf(listRequests(requests, { ...all, by, limit: 7 }))).toEqual(expected);
      }
    }
  });
});
