import { describe, expect, it } from '@jest/globals';
import type { InFlight, LedgerMessage, WorkerId } from '@sluice/model';
import { workerId } from '@sluice/model';
import fc from 'fast-check';
import type { FleetTable } from './fleet-table.ts';
import { createLedger } from './ledger.ts';
import { usedKvTokens } from './occupancy.ts';
import { SIBLING_EXPIRY_MS, SiblingLedgers } from './sibling-ledgers.ts';
import { pool, STEP } from './testing/pool.ts';
import { SiblingReference } from './testing/sibling-reference.ts';

const w0 = workerId('w0');
const w1 = workerId('w1');

const load = (requests: number): InFlight => ({
  requests,
  queuedPrefillTokens: 10 * requests,
  decodes: requests,
  decodeContextTokens: 100 * requests,
  heldKvTokens: 50 * requests,
  growthTokens: 7 * requests,
});

let seq = 0;
const message = (
  kind: LedgerMessage['kind'],
  rows: readonly (readonly [WorkerId, number])[],
  rest: Partial<LedgerMessage> = {},
): LedgerMessage => ({
  kind,
  router: 'b',
  epoch: 1,
  seq: seq++,
  sentAtMs: 0,
  rows: rows.map(([worker, requests]) => ({ worker, inFlight: load(requests) })),
  ...rest,
});

const columns = (table: FleetTable, id: WorkerId): number[] => {
  const row = table.row(id);
  const { inflightRequests, queuedPrefillTokens, decodesRunning, siblingRequests, siblingQueuedPrefillTokens } =
    table.columns;
  return [inflightRequests, queuedPrefillTokens, decodesRunning, siblingRequests, siblingQueuedPrefillTokens].map(
    (column) => column[row]!,
  );
};

