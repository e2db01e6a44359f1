import { describe, expect, it } from '@jest/globals';
import { workerId } from '@sluice/model';
import type { RouteQuery } from '@sluice/model';
import { seededRng } from '@sluice/numerics';
import { createDecisionTerms } from '../decision-terms.ts';
import type { FleetTable } from '../fleet-table.ts';
import { createLedger } from '../ledger.ts';
import { pool, predictAll, QUERY, STEP } from '../testing/pool.ts';
import { expectedLatency } from './expected-latency.ts';

const policy = expectedLatency();
const out = createDecisionTerms();
const rng = seededRng(1);

function decide(table: FleetTable, query: RouteQuery = QUERY): number {
  const choice = policy.choose(table.columns, query, rng, out);
  if (choice.kind !== 'picked') throw new Error(choice.reason);
  return choice.row;
}

const term = (name: string, row: number): number => out.values[out.names.indexOf(name)]![row]!;
const decodeOn = (table: FleetTable, row: number, requests: number, tokens: number): void => {
  const ledger = createLedger(table);
  for (let i = 0; i < requests; i++) {
    const booking = ledger.book(row, { promptTokens: tokens, uncachedTokens: tokens, expectedOutputTokens: 200 });
    booking.firstToken();
  }
};
const queueOn = (table: FleetTable, row: number, tokens: number): void => {
  createLedger(table).book(row, { promptTokens: tokens, uncachedTokens: tokens, expectedOutputTokens: 200 });
};
const usage = (table: FleetTable, row: number, kvUsage: number, kvCapacityTokens = 300_000): void =>
  table.recordScrape(row, { waitingRequests: 0, runningRequests: 0, kvUsage, kvCapacityTokens }, 0);

describe('expected-latency: the cost', () => {
  it('is the sum of its terms, each as the formula says', () => {
    const table = pool(1);
    decodeOn(table, 0, 10, 2000);
    usage(table, 0, 0.4);
    predictAll(table, QUERY, () => 1000);
    decide(table);
    const uncached = 3000;
    const output = 200;
    const prefill = 0.053 * uncached;
    const attention = 0.88e-6 * uncached * (4000 - uncached / 2);
    const ttft = 30 + prefill;
    const tpot = 15 + 0.05 * 10;
    const forecast = (0.4 * 300_000 + (10 * 199) / 2) / 300_000;
    const expected = {
      ttft,
      memoryWait: 0,
      ownDecode: 0.05 * output * tpot,
      duplicate: 2 * prefill,
      memory: ((uncached + output / 2) / 300_000) * (ttft + output * tpot) * (forecast / (1 - forecast)),
      laterSteps: (0.05 * 10 * (0.046e-3 * (4000 + output / 2) + 0.005) * output) / 2,
      stall: 0.05 * 10 * (prefill + attention),
      slo: 0,
    };
    expect(out.names).toEqual(Object.keys(expected));
    for (const [name, value] of Object.entries(expected)) expect(term(name, 0)).toBeCloseTo(value, 9);
    const sum = Object.values(expected).reduce((total, value) => total + value, 0);
    expect(out.cost[0]).toBeCloseTo(sum, 9);
    expect([out.unit, out.basis]).toEqual(['ms', 'expected-latency']);
  });

  it('charges the wait for memory when the request does not fit, and never more than finitely', () => {
    const table = pool(2);
    decodeOn(table, 0, 10, 29_000); // 290,010 of 300,000 held, 199 tokens to go each
    usage(table, 0, 290_010 / 300_000);
    const query = { ...QUERY, promptTokens: 20_000 };
    predictAll(table, query, () => 0);
    decide(table, query);
    const missing = 290_010 + 20_000 - 300_000;
    const freedPerStep = 290_010 / (2 * 199) - 10 / 2;
    expect(term('memoryWait', 0)).toBeCloseTo((missing / freedPerStep) * 15.5, 6);
    expect(term('memoryWait', 1)).toBe(0);

    const huge = { ...QUERY, promptTokens: 400_000 };
    usage(table, 1, 0, 500_000);
    predictAll(table, huge, () => 0);
    expect(decide(table, huge)).toBe(1);
    expect(out.cost[0]).toBeGreaterThan(1e9);
    expect(out.cost[0]).toBeLessThan(Infinity);
  });

  it('charges expected violations of the service levels that the request has', () => {
    const table = pool(2);
    decodeOn(table, 0, 10, 2000);
    usage(table, 0, 0.4);
    const wanted = { ...QUERY, ttftSloMs: 100, tpotSloMs: 1000, deadlineMs: null };
    predictAll(table, wanted, (row) => (row === 0 ? 0 : 4000));
    decide(table, wanted);
    // one is late for certain and pays what it was allowed and the excess; the other answers from its cache
    expect(term('slo', 0)).toBeGreaterThan(100 + 120);
    expect(term('slo', 1)).toBeLessThan(1);
  });

  it('does without memory terms for a worker whose capacity is not known', () => {
    const table = pool(2);
    usage(table, 1, 0.95, 0);
    predictAll(table, QUERY, () => 0);
    decide(table);
    expect([term('memory', 1), term('memoryWait', 1)]).toEqual([0, 0]);
  });
});

