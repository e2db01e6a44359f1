import { describe, expect, it } from '@jest/globals';
import { seededRng } from '@sluice/numerics';
import { FLOW_CONTROL_DEFAULTS } from './options.ts';
import type { FlowControlOptions } from './options.ts';
import { job, SlotPool, slotFlowControl } from './testing/pool.ts';
import type { Job } from './testing/pool.ts';
import { ReferenceTurns } from './testing/reference.ts';
import type { HeldRequest } from './testing/reference.ts';

const TENANTS = ['a', 'b', 'c', 'd'];
const RULES: FlowControlOptions = {
  ...FLOW_CONTROL_DEFAULTS,
  overcommitShare: 0,
  maxRequests: 10_000,
  weights: { b: 2, c: 0.5 },
  starvationMs: 300,
  yieldEvery: 4,
  creditTokens: 3000,
};
const seeds = [1, 2, 3, 4, 5, 6, 7, 8];
const pick = (rng: () => number, below: number): number => Math.floor(rng() * below);

const BANDS = [[0], [-1, 0, 1], [0, 1], [-5, 1], [1, 0, 7], [-1, 0]];

describe('turns', () => {
  it.each(seeds)('are those of the rules as written down, seed %i', (seed) => playTurns(seed, false));

  it.each(seeds)('stay those of the rules when the bands change, seed %i', (seed) => playTurns(seed, true));

  function playTurns(seed: number, withOtherBands: boolean): void {
    const rng = seededRng(seed);
    const slots = [1, 2, 3];
    const pool = new SlotPool(slotFlowControl(RULES), slots);
    const rules = new ReferenceTurns(RULES);
    const expected: number[] = [];
    const known = new Map<number, HeldRequest>();
    const running = [0, 0, 0];
    const free = (worker: number): boolean => running[worker]! < slots[worker]!;
    const send = (held: HeldRequest): void => {
      expected.push(held.id);
      running[held.worker]!++;
      rules.sent(held);
    };
    for (let i = 0, nowMs = 0; i < 1500; i++, nowMs += pick(rng, 40)) {
      if (withOtherBands && rng() < 0.02) {
        const bands = BANDS[pick(rng, BANDS.length)]!;
        rules.changeBands(bands);
        pool.flow.reconfigure({ ...RULES, bands });
        expect(heldByBand(pool)).toEqual(
          bands.map((_, band) => rules.held.filter((each) => each.band === band).length),
        );
      }
      const inFlight = pool.sent.filter(({ fate }) => fate === 'sent');
      if (rng() < 0.55 || inFlight.length === 0) {
        const [tenant, priority, worker] = [TENANTS[pick(rng, 4)]!, pick(rng, 3) - 1, pick(rng, 3)];
        const tokens = { uncachedTokens: pick(rng, 900), outputTokens: pick(rng, 300) };
        const band = rules.band(priority);
        rules.arrives(tenant, band);
        const held = { id: i, priority, band, tenant, worker, arrivedAtMs: nowMs, ...tokens };
        rules.held.push(held);
        known.set(i, held);
        if (free(worker) && rules.next(worker, nowMs) === held) {
          rules.held.splice(rules.held.indexOf(held), 1);
          send(held);
        }
        pool.offer(job(i, { worker, ...tokens }), pool.request(tenant, { priority, arrivedAtMs: nowMs }), nowMs);
      } else {
        const ended = inFlight[pick(rng, inFlight.length)]!;
        running[ended.worker]!--;
        rules.ended(known.get(ended.id)!);
        for (let next = rules.next(ended.worker, nowMs); next !== null && free(ended.worker);) {
          rules.held.splice(rules.held.indexOf(next), 1);
          send(next);
          next = rules.next(ended.worker, nowMs);
        }
        pool.finish(ended, nowMs);
      }
      expect(pool.flow.held).toBe(rules.held.length);
    }
    expect(pool.sent.map(({ id }) => id)).toEqual(expected);
    expect(rules.held.length).toBeGreaterThan(20);
  }
});

/** Whatever is held or runs counts once, in the band of its priority. */
function expectRequestsInTheirBands({ flow }: SlotPool, jobs: readonly Job[]): void {
  const bands = flow.queues();
  const isIn = (ticket: Job['ticket'], at: number): boolean => {
    const next = bands[at + 1]?.priority ?? Infinity;
    return ticket!.request.priority < next && (at === 0 || ticket!.request.priority >= bands[at]!.priority);
  };
  bands.forEach((band, at) => {
    const waiting = jobs.filter(({ fate, ticket }) => fate === 'waiting' && isIn(ticket, at));
    const running = jobs.filter(({ fate, ticket }) => fate === 'sent' && isIn(ticket, at));
    expect(band.requests).toBe(waiting.length);
    expect(band.bytes).toBe(waiting.reduce((sum, { ticket }) => sum + ticket!.request.bytes, 0));
    expect(band.tenants.reduce((sum, tenant) => sum + tenant.held, 0)).toBe(waiting.length);
    expect(band.tenants.reduce((sum, tenant) => sum + tenant.running, 0)).toBe(running.length);
  });
}

