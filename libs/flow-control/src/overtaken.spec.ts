import { describe, expect, it } from '@jest/globals';
import { seededRng } from '@sluice/numerics';
import type { FleetColumns } from '@sluice/model';
import { job, SlotPool, slotFlowControl } from './testing/pool.ts';
import type { Job } from './testing/pool.ts';
import type { Ticket } from './ticket.ts';

const columnsOf = (rows: number): FleetColumns => {
  const column = (): Float64Array => Float64Array.from({ length: rows }, (_, row) => 100_000 * (row + 1));
  return {
    size: rows,
    ids: Array.from({ length: rows }, (_, row) => `w${row}`),
    up: new Uint8Array(rows).fill(1),
    inflightRequests: column(),
    queuedPrefillTokens: column(),
    expectedGrowthTokens: column(),
  } as unknown as FleetColumns;
};

describe('what a request goes before', () => {
  it('is taken out of the columns for its pick, and put back', () => {
    const rng = seededRng(7);
    const pool = new SlotPool(slotFlowControl(), [0, 0, 0]);
    const held: Job[] = [];
    for (let id = 0; id < 120; id++) {
      const each = job(id, {
        worker: id % 3,
        uncachedTokens: Math.floor(rng() * 1000),
        outputTokens: Math.floor(rng() * 300),
      });
      const tenant = 'abc'[Math.floor(rng() * 3)]!;
      pool.offer(each, pool.request(tenant, { priority: Math.floor(rng() * 3) - 1 }), 0);
      if (each.fate === 'waiting') held.push(each);
    }
    // service that differs, so that tenants have an order
    for (const running of pool.sent.slice(0, 3)) pool.finish(running, 0);
    const waiting = held.filter(({ fate }) => fate === 'waiting');
    const newcomer = pool.flow.arrive(job(999), pool.request('b', { priority: 0 }));
    const keyOf = new Map(waiting.map((each) => [each, each.ticket!.flow.counter]));
    const goesBefore = (mine: Ticket<Job>, other: Ticket<Job>): boolean => {
      if (mine.flow.band !== other.flow.band) return mine.flow.band.index > other.flow.band.index;
      if (mine.flow === other.flow) return mine.sequence < other.sequence;
      return mine.flow.counter < other.flow.counter;
    };
    expect(new Set(keyOf.values()).size).toBeGreaterThan(3);
    for (const mine of [newcomer, waiting[0]!.ticket!, waiting[40]!.ticket!]) {
      const columns = columnsOf(3);
      pool.flow.takeOutOvertaken(mine, pool.lines, columns, 0);
      for (let row = 0; row < 3; row++) {
        const behind = waiting.filter(
          ({ ticket, worker }) => worker === row && ticket !== mine && goesBefore(mine, ticket!),
        );
        const sum = (of: (each: Job) => number): number => behind.reduce((total, each) => total + of(each), 0);
        expect([
          columns.inflightRequests[row],
          columns.queuedPrefillTokens[row],
          columns.expectedGrowthTokens[row],
        ]).toEqual([
          100_000 * (row + 1) - behind.length,
          100_000 * (row + 1) - sum(({ uncachedTokens }) => uncachedTokens),
          100_000 * (row + 1) - sum(({ outputTokens }) => outputTokens),
        ]);
      }
      pool.flow.putBackOvertaken();
      expect(columns).toEqual(columnsOf(3));
    }
  });
});