describe('expected-latency: the choice', () => {
  it('goes to the prefix while that worker is idle, and elsewhere once recomputing is faster', () => {
    const table = pool(4);
    const cached = (row: number): number => (row === 2 ? 3500 : 0);
    predictAll(table, QUERY, cached);
    expect(decide(table)).toBe(2);
    // 3,500 tokens of prefill saved, charged three times with the duplicate: 10,500 tokens of queue outweigh them
    queueOn(table, 2, 9000);
    predictAll(table, QUERY, cached);
    expect(decide(table)).toBe(2);
    queueOn(table, 2, 3000);
    predictAll(table, QUERY, cached);
    expect(decide(table)).not.toBe(2);
  });

  it('spreads equal requests over an idle fleet, since each pick is booked before the next', () => {
    for (const sharedTokens of [0, 16]) {
      const table = pool(8);
      const ledger = createLedger(table);
      const counts = Array<number>(8).fill(0);
      for (let i = 0; i < 64; i++) {
        predictAll(table, QUERY, (row) => (row === 0 ? sharedTokens : 0)); // one shared first block, on one worker
        const row = decide(table);
        counts[row]!++;
        ledger.book(row, { promptTokens: 4000, uncachedTokens: 4000, expectedOutputTokens: 200 });
      }
      expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
    }
  });

  it('shares ties among all workers, also where costs are equal and nothing is booked', () => {
    const table = pool(4);
    predictAll(table, QUERY, () => 0);
    const counts = Array<number>(4).fill(0);
    for (let i = 0; i < 4000; i++) counts[decide(table)]!++;
    for (const count of counts) expect(Math.abs(count / 4000 - 0.25)).toBeLessThan(0.05);
  });

  it('takes the lesser loaded of costs that differ by less than the model errs, not of others', () => {
    const table = pool(2);
    decodeOn(table, 0, 1, 10);
    predictAll(table, QUERY, () => 0);
    table.columns.predictedTtftMs[0] = 240;
    table.columns.predictedTtftMs[1] = 242;
    for (let i = 0; i < 20; i++) expect(decide(table)).toBe(1);
    table.columns.predictedTtftMs[1] = 300;
    for (let i = 0; i < 20; i++) expect(decide(table)).toBe(0);
  });

  it('draws among the rows whose costs tie and whose own TTFT is the least of these, neither more nor less', () => {
    const table = pool(40);
    const draw = seededRng(5);
    for (const baseMs of [5, 500, 5000]) {
      predictAll(table, QUERY, () => 0);
      for (let row = 0; row < 40; row++) {
        usage(table, row, 0.8 * draw());
        table.columns.predictedTtftMs[row] = baseMs * (1 + 0.05 * draw());
      }
      const picked = new Set<number>();
      for (let i = 0; i < 3000; i++) picked.add(decide(table));
      const rows = Array.from({ length: 40 }, (_, row) => row);
      const cheapest = rows.reduce((a, b) => (out.cost[b]! < out.cost[a]! ? b : a));
      const error = (ms: number): number => Math.max(1, 0.01 * ms);
      const tieCost = out.cost[cheapest]! + error(out.cost[cheapest]!) + 0.6 * term('memory', cheapest);
      expect(out.tieCost).toBeCloseTo(tieCost, 9);
      const inCost = rows.filter((row) => out.cost[row]! <= tieCost);
      const leastMs = Math.min(...inCost.map((row) => term('ttft', row)));
      const inBoth = inCost.filter((row) => term('ttft', row) <= leastMs + error(leastMs));
      expect([...picked].sort((a, b) => a - b)).toEqual(inBoth);
    }
  });

  it('leaves a prefix for memory only when the price of memory differs by more than it can be trusted', () => {
    const query = { ...QUERY, expectedOutputTokens: 1000 };
    const cached = (row: number): number => (row === 0 ? 3500 : 0);
    const goesTo = (kvUsage: number): number => {
      const table = pool(2);
      usage(table, 0, kvUsage);
      usage(table, 1, 0.7);
      predictAll(table, query, cached);
      return decide(table, query);
    };
    expect(goesTo(0.9)).toBe(0);
    expect(goesTo(0.97)).toBe(1);
  });

  it('prefers free memory, as long as the reading is fresh', () => {
    const table = pool(2);
    const query = { ...QUERY, expectedOutputTokens: 2000 };
    usage(table, 0, 0.85);
    usage(table, 1, 0.2);
    predictAll(table, query, () => 0);
    expect(decide(table, query)).toBe(1);
    expect(term('memory', 0)).toBeGreaterThan(10 * term('memory', 1));
    table.ageSignals(30_000);
    decide(table, query);
    expect(term('memory', 0)).toBe(term('memory', 1));
  });

  it('gives slow engines less', () => {
    const table = pool(2);
    const slow = { ...STEP, aMsPerToken: STEP.aMsPerToken * 3 };
    table.setStep(table.row(workerId('w1')), slow);
    const ledger = createLedger(table);
    const counts = [0, 0];
    for (let i = 0; i < 40; i++) {
      predictAll(table, QUERY, () => 0);
      const { columns } = table;
      columns.predictedTtftMs[1] = 30 + 3 * STEP.aMsPerToken * (columns.queuedPrefillTokens[1]! + 4000);
      const row = decide(table);
      counts[row]!++;
      ledger.book(row, { promptTokens: 4000, uncachedTokens: 4000, expectedOutputTokens: 200 });
    }
    expect(counts[0]).toBeGreaterThan(2 * counts[1]!);
    expect(counts[1]).toBeGreaterThan(0);
  });
});