const heldByBand = ({ flow }: SlotPool): number[] => flow.queues().map(({ requests }) => requests);

describe('every request', () => {
  it.each(seeds)('ends in exactly one way, whatever happens, within the bounds, seed %i', (seed) => {
    const rng = seededRng(seed);
    const limits = { maxRequests: 12, maxBytes: 1500 };
    const pool = new SlotPool(slotFlowControl({ ...RULES, ...limits }), [2, 1, 3]);
    pool.place = (it) => (rng() < 0.3 ? pick(rng, 3) : it.worker);
    const jobs: Job[] = [];
    let nowMs = 0;
    for (let i = 0; i < 1200; i++, nowMs += pick(rng, 20)) {
      const action = rng();
      const inFlight = jobs.filter(({ fate }) => fate === 'sent');
      const waiting = jobs.filter(({ fate }) => fate === 'waiting');
      if (action < 0.55) {
        const fresh = job(i, { worker: pick(rng, 3), uncachedTokens: pick(rng, 900), outputTokens: pick(rng, 300) });
        jobs.push(fresh);
        const request = pool.request(TENANTS[pick(rng, 4)]!, {
          priority: pick(rng, 3) - 1,
          bytes: 50 + pick(rng, 400),
          arrivedAtMs: nowMs,
          deadlineAtMs: rng() < 0.4 ? nowMs + pick(rng, 500) : null,
          ttftSloMs: rng() < 0.3 ? pick(rng, 400) : null,
        });
        const before = pool.flow.held;
        const offered = pool.offer(fresh, request, nowMs);
        if (offered.kind === 'held') expect(pool.flow.held).toBe(before + 1 - offered.displaced.length);
        else expect(pool.flow.held).toBe(before);
      } else if (action < 0.85 && inFlight.length > 0) {
        pool.finish(inFlight[pick(rng, inFlight.length)]!, nowMs);
      } else if (action < 0.9 && waiting.length > 0) {
        pool.cancel(waiting[pick(rng, waiting.length)]!, nowMs);
      } else if (action < 0.94) {
        pool.expire(nowMs);
      } else if (action < 0.95) {
        const bands = BANDS[pick(rng, BANDS.length)]!;
        pool.flow.reconfigure({ ...RULES, ...limits, bands });
        expectRequestsInTheirBands(pool, jobs);
      } else {
        const worker = pick(rng, 3);
        if (!pool.down.delete(worker)) {
          pool.down.add(worker);
          pool.flow.abandon(pool.lines[worker]!, pool, nowMs);
          expect(pool.lines[worker]!.held).toBe(0);
        }
      }
      expect(pool.flow.held).toBeLessThanOrEqual(limits.maxRequests);
      expect(pool.flow.heldBytes).toBeLessThanOrEqual(limits.maxBytes);
      expect(pool.flow.held).toBe(jobs.filter(({ fate }) => fate === 'waiting').length);
    }
    pool.down.clear();
    for (let rest = jobs.filter(({ fate }) => fate === 'sent'); rest.length > 0;) {
      pool.finish(rest[0]!, nowMs);
      rest = jobs.filter(({ fate }) => fate === 'sent');
    }
    expect(new Set(pool.sent).size).toBe(pool.sent.length);
    expect([pool.flow.held, pool.flow.heldBytes]).toEqual([0, 0]);
    for (const line of pool.lines) expect([line.running, line.held, line.heldUncachedTokens]).toEqual([0, 0, 0]);
    const fates = new Set(jobs.map(({ fate }) => fate));
    expect([...fates].sort()).toEqual(
      ['cancelled', 'ended', 'expired', 'shed', ...(fates.has('lost') ? ['lost'] : [])].sort(),
    );
    for (const band of pool.flow.queues()) {
      expect([band.requests, band.bytes]).toEqual([0, 0]);
      for (const tenant of band.tenants) expect([tenant.held, tenant.running]).toEqual([0, 0]);
    }
  });
});

