import { describe, expect, it } from '@jest/globals';
import type { WorkerId } from '@sluice/model';
import { workerId } from '@sluice/model';
import fc from 'fast-check';
import type { FleetTable } from './fleet-table.ts';
import type { Booking } from './ledger.ts';
import { createLedger } from './ledger.ts';
import { LedgerReference } from './testing/ledger-reference.ts';
import { pool, STEP } from './testing/pool.ts';

const LEDGER_COLUMNS = [
  'inflightRequests',
  'queuedPrefillTokens',
  'decodesRunning',
  'decodeContextTokens',
  'heldKvTokens',
  'expectedGrowthTokens',
] as const;

const row = (table: FleetTable, id: WorkerId): Record<string, number> =>
  Object.fromEntries(LEDGER_COLUMNS.map((name) => [name, table.columns[name][table.row(id)]!]));

const zero = Object.fromEntries(LEDGER_COLUMNS.map((name) => [name, 0]));
const w0 = workerId('w0');
const request = { promptTokens: 1000, uncachedTokens: 600, expectedOutputTokens: 50 };

describe('Ledger', () => {
  it('follows a request from the queue through its decode to nothing', () => {
    const table = pool(2);
    const booking = createLedger(table).book(table.row(w0), request);
    expect(row(table, w0)).toEqual({
      ...zero,
      inflightRequests: 1,
      queuedPrefillTokens: 600,
      expectedGrowthTokens: 50,
    });
    booking.firstToken();
    booking.tokens(9);
    expect(row(table, w0)).toEqual({
      inflightRequests: 1,
      queuedPrefillTokens: 0,
      decodesRunning: 1,
      decodeContextTokens: 1010,
      heldKvTokens: 610,
      expectedGrowthTokens: 40,
    });
    expect(row(table, workerId('w1'))).toEqual(zero);
    booking.release();
    expect(row(table, w0)).toEqual(zero);
  });

  it('does nothing when told twice, out of order, or after the release', () => {
    const table = pool(1);
    const booking = createLedger(table).book(0, request);
    booking.firstToken();
    booking.firstToken();
    expect(row(table, w0)['decodeContextTokens']).toBe(1001);
    booking.release();
    booking.release();
    booking.tokens(5);
    booking.firstToken();
    expect(row(table, w0)).toEqual(zero);
  });

  it('counts whole tokens, and takes what is no number as none', () => {
    const table = pool(1);
    const ledger = createLedger(table);
    const bookings = [
      ledger.book(0, { promptTokens: 10.4, uncachedTokens: 3.6, expectedOutputTokens: 0.2 }),
      ledger.book(0, { promptTokens: NaN, uncachedTokens: Infinity, expectedOutputTokens: -4 }),
    ];
    expect(row(table, w0)).toEqual({ ...zero, inflightRequests: 2, queuedPrefillTokens: 4 });
    for (const booking of bookings) {
      booking.tokens(2.5);
      booking.tokens(NaN);
      booking.release();
    }
    expect(row(table, w0)).toEqual(zero);
  });

  it('keeps what is in flight on a worker that leaves and comes back, until it is released', () => {
    const table = pool(2);
    const ledger = createLedger(table);
    const first = ledger.book(table.row(w0), request);
    table.removeWorker(w0);
    first.firstToken();
    table.addWorker(w0, STEP);
    expect(row(table, w0)).toMatchObject({ inflightRequests: 1, decodesRunning: 1, decodeContextTokens: 1001 });
    first.release();
    expect(row(table, w0)).toEqual(zero);
  });

  it('equals a recount of all live requests after any events, and returns to zero (seeded)', () => {
    const worker = fc.integer({ min: 0, max: 4 }).map((i) => workerId(`w${i}`));
    const tokens = fc.integer({ min: 0, max: 5000 });
    const event = fc.oneof(
      {
        weight: 4,
        arbitrary: fc.record({ kind: fc.constant('book' as const), worker, prompt: tokens, cached: tokens }),
      },
      { weight: 3, arbitrary: fc.record({ kind: fc.constant('first' as const), index: fc.nat() }) },
      {
        weight: 5,
        arbitrary: fc.record({ kind: fc.constant('tokens' as const), index: fc.nat(), count: fc.nat(300) }),
      },
      { weight: 3, arbitrary: fc.record({ kind: fc.constant('release' as const), index: fc.nat() }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('leave' as const), worker }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('join' as const), worker }) },
    );
    fc.assert(
      fc.property(fc.array(event, { maxLength: 120 }), (events) => {
        const table = pool(5);
        const ledger = createLedger(table);
        const reference = new LedgerReference();
        const live: { booking: Booking; entry: ReturnType<LedgerReference['book']> }[] = [];
        const check = (): void => {
          for (const id of table.columns.ids) expect(row(table, id)).toEqual(reference.sums(id));
        };
        for (const each of events) {
          if (each.kind === 'leave') table.removeWorker(each.worker);
          else if (each.kind === 'join') table.addWorker(each.worker, STEP);
          else if (each.kind === 'book') {
            const at = table.row(each.worker);
            if (at < 0) continue;
            const uncachedTokens = Math.max(0, each.prompt - each.cached);
            const booked = { promptTokens: each.prompt, uncachedTokens, expectedOutputTokens: 100 };
            live.push({ booking: ledger.book(at, booked), entry: reference.book(each.worker, booked) });
          } else if (live.length > 0) {
            const at = each.index % live.length;
            const { booking, entry } = live[at]!;
            if (each.kind === 'first') {
              booking.firstToken();
              reference.firstToken(entry);
            } else if (each.kind === 'tokens') {
              booking.tokens(each.count);
              reference.tokens(entry, each.count);
            } else {
              booking.release();
              reference.release(entry);
              live.splice(at, 1);
            }
          }
          check();
        }
        for (const { booking, entry } of live) {
          booking.release();
          reference.release(entry);
        }
        for (const id of table.columns.ids) expect(row(table, id)).toEqual(zero);
      }),
      { seed: 17, numRuns: 150 },
    );
  });
});
