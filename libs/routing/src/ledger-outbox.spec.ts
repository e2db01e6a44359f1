import { describe, expect, it } from '@jest/globals';
import type { LedgerMessage } from '@sluice/model';
import { workerId } from '@sluice/model';
import type { Rng } from '@sluice/model';
import { seededRng } from '@sluice/numerics';
import { createPolicy } from './create-policy.ts';
import { createDecisionTerms } from './decision-terms.ts';
import type { FleetTable } from './fleet-table.ts';
import type { Booking, Ledger } from './ledger.ts';
import { createLedger } from './ledger.ts';
import { LedgerOutbox } from './ledger-outbox.ts';
import { SIBLING_EXPIRY_MS, SIBLING_HEARTBEAT_MS, SiblingLedgers } from './sibling-ledgers.ts';
import { LedgerReference } from './testing/ledger-reference.ts';
import { pool, predictAll, QUERY, STEP } from './testing/pool.ts';

const request = { promptTokens: 1000, uncachedTokens: 600, expectedOutputTokens: 50 };
const w1 = workerId('w1');

describe('LedgerOutbox', () => {
  it('says at once what was booked, began to decode or ended, absolute and once', () => {
    const table = pool(3);
    let told = 0;
    const outbox = new LedgerOutbox(table, 'a', 7, () => told++);
    const booking = createLedger(table).book(1, request);
    expect(told).toBe(1);
    expect(outbox.changes('bookings', 5)).toEqual({
      kind: 'changes',
      router: 'a',
      epoch: 7,
      seq: 0,
      sentAtMs: 5,
      rows: [
        {
          worker: w1,
          inFlight: {
            requests: 1,
            queuedPrefillTokens: 600,
            decodes: 0,
            decodeContextTokens: 0,
            heldKvTokens: 0,
            growthTokens: 50,
          },
        },
      ],
    });
    expect(outbox.changes('all', 6)).toBeNull();
    booking.firstToken();
    expect(outbox.changes('bookings', 7)?.rows[0]?.inFlight).toMatchObject({ decodes: 1, decodeContextTokens: 1001 });
    const toldBefore = told;
    booking.tokens(20);
    expect(told).toBe(toldBefore);
    expect(outbox.changes('bookings', 8)).toBeNull();
    expect(outbox.changes('all', 8)?.rows[0]?.inFlight).toMatchObject({ decodeContextTokens: 1021 });
    booking.release();
    expect(outbox.changes('bookings', 9)).toMatchObject({ seq: 3, rows: [{ worker: w1, inFlight: { requests: 0 } }] });
  });

  it('says nothing of a request that came and went between two messages', () => {
    const table = pool(1);
    const outbox = new LedgerOutbox(table, 'a', 0);
    createLedger(table).book(0, request).release();
    expect(outbox.changes('bookings', 0)).toBeNull();
  });

  it('says what is booked after a state, also when it is as much as was told before that', () => {
    const table = pool(1);
    const outbox = new LedgerOutbox(table, 'a', 0);
    const ledger = createLedger(table);
    const first = ledger.book(0, request);
    outbox.changes('bookings', 0);
    first.release();
    outbox.state(0);
    ledger.book(0, request);
    expect(outbox.changes('bookings', 0)?.rows).toHaveLength(1);
  });

  it('its state has every worker with something in flight, also one that left the table, and no other', () => {
    const table = pool(3);
    const outbox = new LedgerOutbox(table, 'a', 0);
    const ledger = createLedger(table);
    ledger.book(0, request).release();
    ledger.book(1, request);
    table.removeWorker(w1);
    expect(outbox.state(0)).toMatchObject({ kind: 'state', rows: [{ worker: 'w1', inFlight: { requests: 1 } }] });
    expect(outbox.changes('all', 0)).toBeNull();
    expect(outbox.leave(0)).toMatchObject({ kind: 'leave', seq: 1, rows: [] });
  });
});

const COLUMNS = [
  'inflightRequests',
  'queuedPrefillTokens',
  'decodesRunning',
  'decodeContextTokens',
  'heldKvTokens',
  'expectedGrowthTokens',
] as const;

/** A router of the simulation below, with its requests recounted by a {@link LedgerReference}. */
class SimRouter {
  alive = true;
  readonly table: FleetTable;
  readonly outbox: LedgerOutbox;
  readonly siblings: SiblingLedgers;
  readonly reference = new LedgerReference();
  private readonly ledger: Ledger;
  private readonly live: { booking: Booking; entry: ReturnType<LedgerReference['book']> }[] = [];

  constructor(name: string, workers: number) {
    this.table = pool(workers);
    this.ledger = createLedger(this.table);
    this.outbox = new LedgerOutbox(this.table, name, 1);
    this.siblings = new SiblingLedgers(this.table);
  }

