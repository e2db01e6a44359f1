import { describe, expect, it } from '@jest/globals';
import { workerId } from '@sluice/model';
import { createLedger } from './ledger.ts';
import { createFleetTable } from './fleet-table.ts';
import { kvForecast, readingWeight, usedKvTokens } from './occupancy.ts';
import { pool, STEP } from './testing/pool.ts';

const reading = { waitingRequests: 3, runningRequests: 7, kvUsage: 0.5, kvCapacityTokens: 1000 };

describe('FleetTable', () => {
  it('adds workers that are not up and were never scraped, and grows past its capacity', () => {
    const table = createFleetTable(1);
    for (let i = 0; i < 20; i++) expect(table.addWorker(workerId(`w${i}`), STEP)).toBe(i);
    expect(table.addWorker(workerId('w7'), STEP)).toBe(7);
    const { columns } = table;
    expect(columns.size).toBe(20);
    expect(columns.ids).toHaveLength(20);
    expect([...columns.up.slice(0, 20)]).toEqual(Array(20).fill(0));
    expect(columns.signalAgeMs[19]).toBe(Infinity);
    expect(columns.predictedTtftMs[19]).toBeNaN();
    expect(columns.step[19]).toBe(STEP);
  });

  it('moves the last worker into the place of a removed one, with everything about it', () => {
    const table = pool(3);
    const ledger = createLedger(table);
    const last = workerId('w2');
    table.recordScrape(2, reading, 5);
    const booking = ledger.book(2, { promptTokens: 10, uncachedTokens: 10, expectedOutputTokens: 1 });
    table.removeWorker(workerId('w0'));
    expect(table.row(workerId('w0'))).toBe(-1);
    expect(table.row(last)).toBe(0);
    const { columns } = table;
    expect(columns.ids).toEqual(['w2', 'w1']);
    expect(columns.waitingRequests[0]).toBe(3);
    expect(columns.queuedPrefillTokens[0]).toBe(10);
    booking.release();
    expect(columns.queuedPrefillTokens[0]).toBe(0);
    table.ageSignals(105);
    expect(columns.signalAgeMs[0]).toBe(100);
    expect(columns.signalAgeMs[1]).toBe(105);
  });
});

describe('occupancy', () => {
  it('carries a reading forward by what the ledger saw since, and adds what is queued', () => {
    const table = pool(1);
    const ledger = createLedger(table);
    const old = ledger.book(0, { promptTokens: 100, uncachedTokens: 100, expectedOutputTokens: 50 });
    old.firstToken();
    table.recordScrape(0, reading, 0); // 500 used, of which the ledger knows 101
    expect(usedKvTokens(table.columns, 0)).toBe(500);
    old.tokens(20);
    const young = ledger.book(0, { promptTokens: 90, uncachedTokens: 30, expectedOutputTokens: 50 });
    expect(usedKvTokens(table.columns, 0)).toBe(500 + 20 + 30);
    young.firstToken();
    expect(usedKvTokens(table.columns, 0)).toBe(500 + 20 + 31);
    old.release();
    expect(usedKvTokens(table.columns, 0)).toBe(500 - 101 + 31);
  });

  it('forecasts the share of the memory in use once a prompt is in, and none where its size is not known', () => {
    const table = pool(2);
    table.recordScrape(0, reading, 0);
    table.columns.cachedTokens[0] = 100;
    expect(kvForecast(table.columns, 0, 400)).toBe(0.8);
    expect(kvForecast(table.columns, 0, 50)).toBe(0.5);
    table.recordScrape(1, { ...reading, kvCapacityTokens: 0 }, 0);
    expect(kvForecast(table.columns, 1, 400)).toBe(0);
  });

  it('gives a stale reading less and less say, and none to one never taken', () => {
    expect([0, 1000, 2000, 4000].map(readingWeight)).toEqual([1, 1, 0.5, 0.125]);
    expect(readingWeight(20_000)).toBe(0);
    expect(readingWeight(Infinity)).toBe(0);
    expect(readingWeight(NaN)).toBe(0);
    const table = pool(1);
    table.recordScrape(0, reading, 0);
    table.ageSignals(2000);
    expect(usedKvTokens(table.columns, 0)).toBe(250);
    table.ageSignals(60_000);
    expect(usedKvTokens(table.columns, 0)).toBe(0);
  });
});
