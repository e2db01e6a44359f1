import { describe, expect, it } from '@jest/globals';
import type { FleetColumns } from '@sluice/model';
import type { FlowControlOptions } from './options.ts';
import { job, SlotPool, slotFlowControl } from './testing/pool.ts';
import type { Job } from './testing/pool.ts';
import type { FlowRequest } from './ticket.ts';

const WORKERS = 8;

/** Eight workers that are all full of one tenant's requests, with more of them held since 0 ms. */
class Flooded {
  readonly pool: SlotPool;
  private jobs = 0;

  constructor(options: Partial<FlowControlOptions> = {}) {
    this.pool = new SlotPool(slotFlowControl(options), new Array<number>(WORKERS).fill(2));
    for (let i = 0; i < 40; i++) this.send('flood', 0);
  }

  send(tenant: string, atMs: number, rest: Partial<FlowRequest> = {}): Job {
    const sent = job(this.jobs, { worker: this.jobs++ % WORKERS });
    this.pool.offer(sent, this.pool.request(tenant, { arrivedAtMs: atMs, ...rest }), atMs);
    return sent;
  }

  /** A request of another tenant is answered every `everyMs`, after `waitMs`. */
  serveOther(everyMs: number, waitMs: number, fromMs: number, toMs: number, rest: Partial<FlowRequest> = {}): void {
    for (let atMs = fromMs; atMs < toMs; atMs += everyMs) {
      const ticket = this.pool.flow.arrive(job(-1), this.pool.request('other', { arrivedAtMs: atMs, ...rest }));
      const line = this.pool.flow.createLine();
      const room = { kvCapacityTokens: 0, usedKvTokens: 0, growthTokens: 0, queuedPrefillTokens: 0 };
      this.pool.flow.offer(ticket, { line, uncachedTokens: 100, expectedOutputTokens: 1, room }, atMs);
      this.pool.flow.firstToken(ticket, atMs + waitMs);
      this.pool.flow.end(ticket, atMs + waitMs, null);
    }
  }

  /** Workers that a request of `tenant` may go to. */
  open(tenant: string, atMs: number, rest: Partial<FlowRequest> = {}): number {
    const { pool } = this;
    const column = (): Float64Array => new Float64Array(WORKERS);
    const columns = {
      size: WORKERS,
      ids: pool.lines.map((_, row) => `w${row}`),
      up: new Uint8Array(WORKERS).fill(1),
      inflightRequests: column(),
      queuedPrefillTokens: column(),
      expectedGrowthTokens: column(),
    } as unknown as FleetColumns;
    const ticket = pool.flow.arrive(job(-1), pool.request(tenant, { arrivedAtMs: atMs, ...rest }));
    pool.flow.takeOutOvertaken(ticket, pool.lines, columns, atMs);
    const open = columns.up.reduce((sum, up) => sum + up, 0);
    pool.flow.putBackOvertaken();
    expect([...columns.up]).toEqual(new Array(WORKERS).fill(1));
    return open;
  }
}

describe('a tenant that floods', () => {
  it('has all workers while nobody else wants any', () => {
    expect(new Flooded().open('flood', 20_000)).toBe(WORKERS);
  });

  it('leaves others as many as they need, from when its requests are held for long', () => {
    const it = new Flooded();
    it.serveOther(1000, 200, 0, 20_000);
    expect(it.open('flood', 900)).toBe(WORKERS);
    // a fifth of a request waits at one time: three workers are all at a prompt once in 900 times, two once in 60
    expect(it.open('flood', 20_000)).toBe(WORKERS - 3);
    expect(it.open('other', 20_000)).toBe(WORKERS);
    expect(it.open('flood', 20_000, { isRetry: true })).toBe(WORKERS);
  });

  it('keeps its share by weight, whatever others need', () => {
    const open = (weights: Record<string, number>): number => {
      const it = new Flooded({ weights });
      it.serveOther(50, 900, 0, 20_000);
      return it.open('flood', 20_000);
    };
    expect(open({})).toBe(WORKERS / 2);
    expect(open({ flood: 3 })).toBe(6);
    expect(open({ flood: 100 })).toBe(WORKERS - 1);
    expect(open({ other: 100 })).toBe(WORKERS / 4); // three quarters is most
  });

  it('leaves a higher band more than that', () => {
    const it = new Flooded();
    it.serveOther(50, 900, 0, 20_000, { priority: 1 });
    expect(it.open('flood', 20_000)).toBe(WORKERS / 4);
  });

  it('gets workers back one by one when others need fewer, and all when they are gone', () => {
    const it = new Flooded();
    it.serveOther(50, 900, 0, 20_000);
    expect(it.open('flood', 20_000)).toBe(4);
    it.serveOther(10_000, 10, 20_000, 5_430_000);
    const open = [1_819_000, 1_821_000, 1_822_000, 3_622_000, 5_423_000].map((atMs) => it.open('flood', atMs));
    expect(open).toEqual([4, 5, 5, 6, 7]);
    expect(it.open('flood', 5_470_000)).toBe(WORKERS);
  });

  it('shares with one that floods as well', () => {
    const it = new Flooded();
    for (let i = 0; i < 40; i++) it.send('second', 0);
    expect([it.open('flood', 5000), it.open('second', 5000)]).toEqual([WORKERS, WORKERS]);
  });

  it('is over once nothing of it has been held for a while', () => {
    const it = new Flooded();
    it.serveOther(50, 900, 0, 60_000);
    expect(it.open('flood', 20_000)).toBe(4);
    for (let sent = 0; sent < it.pool.sent.length; sent++) it.pool.finish(it.pool.sent[sent]!, 21_000);
    expect(it.pool.flow.held).toBe(0);
    expect(it.open('flood', 25_000)).toBe(4);
    expect(it.open('flood', 40_000)).toBe(WORKERS);
  });

  it('leaves nobody any where the settings say so', () => {
    const it = new Flooded({ reserveWorkers: 0 });
    it.serveOther(50, 900, 0, 20_000);
    expect(it.open('flood', 20_000)).toBe(WORKERS);
  });
});