  step(rng: Rng): void {
    const draw = rng();
    const at = Math.floor(rng() * this.live.length);
    if (draw < 0.4 && this.table.columns.size > 0) {
      const row = Math.floor(rng() * this.table.columns.size);
      const promptTokens = Math.floor(rng() * 3000);
      const booked = { promptTokens, uncachedTokens: Math.floor(promptTokens * rng()), expectedOutputTokens: 100 };
      const entry = this.reference.book(this.table.columns.ids[row]!, booked);
      this.live.push({ booking: this.ledger.book(row, booked), entry });
    } else if (at < this.live.length) {
      const { booking, entry } = this.live[at]!;
      if (draw < 0.75) {
        const count = Math.floor(rng() * 50);
        booking.tokens(count);
        this.reference.tokens(entry, count);
      } else {
        booking.release();
        this.reference.release(entry);
        this.live.splice(at, 1);
      }
    }
  }
}

describe('routers that share their ledgers', () => {
  it('all come to the sum of the truth, whatever is lost, doubled, late or dead (seeded)', () => {
    for (let seed = 1; seed <= 40; seed++) {
      const rng = seededRng(seed);
      const workers = 4;
      const routers = ['a', 'b', 'c', 'd'].map((name) => new SimRouter(name, workers));
      let flying: { to: SimRouter; message: LedgerMessage }[] = [];
      const say = (from: SimRouter, message: LedgerMessage | null): void => {
        if (message === null) return;
        for (const to of routers) {
          if (to === from || rng() < 0.2) continue; // lost
          flying.push({ to, message });
          if (rng() < 0.1) flying.push({ to, message }); // doubled
        }
      };
      const land = (share: number, nowMs: number): void => {
        const still: typeof flying = [];
        for (const each of flying) {
          if (rng() >= share)
            still.push(each); // later messages overtake it
          else if (each.to.alive) each.to.siblings.apply(each.message, nowMs);
        }
        flying = still;
      };
      let nowMs = 0;
      for (let round = 0; round < 300; round++) {
        nowMs += 10;
        for (const router of routers) {
          if (!router.alive) continue;
          router.step(rng);
          if (rng() < 0.02) router.table.removeWorker(workerId(`w${Math.floor(rng() * workers)}`));
          if (rng() < 0.05) router.table.addWorker(workerId(`w${Math.floor(rng() * workers)}`), STEP);
          if (rng() < 0.5) say(router, router.outbox.changes(rng() < 0.5 ? 'bookings' : 'all', nowMs));
          if (rng() < 0.05) say(router, router.outbox.state(nowMs));
          router.siblings.expire(nowMs);
        }
        land(0.7, nowMs);
        if (round === 150) routers[3]!.alive = false;
        if (round === 200) {
          routers[2]!.alive = false;
          const last = routers[2]!.outbox.leave(nowMs);
          for (const to of routers) if (to.alive) to.siblings.apply(last, nowMs);
          flying = flying.filter(({ message }) => message.router !== last.router);
        }
      }
      // Everything in flight lands or is lost, then every living router is heard once more.
      land(1, nowMs);
      nowMs += SIBLING_EXPIRY_MS - SIBLING_HEARTBEAT_MS;
      const living = routers.filter(({ alive }) => alive);
      for (const from of living) {
        const state = from.outbox.state(nowMs);
        for (const to of living) if (to !== from) to.siblings.apply(state, nowMs);
      }
      nowMs += SIBLING_HEARTBEAT_MS;
      for (const { siblings, table } of living) {
        siblings.expire(nowMs);
        expect(siblings.count).toBe(living.length - 1);
        for (let i = 0; i < workers; i++) {
          const id = workerId(`w${i}`);
          const row = table.addWorker(id, STEP);
          const truth = living.map(({ reference }) => reference.sums(id));
          for (const name of COLUMNS) {
            const sum = truth.reduce((total, sums) => total + sums[name]!, 0);
            expect([seed, i, name, table.columns[name][row]]).toEqual([seed, i, name, sum]);
          }
        }
      }
    }
  });

  it('do not herd when they decide on the same state before they hear of each other (seeded)', () => {
    const made = createPolicy('expected-latency');
    if (made.kind !== 'policy') throw new Error(made.message);
    const terms = createDecisionTerms();
    const [workers, burst, runs] = [8, 4, 200];
    let shared = 0;
    for (let seed = 1; seed <= runs; seed++) {
      const chosen = ['a', 'b'].map((name, i) => {
        const router = new SimRouter(name, workers);
        const rng = seededRng(1000 * i + seed);
        const ledger = createLedger(router.table);
        return Array.from({ length: burst }, () => {
          predictAll(router.table, QUERY, () => 0);
          const choice = made.policy.choose(router.table.columns, QUERY, rng, terms);
          if (choice.kind !== 'picked') throw new Error(choice.reason);
          ledger.book(choice.row, { promptTokens: 4000, uncachedTokens: 4000, expectedOutputTokens: 200 });
          return choice.row;
        });
      });
      // A router never sends two of a burst to one worker while others are idle, so a worker gets two at most.
      for (const rows of chosen) expect(new Set(rows).size).toBe(burst);
      shared += chosen[0]!.filter((row) => chosen[1]!.includes(row)).length;
    }
    // Independent draws of 4 of 8 share 2 on average; routers that herd share all 4.
    expect(shared / runs).toBeGreaterThan(1.7);
    expect(shared / runs).toBeLessThan(2.3);
  });
});
