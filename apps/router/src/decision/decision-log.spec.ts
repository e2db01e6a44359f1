import { describe, expect, it } from '@jest/globals';
import { PRIORS } from '@sluice/latency-model';
import type { DecisionOutcome } from '@sluice/contracts';
import { poolId, workerId } from '@sluice/model';
import { seededRng } from '@sluice/numerics';
import { createDecisionTerms, createFleetTable } from '@sluice/routing';
import type { DecisionSubject } from './decision-entry.ts';
import { DecisionLog } from './decision-log.ts';

const subject: DecisionSubject = {
  pool: poolId('p'),
  model: 'm',
  api: 'chat',
  policy: 'expected-latency',
  promptBytes: 10,
  exactPrompt: true,
  retryOf: null,
  movedFrom: null,
  level: { tenant: 'default', priority: 0, ttftSloMs: 500, tpotSloMs: null, deadlineMs: null },
  traceId: null,
  shadows: [],
};
const completed = (ttftMs: number): DecisionOutcome => ({
  result: 'completed',
  status: 200,
  cause: null,
  promptTokens: 99,
  cachedTokens: 0,
  outputTokens: 2,
  ttftMs,
  tpotMs: 2,
  e2eMs: ttftMs + 2,
  queuedMs: 0,
  heldMs: 0,
  ttftErrorMs: -2,
  ttftRegretMs: 4,
});
const query = { promptTokens: 100, expectedOutputTokens: 20, sessionHash: null };

function filled(workers: number) {
  const table = createFleetTable();
  const ids = Array.from({ length: workers }, (_, i) => workerId(`w${i}`));
  const terms = createDecisionTerms();
  terms.layout('token-load', 'tokens', ['queued', 'own'], workers);
  ids.forEach((id, row) => {
    table.addWorker(id, PRIORS.default);
    table.columns.cachedTokens[row] = row * 16;
    terms.cost[row] = row === 1 ? Infinity : row;
    terms.values[0]![row] = row * 2;
    terms.values[1]![row] = row * 3;
  });
  table.setUp(0, true);
  return { table, ids, terms };
}