describe('SiblingLedgers', () => {
  it('adds to the own ledger, and shows which part is whose', () => {
    const table = pool(2);
    const siblings = new SiblingLedgers(table);
    const own = createLedger(table).book(0, { promptTokens: 90, uncachedTokens: 90, expectedOutputTokens: 5 });
    expect(siblings.apply(message('state', [[w0, 2]]), 0)).toBe('joined');
    expect(siblings.apply(message('state', [[w0, 1]], { router: 'c' }), 0)).toBe('joined');
    expect(columns(table, w0)).toEqual([4, 90 + 30, 3, 3, 30]);
    expect(siblings.apply(message('changes', [[w1, 5]]), 0)).toBe('applied');
    expect(columns(table, w0)).toEqual([4, 120, 3, 3, 30]);
    expect(columns(table, w1)).toEqual([5, 50, 5, 5, 50]);
    own.release();
    expect(siblings.apply(message('state', [[w1, 1]]), 0)).toBe('applied');
    expect(columns(table, w0)).toEqual([1, 10, 1, 1, 10]);
    expect(columns(table, w1)).toEqual([1, 10, 1, 1, 10]);
  });

  it('ignores repeats and what was overtaken, and counts what never came', () => {
    const table = pool(1);
    const siblings = new SiblingLedgers(table);
    const [first, second, , fourth] = [1, 2, 3, 4].map((requests) => message('changes', [[w0, requests]]));
    siblings.apply(first!, 0);
    siblings.apply(fourth!, 0);
    expect(siblings.apply(second!, 0)).toBe('stale');
    expect(siblings.apply(fourth!, 0)).toBe('stale');
    expect(columns(table, w0)[0]).toBe(4);
    expect(siblings.views()).toEqual([
      { router: 'b', joinedAtMs: 0, heardAtMs: 0, lostMessages: 2, workers: 1, inFlight: load(4) },
    ]);
  });

  it('a newer epoch replaces all that was said before, an older one is ignored', () => {
    const table = pool(2);
    const siblings = new SiblingLedgers(table);
    siblings.apply(message('state', [[w0, 3]], { epoch: 5 }), 0);
    siblings.apply(message('changes', [[w1, 1]], { epoch: 6, seq: 0 }), 0);
    expect([columns(table, w0)[0], columns(table, w1)[0]]).toEqual([0, 1]);
    expect(siblings.apply(message('state', [[w0, 3]], { epoch: 5 }), 0)).toBe('stale');
    expect(siblings.apply(message('leave', [], { epoch: 5 }), 0)).toBe('stale');
    expect(siblings.count).toBe(1);
  });

  it('forgets who leaves at once, and who is silent after its expiry', () => {
    const table = pool(1);
    const siblings = new SiblingLedgers(table);
    siblings.apply(message('state', [[w0, 1]]), 1000);
    siblings.apply(message('state', [[w0, 2]], { router: 'c' }), 2000);
    expect(siblings.apply(message('leave', [], { router: 'c' }), 2100)).toBe('left');
    expect(siblings.apply(message('leave', [], { router: 'c' }), 2100)).toBe('stale');
    expect(columns(table, w0)[0]).toBe(1);
    expect(siblings.expire(1000 + SIBLING_EXPIRY_MS - 1)).toEqual([]);
    expect(siblings.expire(1000 + SIBLING_EXPIRY_MS)).toEqual(['b']);
    expect(columns(table, w0)[0]).toBe(0);
  });

  it('keeps what is said of a worker that is not in the table, until it is', () => {
    const table = pool(1);
    const siblings = new SiblingLedgers(table);
    siblings.apply(message('state', [[w1, 2]]), 0);
    table.addWorker(w1, STEP);
    expect(columns(table, w1)[0]).toBe(2);
    table.removeWorker(w1);
    siblings.apply(message('changes', [[w1, 3]]), 0);
    table.addWorker(w1, STEP);
    expect(columns(table, w1)[0]).toBe(3);
    table.removeWorker(w1);
    siblings.apply(message('leave', []), 0);
    table.addWorker(w1, STEP);
    expect(columns(table, w1)[0]).toBe(0);
  });

  it('does not take for new memory what a sibling held before it was heard, nor for freed what died with it', () => {
    const table = pool(1);
    table.recordScrape(0, { waitingRequests: 0, runningRequests: 4, kvUsage: 0.001, kvCapacityTokens: 300_000 }, 0);
    const siblings = new SiblingLedgers(table);
    const before = usedKvTokens(table.columns, 0);
    siblings.apply(message('state', [[w0, 4]]), 0);
    const queued = load(4).queuedPrefillTokens;
    expect(usedKvTokens(table.columns, 0)).toBe(before + queued);
    const more = { ...load(4), heldKvTokens: 260 };
    siblings.apply(message('changes', [], { rows: [{ worker: w0, inFlight: more }] }), 0);
    expect(usedKvTokens(table.columns, 0)).toBe(before + queued + 60);
    siblings.expire(10_000);
    expect(usedKvTokens(table.columns, 0)).toBe(before + 60);
  });

  it('equals a sum from scratch after any messages in any order, and returns to zero (seeded)', () => {
    const ids = [0, 1, 2, 3].map((i) => workerId(`w${i}`)); // w3 is not in the table at first
    const id = fc.constantFrom(...ids);
    const event = fc.oneof(
      {
        weight: 8,
        arbitrary: fc.record({
          kind: fc.constantFrom('changes' as const, 'changes' as const, 'state' as const, 'leave' as const),
          router: fc.constantFrom('b', 'c', 'd'),
          epoch: fc.integer({ min: 1, max: 2 }),
          seq: fc.nat(40),
          rows: fc.uniqueArray(fc.tuple(id, fc.nat(3)), { maxLength: 4, selector: ([worker]) => worker }),
        }),
      },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('add' as const), id }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('remove' as const), id }) },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(2000) }) },
    );
    fc.assert(
      fc.property(fc.array(event, { maxLength: 80 }), (events) => {
        const table = pool(3);
        const siblings = new SiblingLedgers(table);
        const reference = new SiblingReference();
        const check = (): void => {
          for (const [row, worker] of table.columns.ids.entries()) {
            expect([
              table.columns.inflightRequests[row],
              table.columns.queuedPrefillTokens[row],
              table.columns.decodesRunning[row],
              table.columns.decodeContextTokens[row],
              table.columns.heldKvTokens[row],
              table.columns.expectedGrowthTokens[row],
            ]).toEqual(Object.keys(load(0)).map((name) => reference.sum(worker, name as keyof InFlight)));
          }
          expect(
            siblings
              .views()
              .map(({ router }) => router)
              .sort(),
          ).toEqual(reference.routers);
        };
        let nowMs = 0;
        for (const each of events) {
          if (each.kind === 'add') table.addWorker(each.id, STEP);
          else if (each.kind === 'remove') table.removeWorker(each.id);
          else if (each.kind === 'wait') {
            nowMs += each.ms;
            siblings.expire(nowMs, SIBLING_EXPIRY_MS);
            reference.expire(nowMs, SIBLING_EXPIRY_MS);
          } else {
            const { kind, router, epoch, seq } = each;
            const sent = message(kind, kind === 'leave' ? [] : each.rows, { router, epoch, seq });
            siblings.apply(sent, nowMs);
            reference.apply(sent, nowMs);
          }
          check();
        }
        siblings.expire(nowMs + SIBLING_EXPIRY_MS);
        for (const worker of ids)
          expect(columns(table, (table.addWorker(worker, STEP), worker))).toEqual([0, 0, 0, 0, 0]);
      }),
      { seed: 29, numRuns: 300 },
    );
  });
});
