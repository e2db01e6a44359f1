import { describe, expect, it } from '@jest/globals';
import type { DecisionCandidate, DecisionRecord } from '@sluice/contracts';
import { chainOf, triedBefore } from './chain.ts';
import { costBars, termsOf } from './cost-bars.ts';
import { costText, verdictOf } from './verdict.ts';

const candidate = (
  worker: string,
  terms: Record<string, number> | null,
  rest: Partial<DecisionCandidate> = {},
): DecisionCandidate => ({
  worker,
  up: true,
  keptForOthers: false,
  cost: terms === null ? null : Object.values(terms).reduce((sum, value) => sum + value, 0),
  terms: terms ?? {},
  cachedTokens: 0,
  predictedTtftMs: 10,
  predictedTpotMs: 1,
  inflightRequests: 0,
  queuedPrefillTokens: 0,
  decodesRunning: 0,
  siblingRequests: 0,
  siblingQueuedPrefillTokens: 0,
  waitingRequests: 0,
  kvUsage: 0,
  signalAgeMs: 1,
  ...rest,
});

const decision = (candidates: readonly DecisionCandidate[], rest: Partial<DecisionRecord> = {}): DecisionRecord => ({
  id: 'd-1',
  atMs: 0,
  pool: 'p',
  model: 'm',
  api: 'chat',
  policy: 'expected-latency',
  basis: 'expected-latency',
  unit: 'ms',
  promptBytes: 1,
  exactPrompt: true,
  promptTokens: 1000,
  expectedOutputTokens: 10,
  retryOf: null,
  movedFrom: null,
  followedBy: null,
  level: { tenant: 'default', priority: 0, ttftSloMs: null, tpotSloMs: null, deadlineMs: null },
  traceId: null,
  worker: candidates[0]!.worker,
  tieCost: null,
  candidates,
  shadows: [],
  outcome: null,
  ...rest,
});

describe('costBars', () => {
  it('stacks the terms of each candidate to one scale, cheapest first', () => {
    const made = decision([
      candidate('a', { ttft: 30, stall: 10, slo: 0 }),
      candidate('b', { ttft: 20, stall: 0, slo: 0 }),
    ]);
    const { scale, bars } = costBars({ ...made, worker: 'a' }, new Set());
    expect([termsOf(made), scale]).toEqual([['ttft', 'stall'], 40]);
    expect(bars.map(({ candidate: { worker }, marks }) => [worker, marks])).toEqual([
      ['b', ['cheapest']],
      ['a', ['chosen']],
    ]);
    expect(bars[1]!.segments.map(({ term, from, to }) => [term, from, to])).toEqual([
      ['ttft', 0, 0.75],
      ['stall', 0.75, 1],
    ]);
  });

  it('cuts one hopeless worker off instead of flattening the rest', () => {
    const made = decision([candidate('a', { ttft: 10 }), candidate('b', { ttft: 20 }), candidate('c', { ttft: 1e12 })]);
    const { scale, bars } = costBars(made, new Set());
    expect(scale).toBe(20);
    expect(bars.map(({ isCut }) => isCut)).toEqual([false, false, true]);
    expect(bars[2]!.segments).toMatchObject([{ from: 0, to: 1 }]);
  });

  it('draws scores by their size, and nothing for who was not considered', () => {
    const made = decision([candidate('a', { prefix: 3 }, { cost: -3 }), candidate('b', { prefix: 1 }, { cost: -1 })], {
      unit: 'score',
    });
    expect(costBars(made, new Set()).bars.map(({ segments }) => segments[0]!.to)).toEqual([1, 1 / 3]);
    const out = decision([
      candidate('a', { ttft: 1 }),
      candidate('b', null, { up: false }),
      candidate('c', null),
      candidate('k', null, { keptForOthers: true }),
      candidate('t', null),
    ]);
    expect(costBars(out, new Set(['t'])).bars.map(({ marks, segments }) => [marks, segments.length])).toEqual([
      [['chosen', 'cheapest'], 1],
      [['not up'], 0],
      [['left out'], 0],
      [['kept for others'], 0],
      [['tried'], 0],
    ]);
  });

  it('marks a tie only where there are two', () => {
    const tied = decision([candidate('a', { ttft: 10 }), candidate('b', { ttft: 10.5 })], { tieCost: 11 });
    expect(costBars(tied, new Set()).bars.map(({ marks }) => marks.includes('tie'))).toEqual([true, true]);
    expect(costBars({ ...tied, tieCost: 10.1 }, new Set()).bars.map(({ marks }) => marks.includes('tie'))).toEqual([
      false,
      false,
    ]);
  });
});

describe('verdictOf', () => {
  it('says by how much, against whom, and what made the difference', () => {
    const made = decision([
      candidate('a', { ttft: 40, duplicate: 5 }, { cachedTokens: 900 }),
      candidate('b', { ttft: 60, duplicate: 100 }),
    ]);
    expect(verdictOf(made)).toBe(
      'a costs 115 ms less than b, the next best. Most of that is duplicate prefix (−95 ms). It holds 900 of 1,000 prompt tokens, b 0.',
    );
  });

  it('says when there was nothing to choose, or no difference', () => {
    expect(verdictOf(decision([candidate('a', { ttft: 1 })]))).toBe('a was the only worker to choose from.');
    const flooding = decision([candidate('a', { ttft: 1 }), candidate('b', null, { keptForOthers: true })]);
    expect(verdictOf(flooding)).toBe('a was the only worker to choose from: 1 kept for others while default floods.');
    expect(verdictOf(decision([candidate('a', null)]))).toBe('expected-latency chose a.');
    const tied = decision([candidate('a', { ttft: 10 }), candidate('b', { ttft: 10 })], { tieCost: 11 });
    expect(verdictOf(tied)).toMatch(/^2 workers would have cost practically the same; of two drawn at random a had/);
  });

  it('names the unit where it is no time', () => {
    const made = decision([candidate('a', { requests: 1 }), candidate('b', { requests: 3 })], {
      unit: 'requests',
      policy: 'least-request',
    });
    expect(verdictOf(made)).toMatch(
      /^a costs 2 requests less than b, the next best\. Most of that is requests \(−2\)\./,
    );
    expect([costText(null, 'ms'), costText(1e12, 'ms'), costText(12.3456, 'score')]).toEqual(['–', 'never', '12.3']);
  });
});

describe('chainOf', () => {
  const failed = { outcome: { result: 'upstream-error' } as DecisionRecord['outcome'] };
  const all = [
    decision([candidate('a', null)], { id: '1', followedBy: '2', ...failed }),
    decision([candidate('b', null)], { id: '2', retryOf: '1', followedBy: '3' }),
    decision([candidate('c', null)], { id: '3', movedFrom: '2' }),
  ];
  const get = (id: string) => Promise.resolve(all.find((each) => each.id === id) ?? null);

  it('finds what came before and after, from anywhere in between', async () => {
    for (const each of all) expect((await chainOf(each, get)).map(({ id }) => id)).toEqual(['1', '2', '3']);
    expect((await chainOf(all[2]!, () => Promise.resolve(null))).map(({ id }) => id)).toEqual(['3']);
    expect(await chainOf(all[0]!, get, 2)).toHaveLength(2);
  });

  it('knows which workers had failed by then: one that only held it had not', () => {
    expect(triedBefore(all[2]!, all)).toEqual(new Set(['a']));
    expect(triedBefore(all[0]!, all).size).toBe(0);
  });
});
