import { describe, expect, it } from '@jest/globals';
import { workerId } from '@sluice/model';
import { seededRng } from '@sluice/numerics';
import type { FleetTable } from './fleet-table.ts';
import { createLedger } from './ledger.ts';
import type { Booking } from './ledger.ts';
import { usedKvTokens } from './occupancy.ts';
import { LedgerReference } from './testing/ledger-reference.ts';
import { pool, STEP } from './testing/pool.ts';

const LONG = { promptTokens: 100_000, uncachedTokens: 100_000, expectedOutputTokens: 100 };
/** Of {@link LONG} on an idle worker: the way to the engine, then 13 chunks. */
const API_MS = STEP.apiBaseMs + STEP.apiPerTokenMs * LONG.promptTokens;
const PREFILL_MS =
  13 * (STEP.t0Ms + STEP.kSeqMs) + STEP.aMsPerToken * LONG.promptTokens + (STEP.kAttMs * LONG.promptTokens ** 2) / 2;
const w0 = workerId('w0');

/** Queued, prefilled and held tokens of the first worker. */
const tokens = ({ columns }: FleetTable): number[] => [
  columns.queuedPrefillTokens[0]!,
  columns.prefilledTokens[0]!,
  columns.heldKvTokens[0]!,
];

describe('the progress of prefills', () => {
  it('moves tokens from the queue to the memory held, as time passes', () => {
    const table = pool(1);
    table.ageSignals(1000);
    const booking = createLedger(table).book(0, LONG);
    table.ageSignals(1000 + API_MS);
    expect(tokens(table)).toEqual([100_000, 0, 0]);
    table.ageSignals(1000 + API_MS + PREFILL_MS / 4);
    expect(tokens(table)).toEqual([75_000, 25_000, 25_000]);
    table.ageSignals(1000 + API_MS + PREFILL_MS / 2);
    expect(tokens(table)).toEqual([50_000, 50_000, 50_000]);
    table.ageSignals(1_000_000);
    expect(tokens(table)).toEqual([5000, 95_000, 95_000]);
    booking.firstToken(1_000_001);
    expect(tokens(table)).toEqual([0, 0, 100_001]);
    booking.release();
    expect(tokens(table)).toEqual([0, 0, 0]);
  });

  it('begins with the next one when the one before is done or given up', () => {
    const table = pool(1);
    const ledger = createLedger(table);
    const [first, second, third] = [ledger.book(0, LONG), ledger.book(0, LONG), ledger.book(0, LONG)];
    table.ageSignals(10_000);
    first.firstToken(20_000);
    expect(tokens(table)).toEqual([200_000, 0, 100_001]);
    table.ageSignals(20_000);
    expect(tokens(table)).toEqual([200_000, 0, 100_001]);
    first.release(20_000);
    table.ageSignals(20_000 + PREFILL_MS / 4);
    expect(tokens(table)).toEqual([175_000, 25_000, 25_000]);
    third.release(20_000 + PREFILL_MS / 4);
    table.ageSignals(20_000 + PREFILL_MS / 2);
    expect(tokens(table)).toEqual([50_000, 50_000, 50_000]);
    const fourth = ledger.book(0, LONG);
    second.release(40_000);
    expect(tokens(table)).toEqual([100_000, 0, 0]);
    table.ageSignals(40_000 + PREFILL_MS / 4);
    expect(tokens(table)).toEqual([75_000, 25_000, 25_000]);
    fourth.release();
  });

  it('is none for what the router keeps', () => {
    const table = pool(1);
    const held = createLedger(table).hold(0, LONG);
    table.ageSignals(60_000);
    expect(tokens(table)).toEqual([100_000, 0, 0]);
    held.release();
    expect(tokens(table)).toEqual([0, 0, 0]);
  });

  it('is slower beside decodes', () => {
    const done = (decodes: number): number => {
      const table = pool(1);
      const ledger = createLedger(table);
      for (let i = 0; i < decodes; i++) {
        ledger.book(0, { promptTokens: 4000, uncachedTokens: 0, expectedOutputTokens: 10 }).firstToken();
      }
      ledger.book(0, LONG);
      table.ageSignals(5000);
      return table.columns.prefilledTokens[0]!;
    };
    expect(done(0) / done(50)).toBeGreaterThan(1.01);
  });

  it('is told to no sibling, and only counts as ours by our share of the queue', () => {
    const table = pool(1);
    const slot = table.slotOf(w0);
    createLedger(table).book(0, LONG);
    const theirs = { ...slot.inFlight, queuedPrefillTokens: 300_000, requests: 3 };
    table.replaceSiblingShare(slot, null, theirs, false);
    table.ageSignals(API_MS + PREFILL_MS / 2);
    expect(tokens(table)).toEqual([387_500, 12_500, 12_500]);
    expect(slot.inFlight.queuedPrefillTokens).toBe(100_000);
    // one of theirs is done: whoever is next has just begun
    table.replaceSiblingShare(slot, theirs, { ...theirs, queuedPrefillTokens: 100_000, decodes: 1 }, false);
    table.ageSignals(API_MS + PREFILL_MS / 2);
    expect(tokens(table)).toEqual([200_000, 0, 0]);
  });

  it('is not counted twice where a reading shows it already', () => {
    const table = pool(1);
    createLedger(table).book(0, LONG);
    table.ageSignals(API_MS + PREFILL_MS / 2);
    expect(usedKvTokens(table.columns, 0)).toBe(100_000);
    const reading = { waitingRequests: 0, runningRequests: 1, kvUsage: 0.2, kvCapacityTokens: 300_000 };
    table.recordScrape(0, reading, API_MS + PREFILL_MS / 2);
    expect(usedKvTokens(table.columns, 0)).toBe(60_000 + 50_000);
    table.ageSignals(API_MS + PREFILL_MS / 2 + 900);
    expect(tokens(table)[0]).toBeLessThan(45_000);
    expect(usedKvTokens(table.columns, 0)).toBe(60_000 + 50_000);
  });

  it('tells a request what was prefilled of others before its first token, its own step included, and after', () => {
    const table = pool(1);
    const ledger = createLedger(table);
    const book = (promptTokens: number, uncachedTokens: number): Booking =>
      ledger.book(0, { promptTokens, uncachedTokens, expectedOutputTokens: 10 });
    const long = book(100_000, 100_000);
    table.ageSignals(API_MS + PREFILL_MS / 4);
    const mine = book(3000, 1000);
    const [sameStep, later, alsoLater, given] = [book(600, 600), book(2000, 500), book(20_000, 20_000), book(900, 900)];
    expect(mine.beside()).toBeNull();
    long.firstToken(9000);
    mine.firstToken(9100);
    sameStep.firstToken(9101);
    later.firstToken(9200);
    alsoLater.firstToken(10_200);
    given.release(10_300);
    mine.release(10_400);
    const longPairs = 100_000 ** 2 / 2;
    const samePairs = 600 ** 2 / 2;
    expect(mine.beside()).toEqual({
      // a quarter of the long one was done when ours came
      tokensBefore: 75_600,
      pairsBefore: ((longPairs + samePairs) * 75_600) / 100_600,
      tokensAfter: 20_500,
      pairsAfter: 500 * 1750 + 20_000 ** 2 / 2,
      stepsAfter: 4,
    });
    expect(given.beside()).toBeNull();
    for (const booking of [long, sameStep, later, alsoLater]) booking.release();
  });

  it('counts the prompts of siblings among them', () => {
    const table = pool(1);
    const slot = table.slotOf(w0);
    const mine = createLedger(table).book(0, { promptTokens: 100, uncachedTokens: 100, expectedOutputTokens: 5 });
    const theirs = { ...slot.inFlight, queuedPrefillTokens: 4000 };
    table.replaceSiblingShare(slot, null, theirs, false);
    mine.firstToken(50);
    table.ageSignals(200);
    table.replaceSiblingShare(slot, theirs, { ...theirs, queuedPrefillTokens: 0, decodes: 1 }, false);
    expect(mine.beside()).toMatchObject({ tokensBefore: 0, tokensAfter: 4000, stepsAfter: 1 });
  });

  it('equals what a list of all requests gives, added up chunk by chunk (seeded)', () => {
    for (let seed = 1; seed <= 60; seed++) {
      const rng = seededRng(seed);
      const below = (limit: number): number => Math.floor(rng() * limit);
      const table = pool(3);
      const ledger = createLedger(table);
      const reference = new LedgerReference();
      const live: { booking: Booking; entry: ReturnType<LedgerReference['book']> }[] = [];
      let nowMs = 0;
      for (let event = 0; event < 150; event++) {
        nowMs += rng() * 600;
        const kind = below(6);
        const at = below(live.length);
        const each = live[at];
        if (kind < 2 || each === undefined) {
          const row = below(3);
          const promptTokens = 2 ** below(17);
          const request = { promptTokens, uncachedTokens: below(promptTokens + 1), expectedOutputTokens: 10 };
          table.ageSignals(nowMs);
          const sent = rng() < 0.8;
          const booking = sent ? ledger.book(row, request) : ledger.hold(row, request);
          live.push({ booking, entry: reference.book(`w${row}`, request, sent ? nowMs : null) });
        } else if (kind === 2) {
          each.booking.firstToken(nowMs);
          reference.firstToken(each.entry, nowMs);
        } else if (kind === 3) {
          table.ageSignals(nowMs);
          each.booking.tokens(3);
          reference.tokens(each.entry, 3, nowMs);
        } else if (kind === 4) {
          each.booking.release(nowMs);
          reference.release(each.entry, nowMs);
          live.splice(at, 1);
        } else {
          table.ageSignals(nowMs);
          for (let row = 0; row < 3; row++) {
            const { queuedPrefillTokens, heldKvTokens } = reference.sums(`w${row}`);
            const done = reference.prefilledTokens(`w${row}`, nowMs, STEP);
            const { columns } = table;
            expect(Math.abs(columns.prefilledTokens[row]! - done)).toBeLessThanOrEqual(1 + 0.01 * done);
            expect(columns.queuedPrefillTokens[row]! + columns.prefilledTokens[row]!).toBe(queuedPrefillTokens);
            expect(columns.heldKvTokens[row]! - columns.prefilledTokens[row]!).toBe(heldKvTokens);
          }
        }
      }
      for (const { booking } of live) booking.release(nowMs);
      for (let row = 0; row < 3; row++) {
        const { prefilledTokens, queuedPrefillTokens, heldKvTokens } = table.columns;
        expect([prefilledTokens[row], queuedPrefillTokens[row], heldKvTokens[row]]).toEqual([0, 0, 0]);
      }
    }
  });
});