describe('DecisionLog', () => {
  it('shows what was decided and why, with the numbers of that moment', () => {
    const log = new DecisionLog(4, 'ab');
    const { table, ids, terms } = filled(2);
    const id = log.add(subject, query, table.columns, ids, terms, 0, 1234, []);
    table.columns.cachedTokens.fill(999);
    terms.cost.fill(999);
    expect(log.get(id)).toMatchObject({
      id: 'ab-0',
      atMs: 1234,
      pool: 'p',
      basis: 'token-load',
      unit: 'tokens',
      worker: 'w0',
      promptTokens: 100,
      outcome: null,
      tieCost: 0,
      candidates: [
        {
          worker: 'w0',
          up: true,
          cachedTokens: 0,
          cost: 0,
          signalAgeMs: null,
          predictedTtftMs: null,
          terms: { queued: 0, own: 0 },
        },
        { worker: 'w1', up: false, cachedTokens: 16, cost: null, terms: { queued: 2, own: 3 } },
      ],
    });
    const result = { ...completed(1), queuedMs: 3, heldMs: 1 };
    log.settle(id, result);
    expect(log.get(id)!.outcome).toEqual(result);
  });

  it('tells workers that were kept for others from those that are not up', () => {
    const log = new DecisionLog(1, 'k');
    const { table, ids, terms } = filled(3);
    const id = log.add(subject, query, table.columns, ids, terms, 0, 0, [2]);
    expect(log.get(id)!.candidates.map(({ up, keptForOthers }) => [up, keptForOthers])).toEqual([
      [true, false],
      [false, false],
      [true, true],
    ]);
  });

  it('gives the cheapest candidates and the chosen one as the whole record has them', () => {
    const rng = seededRng(11);
    const costs = [NaN, Infinity, 1, 2, 3, 4, 5, 6];
    for (let round = 0; round < 300; round++) {
      const workers = 1 + Math.floor(rng() * 12);
      const most = 1 + Math.floor(rng() * 12);
      const { table, ids, terms } = filled(workers);
      for (let row = 0; row < workers; row++) terms.cost[row] = costs[Math.floor(rng() * costs.length)]!;
      const log = new DecisionLog(1, 'b');
      const id = log.add(subject, query, table.columns, ids, terms, Math.floor(rng() * workers), 0, []);
      const whole = log.get(id)!;
      const sorted = [...whole.candidates].sort((a, b) => (a.cost ?? 1e9) - (b.cost ?? 1e9));
      const cheapest = sorted.slice(0, most);
      const chosen = sorted.find(({ worker }) => worker === whole.worker)!;
      const expected = cheapest.includes(chosen) ? cheapest : [...cheapest, chosen];
      expect(log.brief(id, most)).toEqual({ record: { ...whole, candidates: expected }, of: workers });
    }
    expect(new DecisionLog(1, 'b').brief('b-0', 3)).toBeNull();
  });

  it('keeps the last ones, newest first, and grows its slots with the pool', () => {
    const log = new DecisionLog(3, 'x');
    const ids = Array.from({ length: 5 }, (_, i) => {
      const { table, ids: names, terms } = filled(i + 1);
      return log.add(subject, query, table.columns, names, terms, 0, i, []);
    });
    expect(log.last(10).map(({ id }) => id)).toEqual(ids.slice(2).reverse());
    expect(log.last(2)).toHaveLength(2);
    expect(log.last(1)[0]!.candidates).toHaveLength(5);
    expect(log.last(10).every(({ outcome }) => outcome === null)).toBe(true);
    for (const id of ['', 'x-', 'x-zz', 'y-2', 'x--1']) expect(log.get(id)).toBeNull();
  });

  it('keeps decisions whose request has not ended, as many that ended late, and the slowest', () => {
    const capacity = 20;
    const log = new DecisionLog(capacity, 'k');
    const { table, ids, terms } = filled(1);
    const rng = seededRng(3);
    const open: string[] = [];
    const late: string[] = [];
    const ended = new Map<string, number>();
    const made: string[] = [];
    for (let i = 0; i < 1000; i++) {
      const id = log.add(subject, query, table.columns, ids, terms, 0, i, []);
      made.push(id);
      open.push(id);
      // Never more that have not ended than there are slots.
      while (open.length > 18 || (open.length > 0 && rng() < 0.4)) {
        const [one] = open.splice(Math.floor(rng() * open.length), 1);
        const ttftMs = Math.floor(rng() * 1e6);
        if (!made.slice(-capacity).includes(one!)) late.push(one!);
        ended.set(one!, ttftMs);
        log.settle(one!, completed(ttftMs));
      }
      if (i % 20 !== 0) continue;
      const expected = new Set([...made.slice(-capacity), ...late.slice(-capacity), ...open]);
      const others = [...ended].filter(([one]) => !expected.has(one)).sort(([, x], [, y]) => y - x);
      for (const [one] of others.slice(0, capacity / 20)) expected.add(one);
      const known = [...log.requests()].map((each) => each.id);
      expect(known).toEqual(made.filter((one) => expected.has(one)).reverse());
      for (const one of made) expect(log.get(one) !== null).toBe(expected.has(one));
    }
    expect(late.length).toBeGreaterThan(2 * capacity);
  });

  it('ties decisions of one request together, both ways, as long as they are kept', () => {
    const log = new DecisionLog(3, 'c');
    const { table, ids, terms } = filled(2);
    const add = (rest: Partial<DecisionSubject>) =>
      log.add({ ...subject, ...rest }, query, table.columns, ids, terms, 0, 0, []);
    const first = add({});
    const moved = add({ movedFrom: first });
    const retry = add({ retryOf: moved });
    expect([first, moved, retry].map((id) => log.get(id)!.followedBy)).toEqual([moved, retry, null]);
    const other = add({ retryOf: first });
    expect(log.get(first)).toBeNull();
    expect(log.get(moved)!.followedBy).toBe(retry);
    expect(log.get(other)).toMatchObject({ retryOf: first, followedBy: null });
    add({ retryOf: first });
    expect(log.get(other)!.followedBy).toBeNull();
    for (let i = 0; i < 3; i++) add({});
    const last = add({ movedFrom: other });
    expect(log.get(other)).toMatchObject({ outcome: null, followedBy: last });
  });

  it('shows each request once, by its last decision, with times from its arrival', () => {
    const log = new DecisionLog(4, 'r');
    expect([...log.requests()]).toEqual([]);
    const { table, ids, terms } = filled(2);
    table.columns.predictedTtftMs.fill(30);
    const add = (rest: Partial<DecisionSubject>) =>
      log.add({ ...subject, ...rest }, query, table.columns, ids, terms, 1, 1000, []);
    const first = add({});
    const retry = add({ retryOf: first });
    const running = add({});
    log.settle(retry, {
      result: 'completed',
      status: 200,
      cause: null,
      promptTokens: 99,
      cachedTokens: null,
      outputTokens: 2,
      ttftMs: 40,
      tpotMs: 2,
      e2eMs: 90,
      queuedMs: 7,
      heldMs: 1,
      ttftErrorMs: 11,
      ttftRegretMs: 12,
    });
    const told = { pool: 'p', model: 'm', tenant: 'default', worker: 'w1', atMs: 1000, predictedTtftMs: 30 };
    expect([...log.requests()]).toEqual([
      {
        ...told,
        ...{ id: running, promptTokens: 100, cachedTokens: 16, result: null, status: null, queuedMs: null },
        ...{ ttftMs: null, ttftErrorMs: null, ttftRegretMs: null, tpotMs: null, e2eMs: null },
      },
      {
        ...told,
        ...{ id: retry, promptTokens: 99, cachedTokens: 16, result: 'completed', status: 200, queuedMs: 7 },
        ...{ ttftMs: 47, ttftErrorMs: 11, ttftRegretMs: 12, tpotMs: 2, e2eMs: 97 },
      },
    ]);
  });

  it('says which costs tied: those that the policy says, equal ones otherwise', () => {
    const log = new DecisionLog(2, 't');
    const { table, ids, terms } = filled(3);
    terms.layout('expected-latency', 'ms', [], 3);
    terms.cost.set([100, 200, Infinity]);
    expect(log.get(log.add(subject, query, table.columns, ids, terms, 0, 0, []))!.tieCost).toBe(100);
    terms.tieCost = 101;
    expect(log.get(log.add(subject, query, table.columns, ids, terms, 0, 0, []))!.tieCost).toBe(101);
    terms.cost.fill(Infinity);
    terms.tieCost = -Infinity;
    expect(log.get(log.add(subject, query, table.columns, ids, terms, 0, 0, []))!.tieCost).toBeNull();
  });
});
