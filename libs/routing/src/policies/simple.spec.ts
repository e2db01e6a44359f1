import { describe, expect, it } from '@jest/globals';
import { seededRng } from '@sluice/numerics';
import { createPolicy, createSimulatedPolicy } from '../create-policy.ts';
import { createDecisionTerms } from '../decision-terms.ts';
import type { FleetTable } from '../fleet-table.ts';
import { createLedger } from '../ledger.ts';
import { checkSignals } from '../policy.ts';
import { POLICY_IDS, SIMULATED_POLICY_IDS } from '../policy-id.ts';
import type { PolicyId } from '../policy-id.ts';
import type { Policy } from '../policy.ts';
import { pool, predictAll, QUERY } from '../testing/pool.ts';

function make(id: PolicyId): Policy {
  const made = createSimulatedPolicy(id);
  if (made.kind !== 'policy') throw new Error(made.message);
  return made.policy;
}

function picks(policy: Policy, table: FleetTable, count: number, seed = 1): number[] {
  const rng = seededRng(seed);
  const out = createDecisionTerms();
  return Array.from({ length: count }, () => {
    const choice = policy.choose(table.columns, QUERY, rng, out);
    if (choice.kind !== 'picked') throw new Error(choice.reason);
    return choice.row;
  });
}

const shares = (rows: readonly number[], size: number): number[] =>
  Array.from({ length: size }, (_, row) => rows.filter((each) => each === row).length / rows.length);

const load = (table: FleetTable, row: number, requests: number): void => {
  const ledger = createLedger(table);
  for (let i = 0; i < requests; i++) {
    ledger.book(row, { promptTokens: 100, uncachedTokens: 100, expectedOutputTokens: 10 });
  }
};

describe('every policy', () => {
  it.each(SIMULATED_POLICY_IDS)('%s never picks a worker that is not up, and says when there is none', (id) => {
    const policy = make(id);
    const rng = seededRng(2);
    const out = createDecisionTerms();
    const table = pool(5);
    predictAll(table, QUERY, (row) => (row === 3 ? 4000 : 0));
    for (const down of [0, 3, 4]) table.setUp(down, false);
    load(table, 1, 4);
    for (let i = 0; i < 200; i++) {
      expect([1, 2]).toContain((policy.choose(table.columns, QUERY, rng, out) as { row: number }).row);
      expect(out.cost[3]).toBe(Infinity);
    }
    for (const down of [1, 2]) table.setUp(down, false);
    expect(policy.choose(table.columns, QUERY, rng, out)).toEqual({ kind: 'no-worker', reason: 'no worker is up' });
    expect(policy.choose(pool(0).columns, QUERY, rng, out)).toEqual({ kind: 'no-worker', reason: 'no workers' });
  });

  it.each(SIMULATED_POLICY_IDS)('%s writes one cost per row and repeats itself for an equal seed', (id) => {
    const out = createDecisionTerms(1);
    const table = pool(40);
    predictAll(table, QUERY, () => 0);
    make(id).choose(table.columns, QUERY, seededRng(3), out);
    expect(out.size).toBe(40);
    for (let row = 0; row < 40; row++) expect(out.cost[row]).not.toBeNaN();
    for (const values of out.values.slice(0, out.names.length)) expect(values.length).toBeGreaterThanOrEqual(40);
    expect(picks(make(id), table, 30, 4)).toEqual(picks(make(id), table, 30, 4));
  });
});

describe('createPolicy', () => {
  it('answers an unknown id with the known ones', () => {
    expect(createPolicy('fastest')).toMatchObject({ kind: 'unknown-policy', known: POLICY_IDS });
  });

  it('makes the oracle for simulations only', () => {
    expect(createPolicy('oracle').kind).toBe('unknown-policy');
    expect(createSimulatedPolicy('oracle')).toMatchObject({ kind: 'policy', policy: { id: 'oracle' } });
    expect(createSimulatedPolicy('fastest')).toMatchObject({ kind: 'unknown-policy', known: SIMULATED_POLICY_IDS });
  });

  it('refuses options that are none', () => {
    expect(createPolicy('expected-latency', { expectedLatency: { memoryPrice: -1 } }).kind).toBe('bad-option');
    const misspelt = { memoryPrize: 1 } as object;
    expect(createPolicy('expected-latency', { expectedLatency: misspelt }).kind).toBe('bad-option');
    expect(createPolicy('bounded-hash', { boundedHash: { loadFactor: 0.9 } }).kind).toBe('bad-option');
    expect(createPolicy('dynamo-kv', { dynamo: {} } as object).kind).toBe('bad-option');
  });
});

describe('checkSignals', () => {
  it('names each missing producer', () => {
    expect(checkSignals(make('weighted-3-2-2'), ['cachedTokens', 'waitingRequests', 'signalAgeMs'])).toEqual([
      'policy weighted-3-2-2 needs kvUsage, which nothing fills',
    ]);
    expect(checkSignals(make('round-robin'), [])).toEqual([]);
  });
});