describe('fairness', () => {
  it.each(seeds)(
    'keeps the service of backlogged tenants per weight within the bound of the counter, seed %i',
    (seed) => {
      const rng = seededRng(seed);
      const weights = { a: 1, b: 1 + pick(rng, 3) };
      const slots = 3;
      const pool = new SlotPool(slotFlowControl({ ...RULES, weights, creditTokens: 1e9 }), [slots]);
      const served = { a: 0, b: 0 };
      const tenantOf = new Map<number, 'a' | 'b'>();
      const most = { input: 4000, output: 1000 };
      let id = 0;
      const add = (tenant: 'a' | 'b'): void => {
        tenantOf.set(id, tenant);
        const tokens = { uncachedTokens: pick(rng, most.input), outputTokens: pick(rng, most.output) };
        pool.offer(job(id++, tokens), pool.request(tenant), 0);
      };
      // a floods ten to one, but neither is ever without requests that wait
      for (let i = 0; i < 110; i++) add(i % 11 === 0 ? 'b' : 'a');
      // twice max(input, what a batch may yet write): theorem of the virtual token counter
      const bound = 2 * Math.max(most.input, 2 * most.output * slots);
      let counted = slots;
      for (let i = 0; i < 400; i++) {
        const ended = pool.sent.find(({ fate }) => fate === 'sent')!;
        served[tenantOf.get(ended.id)!] += 2 * ended.outputTokens;
        pool.finish(ended, i);
        for (; counted < pool.sent.length; counted++) {
          served[tenantOf.get(pool.sent[counted]!.id)!] += pool.sent[counted]!.uncachedTokens;
        }
        for (let k = 0; k < 10; k++) add(k === 9 ? 'b' : 'a');
        expect(Math.abs(served.a / weights.a - served.b / weights.b)).toBeLessThanOrEqual(bound);
      }
      expect(served.b).toBeGreaterThan(25 * bound);
    },
  );

  it('gives nobody credit for having been idle', () => {
    const pool = new SlotPool(slotFlowControl({ ...RULES, weights: {} }), [1]);
    for (let id = 0; id < 40; id++) pool.offer(job(id), pool.request('busy'), 0);
    for (let i = 0; i < 20; i++) pool.finish(pool.sent.at(-1)!, 0);
    for (let id = 100; id < 140; id++) pool.offer(job(id), pool.request('idle'), 0);
    const before = pool.sent.length;
    for (let i = 0; i < 20; i++) pool.finish(pool.sent.at(-1)!, 0);
    const late = pool.sent.slice(before).filter(({ id }) => id >= 100);
    expect(late).toHaveLength(10);
  });

  it('charges what requests did cost in place of what was counted', () => {
    const pool = new SlotPool(slotFlowControl({ ...RULES, weights: {} }), [1]);
    for (let id = 0; id < 60; id++) pool.offer(job(id), pool.request(id % 2 === 0 ? 'long' : 'short'), 0);
    for (let i = 0; i < 20; i++) {
      const ended = pool.sent.at(-1)!;
      ended.fate = 'ended';
      pool.flow.wrote(ended.ticket!, 50);
      const outputTokens = ended.id % 2 === 0 ? 500 : 0;
      pool.flow.end(ended.ticket!, 0, { uncachedTokens: 100, outputTokens });
      pool.flow.pump(pool.lines[0]!, pool, 0);
    }
    const sent = pool.sent.map(({ id }) => id);
    expect(sent.filter((id) => id % 2 === 1).length).toBeGreaterThan(3 * sent.filter((id) => id % 2 === 0).length);
    const served = pool.flow.queues()[1]!.tenants.map(({ servedTokens }) => servedTokens);
    expect(served[0]! % 1100).toBe(0);
    expect(served[1]! % 100).toBe(0);
  });

  it('does not hold it against a newcomer that others were expected to write more than they do', () => {
    const pool = new SlotPool(slotFlowControl({ ...RULES, weights: {} }), [1]);
    for (let id = 0; id < 10; id++) pool.offer(job(id, { outputTokens: 5000 }), pool.request('flood'), 0);
    pool.offer(job(100), pool.request('other'), 0);
    for (let i = 0; i < 3; i++) {
      pool.sent.at(-1)!.fate = 'ended';
      pool.flow.end(pool.sent.at(-1)!.ticket!, 0, { uncachedTokens: 100, outputTokens: 1 });
      pool.flow.pump(pool.lines[0]!, pool, 0);
    }
    expect(pool.sent.map(({ id }) => id)).toContain(100);
  });
});

describe('bands', () => {
  it('are strict, but a starved request gets one turn of so many', () => {
    const pool = new SlotPool(slotFlowControl({ ...RULES, starvationMs: 1000 }), [1]);
    pool.offer(job(0), pool.request('a', { priority: 1 }), 0);
    for (let id = 1; id <= 5; id++) pool.offer(job(id), pool.request('low', { priority: -1 }), 0);
    for (let id = 10; id < 60; id++) pool.offer(job(id), pool.request('high', { priority: 1, arrivedAtMs: 900 }), 900);
    for (let i = 0; i < 10; i++) pool.finish(pool.sent.at(-1)!, 900);
    expect(pool.sent.slice(1).every(({ id }) => id >= 10)).toBe(true);
    for (let i = 0; i < 16; i++) pool.finish(pool.sent.at(-1)!, 2000);
    const turns = pool.sent.slice(11).map(({ id }) => (id < 10 ? 'low' : 'high'));
    expect(turns.filter((band) => band === 'low')).toHaveLength(4);
    expect(turns.slice(0, 5)).toEqual(['low', 'high', 'high', 'high', 'low']);
  });
});