describe('expected-latency: without usable predictions', () => {
  const degrade: [string, (table: FleetTable) => void][] = [
    ['one worker', (table) => table.columns.predictedTtftMs.fill(NaN, 2, 3)],
    ['every worker', (table) => table.columns.predictedTtftMs.fill(NaN)],
    ['every TPOT', (table) => table.columns.predictedTpotMs.fill(Infinity)],
  ];
  it.each(degrade)('decides by least work when %s has none, spreads, and says so', (_name, breakIt) => {
    const table = pool(4);
    const ledger = createLedger(table);
    const counts = Array<number>(4).fill(0);
    for (let i = 0; i < 40; i++) {
      predictAll(table, QUERY, () => 0);
      breakIt(table);
      const row = decide(table);
      counts[row]!++;
      ledger.book(row, { promptTokens: 4000, uncachedTokens: 4000, expectedOutputTokens: 200 });
    }
    expect(out.basis).toBe('token-load');
    expect(out.unit).toBe('tokens');
    expect(counts).toEqual([10, 10, 10, 10]);
  });

  it('is not put off by a worker that is down', () => {
    const table = pool(3);
    predictAll(table, QUERY, () => 0);
    table.setUp(1, false);
    table.columns.predictedTtftMs[1] = NaN;
    expect([0, 2]).toContain(decide(table));
    expect(out.basis).toBe('expected-latency');
  });
});

describe('oracle', () => {
  it('is expected-latency told the true output length, and says that it decided', () => {
    const table = pool(2);
    usage(table, 0, 0.85);
    usage(table, 1, 0.2);
    decodeOn(table, 1, 4, 10);
    const oracle = expectedLatency({}, 'oracle');
    for (const expectedOutputTokens of [1, 8000]) {
      const query = { ...QUERY, expectedOutputTokens };
      predictAll(table, query, () => 0);
      const row = decide(table, query);
      const cost = [...out.cost.slice(0, 2)];
      expect(oracle.choose(table.columns, query, seededRng(1), out)).toEqual({ kind: 'picked', row });
      expect([...out.cost.slice(0, 2)]).toEqual(cost);
      expect([oracle.id, out.basis]).toEqual(['oracle', 'oracle']);
    }
  });
});
