import { describe, expect, it } from '@jest/globals';
import { workerId } from '@sluice/model';
import { seededRng } from '@sluice/numerics';
import { createDecisionTerms } from '../decision-terms.ts';
import type { FleetTable } from '../fleet-table.ts';
import { createLedger } from '../ledger.ts';
import type { Policy } from '../policy.ts';
import { pool, QUERY, STEP } from '../testing/pool.ts';
import { boundedHash, sessionHash } from './hash.ts';

const SESSIONS = 2000;

function choose(policy: Policy, table: FleetTable, session: number | null, rng = seededRng(1)): number {
  const choice = policy.choose(table.columns, { ...QUERY, sessionHash: session }, rng, createDecisionTerms());
  if (choice.kind !== 'picked') throw new Error(choice.reason);
  return choice.row;
}

const homes = (policy: Policy, table: FleetTable): string[] =>
  Array.from({ length: SESSIONS }, (_, session) => table.columns.ids[choose(policy, table, session)]!);

const request = { promptTokens: 100, uncachedTokens: 100, expectedOutputTokens: 10 };

describe('session-hash', () => {
  it('shares sessions evenly, also numbered ones', () => {
    const at = homes(sessionHash(), pool(8));
    for (let i = 0; i < 8; i++) {
      const share = at.filter((id) => id === `w${i}`).length / SESSIONS;
      expect(Math.abs(share - 1 / 8)).toBeLessThan(0.025);
    }
  });

  it('moves only the sessions of a worker that goes down, leaves or joins', () => {
    const policy = sessionHash();
    const table = pool(5);
    const before = homes(policy, table);
    table.setUp(2, false);
    const down = homes(policy, table);
    before.forEach((home, session) => {
      if (home !== 'w2') expect(down[session]).toBe(home);
    });
    expect(new Set(down.filter((_, session) => before[session] === 'w2')).size).toBe(4);
    table.removeWorker(workerId('w2'));
    expect(homes(policy, table)).toEqual(down);
    table.setUp(table.addWorker(workerId('w9'), STEP), true);
    const joined = homes(policy, table);
    joined.forEach((home, session) => expect([down[session], 'w9']).toContain(home));
    expect(joined.filter((home) => home === 'w9').length / SESSIONS).toBeCloseTo(1 / 5, 1);
  });

  it('sends requests without a session anywhere', () => {
    const table = pool(4);
    const rng = seededRng(3);
    const policy = sessionHash();
    const rows = Array.from({ length: 4000 }, () => choose(policy, table, null, rng));
    for (let row = 0; row < 4; row++) expect(rows.filter((each) => each === row).length / 4000).toBeCloseTo(1 / 4, 1);
  });
});

describe('bounded-hash', () => {
  it('is session-hash as long as the bound allows', () => {
    const table = pool(6);
    expect(homes(boundedHash(), table)).toEqual(homes(sessionHash(), table));
  });

  it('never has more than c times the mean in flight on one worker, rounded up, whatever the sessions', () => {
    const table = pool(4);
    const ledger = createLedger(table);
    const policy = boundedHash();
    for (let i = 1; i <= 200; i++) {
      ledger.book(choose(policy, table, i % 3), request);
      const most = Math.max(...table.columns.inflightRequests.slice(0, 4));
      expect(most).toBeLessThanOrEqual(Math.ceil((1.25 * i) / 4));
    }
  });

  it('overflows to the next of the session and comes back when there is room', () => {
    const table = pool(3);
    const ledger = createLedger(table);
    const policy = boundedHash({ loadFactor: 1 });
    const home = choose(policy, table, 7);
    const booking = ledger.book(home, request);
    const next = choose(policy, table, 7);
    expect(next).not.toBe(home);
    table.setUp(home, false);
    expect(choose(sessionHash(), table, 7)).toBe(next);
    table.setUp(home, true);
    booking.release();
    expect(choose(policy, table, 7)).toBe(home);
  });

  it('writes who was full', () => {
    const table = pool(2);
    createLedger(table).book(0, request);
    createLedger(table).book(0, request);
    const out = createDecisionTerms();
    boundedHash().choose(table.columns, { ...QUERY, sessionHash: 1 }, seededRng(1), out);
    expect(out.names).toEqual(['hash', 'inflightRequests']);
    expect(out.values[1]![0]).toBe(2);
    expect(out.cost[0]).toBe(Infinity);
    expect(out.cost[1]).toBe(out.values[0]![1]);
  });
});