describe('round-robin', () => {
  it('takes the workers that are up in turn', () => {
    const table = pool(4);
    table.setUp(2, false);
    expect(picks(make('round-robin'), table, 7)).toEqual([0, 1, 3, 0, 1, 3, 0]);
  });
});

describe('random', () => {
  it('is uniform over the workers that are up', () => {
    const table = pool(4);
    table.setUp(0, false);
    for (const share of shares(picks(make('random'), table, 6000), 4).slice(1)) expect(share).toBeCloseTo(1 / 3, 1);
  });
});

describe('least-request', () => {
  it('takes the fewest in flight, and shares ties evenly', () => {
    const table = pool(4);
    load(table, 0, 2);
    load(table, 3, 1);
    const share = shares(picks(make('least-request'), table, 4000), 4);
    expect(share[0]).toBe(0);
    expect(share[3]).toBe(0);
    expect(share[1]).toBeCloseTo(0.5, 1);
  });
});

describe('p2c', () => {
  it('never takes the busiest of distinct loads, and takes the idlest with the chance that it is drawn', () => {
    const table = pool(4);
    for (let row = 0; row < 4; row++) load(table, row, row + 1);
    const share = shares(picks(make('p2c'), table, 12_000), 4);
    // of 6 equally likely pairs, row r wins against the rows above it
    expect(share[0]).toBeCloseTo(3 / 6, 1);
    expect(share[1]).toBeCloseTo(2 / 6, 1);
    expect(share[2]).toBeCloseTo(1 / 6, 1);
    expect(share[3]).toBe(0);
  });

  it('takes the only worker that is up', () => {
    const table = pool(3);
    table.setUp(0, false);
    table.setUp(2, false);
    expect(picks(make('p2c'), table, 3)).toEqual([1, 1, 1]);
  });
});

describe('token-load', () => {
  it('takes the least queued and own uncached tokens together', () => {
    const table = pool(3);
    load(table, 0, 30); // 3000 queued
    predictAll(table, QUERY, (row) => (row === 0 ? 3500 : 0)); // own: 500, 4000, 4000
    expect(picks(make('token-load'), table, 5)).toEqual([0, 0, 0, 0, 0]);
    load(table, 0, 6);
    expect(picks(make('token-load'), table, 50)).not.toContain(0);
  });

  it('takes fewer requests where tokens are equal', () => {
    const table = pool(2);
    const ledger = createLedger(table);
    ledger.book(0, { promptTokens: 10, uncachedTokens: 0, expectedOutputTokens: 1 });
    predictAll(table, QUERY, () => 0);
    expect(picks(make('token-load'), table, 20)).toEqual(Array(20).fill(1));
  });
});

describe('weighted-3-2-2', () => {
  it('is 3 x prefix + 2 x relative queue + 2 x free KV', () => {
    const table = pool(3);
    const scraped = (waitingRequests: number, kvUsage: number) => ({
      waitingRequests,
      runningRequests: 0,
      kvUsage,
      kvCapacityTokens: 300_000,
    });
    table.recordScrape(0, scraped(4, 0.5), 0);
    table.recordScrape(1, scraped(0, 0.9), 0);
    table.recordScrape(2, scraped(1, 0.1), 0);
    predictAll(table, QUERY, (row) => [4000, 0, 1000][row]!);
    const out = createDecisionTerms();
    make('weighted-3-2-2').choose(table.columns, QUERY, seededRng(1), out);
    const expected = [3 + 0 + 2 * 0.5, 0 + 2 + 2 * 0.1, 3 * 0.25 + 2 * 0.75 + 2 * 0.9];
    expected.forEach((score, row) => expect(-out.cost[row]!).toBeCloseTo(score, 12));
    expect(out.unit).toBe('score');
    expect(out.names).toEqual(['prefix', 'queue', 'freeKv']);
  });

  it('takes other weights', () => {
    const table = pool(1);
    predictAll(table, QUERY, () => 1000);
    const out = createDecisionTerms(1);
    const made = createPolicy('weighted-3-2-2', { weighted: { prefixWeight: 1, queueWeight: 4, freeKvWeight: 8 } });
    if (made.kind !== 'policy') throw new Error(made.message);
    made.policy.choose(table.columns, QUERY, seededRng(1), out);
    expect(out.values.map((values) => values[0])).toEqual([0.25, 4, 8]);
  });

  it('scores the queue 1 when all are equal, and a worker never scraped 0 for queue and KV', () => {
    const table = pool(2);
    table.columns.signalAgeMs[1] = Infinity;
    predictAll(table, QUERY, () => NaN);
    const out = createDecisionTerms();
    make('weighted-3-2-2').choose(table.columns, QUERY, seededRng(1), out);
    expect([...out.cost.slice(0, 2)]).toEqual([-4, -0]);
  });
});
