import { describe, expect, it } from '@jest/globals';
import { createFlowControl } from './flow-control.ts';
import { fits } from './room.ts';
import { FLOW_CONTROL_DEFAULTS, OTHER_TENANTS } from './options.ts';
import type { FlowControlOptions } from './options.ts';
import { job, SlotPool, slotFlowControl } from './testing/pool.ts';
import type { Job } from './testing/pool.ts';
import type { Reserve } from './room.ts';
import type { Room } from './ticket.ts';

const pool = (slots: readonly number[] = [1], options: Partial<FlowControlOptions> = {}): SlotPool =>
  new SlotPool(slotFlowControl(options), slots);

describe('room', () => {
  const line = (running: number) => Object.assign(slotFlowControl().createLine(), { running });
  const may = (
    running: number,
    uncachedTokens: number,
    room: Partial<Room>,
    reserve: Partial<Reserve> = {},
    options: Partial<FlowControlOptions> = { overcommitShare: 0 },
  ): boolean =>
    fits(
      line(running),
      uncachedTokens,
      { kvCapacityTokens: 10_000, usedKvTokens: 0, growthTokens: 0, queuedPrefillTokens: 0, ...room },
      { ...FLOW_CONTROL_DEFAULTS, backlogTokens: 8192, ...options },
      { backlogTokens: 0, memoryTokens: 0, growthShare: 0.25, ...reserve },
    );

  it('is free memory less queued need, own need and a quarter of the growth expected', () => {
    expect(may(3, 1000, { usedKvTokens: 8000, growthTokens: 4000 })).toBe(true);
    expect(may(3, 1001, { usedKvTokens: 8000, growthTokens: 4000 })).toBe(false);
    expect(may(3, 1000, { usedKvTokens: 8000, growthTokens: 4004 })).toBe(false);
  });

  it('is there on a full worker for what computes little, up to a share of its memory, but not where others need it', () => {
    const options = { overcommitShare: 0.1, cheapTokens: 500 };
    expect(may(3, 500, { usedKvTokens: 10_000, growthTokens: 2000 }, {}, options)).toBe(true);
    expect(may(3, 501, { usedKvTokens: 10_000, growthTokens: 2000 }, {}, options)).toBe(false);
    expect(may(3, 500, { usedKvTokens: 10_001, growthTokens: 2000 }, {}, options)).toBe(false);
    expect(may(3, 500, { usedKvTokens: 10_000 }, { memoryTokens: 1 }, options)).toBe(false);
    expect(may(3, 500, { usedKvTokens: 10_000, queuedPrefillTokens: 8000 }, {}, options)).toBe(false);
  });

  it('is there whenever the worker has nothing of ours', () => {
    expect(may(0, 5000, { usedKvTokens: 10_000, queuedPrefillTokens: 99_999 })).toBe(true);
  });

  it('is there for what can never fit, and where no capacity is known', () => {
    expect(may(1, 10_001, { usedKvTokens: 10_000 })).toBe(true);
    expect(may(1, 5000, { kvCapacityTokens: 0, usedKvTokens: 10_000 })).toBe(true);
  });

  it('ends where the prefill backlog would exceed its bound, unless there is none', () => {
    const room = { kvCapacityTokens: 1e6 };
    expect(may(1, 4000, { ...room, queuedPrefillTokens: 4192 })).toBe(true);
    expect(may(1, 4001, { ...room, queuedPrefillTokens: 4192 })).toBe(false);
    expect(may(1, 50_000, room)).toBe(true);
  });

  it('is less for those who must leave some', () => {
    const room = { usedKvTokens: 6000, growthTokens: 1000 };
    expect(may(3, 2000, room, { memoryTokens: 1500, growthShare: 0.5 })).toBe(true);
    expect(may(3, 2001, room, { memoryTokens: 1500, growthShare: 0.5 })).toBe(false);
    // never more than a quarter of the worker's memory
    expect(may(3, 1500, { usedKvTokens: 6000 }, { memoryTokens: 1e9 })).toBe(true);
    expect(may(3, 1501, { usedKvTokens: 6000 }, { memoryTokens: 1e9 })).toBe(false);
    expect(may(1, 500, { queuedPrefillTokens: 600 }, { backlogTokens: 7092 })).toBe(true);
    expect(may(1, 501, { queuedPrefillTokens: 600 }, { backlogTokens: 7092 })).toBe(false);
  });
});

describe('holding', () => {
  it('picks again for the first of the line whenever the worker frees something, and moves it where that is better', () => {
    const it = pool([1, 1]);
    const [first, second, third] = [job(0), job(1), job(2)];
    for (const each of [first, second, third]) it.offer(each, it.request('a'), 0);
    expect([first.fate, it.lines[0]!.held]).toEqual(['sent', 2]);
    it.place = (each) => (each === second ? 1 : each.worker);
    it.finish(first, 10);
    expect([second.fate, second.worker, it.lines[1]!.running]).toEqual(['sent', 1, 1]);
    expect([third.fate, third.worker]).toEqual(['sent', 0]);
  });

  it('keeps the order of arrival where a moved request meets others', () => {
    const it = pool([1, 1]);
    const jobs = [job(0), job(1, { worker: 1 }), job(2), job(3, { worker: 1 }), job(4)];
    for (const each of jobs) it.offer(each, it.request('a'), 0);
    it.place = () => 1;
    it.finish(jobs[0]!, 10); // job 2 and job 4 move to worker 1, where job 3 waits
    expect(it.lines.map(({ held }) => held)).toEqual([0, 3]);
    for (const id of [1, 2, 3]) it.finish(jobs[id]!, 20);
    expect(it.sent.map(({ id }) => id)).toEqual([0, 1, 2, 3, 4]);
  });

  it('does not hold when there is room, nor let a newcomer pass those who wait', () => {
    const it = pool([2]);
    const jobs = [job(0), job(1), job(2), job(3)];
    for (const each of jobs.slice(0, 3)) it.offer(each, it.request('a'), 0);
    it.slots[0] = 3;
    expect(it.offer(jobs[3]!, it.request('a'), 0).kind).toBe('held');
    it.flow.pump(it.lines[0]!, it, 0);
    expect(jobs.map(({ fate }) => fate)).toEqual(['sent', 'sent', 'sent', 'waiting']);
  });

  it('finds another worker for those whose worker is gone, and says when there is none', () => {
    const it = pool([1, 1]);
    const jobs = [job(0), job(1), job(2)];
    for (const each of jobs) it.offer(each, it.request('a'), 0);
    it.down.add(0);
    it.flow.abandon(it.lines[0]!, it, 5);
    expect(jobs.map(({ fate, worker }) => [fate, worker])).toEqual([
      ['sent', 0],
      ['sent', 1],
      ['waiting', 1],
    ]);
    it.down.add(1);
    it.flow.abandon(it.lines[1]!, it, 6);
    expect(jobs[2]!.fate).toBe('lost');
    expect(it.flow.held).toBe(0);
  });
});

describe('room for those who come next', () => {
  /** Workers whose memory is what their running jobs need. */
  class MemoryPool extends SlotPool {
    override roomOf(worker: number): Room {
      const running = this.sent.filter((each) => each.fate === 'sent' && each.worker === worker);
      const usedKvTokens = running.reduce((sum, each) => sum + each.uncachedTokens, 0);
      return { kvCapacityTokens: 10_000, usedKvTokens, growthTokens: 0, queuedPrefillTokens: 0 };
    }
  }
  const flood = (it: SlotPool, from: number, priority: number, atMs: number): Job[] => {
    const jobs = Array.from({ length: 20 }, (_, i) => job(from + i, { uncachedTokens: 1000, outputTokens: 0 }));
    for (const each of jobs) it.offer(each, it.request('flood', { priority, arrivedAtMs: atMs }), atMs);
    return jobs;
  };
  const sent = (jobs: readonly Job[]): number => jobs.filter(({ fate }) => fate === 'sent').length;
  const memory = (): MemoryPool => new MemoryPool(slotFlowControl({ reserveMs: 1000 }), [0]);

  it('is not kept while there is nobody else', () => {
    expect(sent(flood(memory(), 0, 0, 0))).toBe(10);
  });

  it('is kept for a higher band, and not by it, as long as its requests are recent', () => {
    const it = memory();
    const urgent = job(100, { uncachedTokens: 1000 });
    it.offer(urgent, it.request('flood', { priority: 1 }), 0);
    it.finish(urgent, 0);
    const low = flood(it, 0, 0, 100);
    expect(sent(low)).toBe(7);
    expect(sent(flood(it, 200, 1, 200))).toBe(3);
    it.flow.pump(it.lines[0]!, it, 1300);
    it.finish(low[0]!, 1300);
    expect(sent(low)).toBe(6); // one ended; it was the turn of an urgent one
  });

  it('is kept for a tenant that uses less than half of its share, which finds it', () => {
    const it = memory();
    const small = job(100, { uncachedTokens: 1000 });
    it.offer(small, it.request('small'), 0);
    const jobs = flood(it, 0, 0, 10);
    expect(sent(jobs)).toBe(6);
    const next = job(101, { uncachedTokens: 1000 });
    it.offer(next, it.request('small', { arrivedAtMs: 20 }), 20);
    expect(next.fate).toBe('sent');
    // nobody is modest for ever: after so long without requests the room is everybody's
    it.finish(next, 30);
    it.finish(small, 30);
    it.finish(jobs[0]!, 2000);
    expect(sent(jobs)).toBe(10);
  });
});

describe('shedding', () => {
  it('turns away what comes when the queue is full, and what has more held than others first', () => {
    const it = pool([1], { maxRequests: 3 });
    const flood = [0, 1, 2, 3].map((id) => job(id));
    for (const each of flood) it.offer(each, it.request('flood'), 0);
    expect(it.offer(job(4), it.request('flood'), 0)).toMatchObject({ kind: 'shed', reason: 'queue-full' });
    const other = job(5);
    expect(it.offer(other, it.request('other'), 0)).toMatchObject({
      kind: 'held',
      displaced: [{ reason: 'displaced' }],
    });
    expect(flood.map(({ fate }) => fate)).toEqual(['sent', 'waiting', 'waiting', 'shed']);
    expect(it.offer(job(6), it.request('other'), 0)).toMatchObject({ kind: 'shed', reason: 'queue-full' });
  });

  it('makes room for a higher band by turning the newest of the lowest away, never the other way round', () => {
    const it = pool([1], { maxRequests: 2 });
    const jobs = [job(0), job(1), job(2), job(3), job(4)];
    for (const id of [0, 1, 2]) it.offer(jobs[id]!, it.request('a', { priority: -1 }), 0);
    it.offer(jobs[3]!, it.request('a', { priority: 5 }), 0);
    it.offer(jobs[4]!, it.request('a', { priority: 5 }), 0);
    expect(jobs.map(({ fate }) => fate)).toEqual(['sent', 'shed', 'shed', 'waiting', 'waiting']);
    expect(it.offer(job(5), it.request('b', { priority: 0 }), 0)).toMatchObject({ kind: 'shed', reason: 'queue-full' });
  });

  it('keeps bytes within their bound, and turns nobody away in vain', () => {
    const it = pool([1], { maxBytes: 1000 });
    const jobs = [job(0), job(1), job(2)];
    for (const each of jobs) it.offer(each, it.request('a', { bytes: 450 }), 0);
    expect(it.flow.heldBytes).toBe(900);
    expect(it.offer(job(3), it.request('b', { bytes: 1001 }), 0)).toMatchObject({ reason: 'queue-bytes' });
    expect(it.offer(job(4), it.request('b', { bytes: 950 }), 0)).toMatchObject({ reason: 'queue-bytes' });
    expect(jobs.map(({ fate }) => fate)).toEqual(['sent', 'waiting', 'waiting']);
    expect(it.offer(job(5), it.request('b', { bytes: 300 }), 0)).toMatchObject({ kind: 'held' });
    expect(it.flow.heldBytes).toBe(750);
  });

  it('holds nothing when it may hold nothing', () => {
    const it = pool([1], { maxRequests: 0 });
    expect(it.offer(job(0), it.request('a'), 0).kind).toBe('dispatch');
    expect(it.offer(job(1), it.request('a'), 0)).toMatchObject({ kind: 'shed', reason: 'queue-full' });
  });

  /** A line that drains one request of 200 tokens every 100 ms, with `waiting` requests in it at 5,000 ms. */
  function draining(waiting: number): SlotPool {
    const it = pool([1]);
    for (let id = 0; id < 50 + waiting + 1; id++) it.offer(job(id), it.request('a'), 0);
    for (let i = 1; i <= 50; i++) it.finish(it.sent.at(-1)!, 100 * i);
    expect(it.flow.held).toBe(waiting);
    return it;
  }

  it('predicts the wait from how fast the queue drains', () => {
    const it = draining(20);
    const wait = (tenant: string, priority: number): number | null =>
      it.flow.predictedWaitMs(it.flow.arrive(job(900), it.request(tenant, { priority })));
    expect(wait('a', 0)).toBeGreaterThan(1800);
    expect(wait('a', 0)).toBeLessThan(2200);
    expect(wait('b', 1)).toBe(0);
    // an even share: for each of its own, one of the other
    expect(wait('b', 0)).toBeLessThan(250);
    expect(it.flow.retryAfterMs(0)).toBeGreaterThan(1800);
    expect(it.flow.retryAfterMs(1)).toBe(1000);
  });

  it('turns away at once what would wait longer than it may', () => {
    const it = draining(20);
    const at = { arrivedAtMs: 5000 };
    expect(it.offer(job(901), it.request('a', { ...at, deadlineAtMs: 6000 }), 5000)).toMatchObject({
      reason: 'deadline',
    });
    expect(it.offer(job(902), it.request('a', { ...at, deadlineAtMs: 9000 }), 5000)).toMatchObject({ kind: 'held' });
    expect(it.offer(job(903), it.request('a', { ...at, ttftSloMs: 1000 }), 5000)).toMatchObject({ reason: 'ttft-slo' });
    expect(it.offer(job(904), it.request('a', { ...at, ttftSloMs: 4000 }), 5000)).toMatchObject({ kind: 'held' });
    expect(it.offer(job(905), it.request('a', { ...at, ttftSloMs: 1000, priority: 1 }), 5000)).toMatchObject({
      kind: 'held',
    });
    expect(it.offer(job(906), it.request('a', at), 5000)).toMatchObject({ kind: 'held' });
  });

  it('sheds nobody for a wait while nothing is known of it', () => {
    const it = pool([1]);
    it.offer(job(0), it.request('a'), 0);
    it.offer(job(1), it.request('a'), 0);
    expect(it.offer(job(2), it.request('a', { ttftSloMs: 1, deadlineAtMs: 10 }), 0).kind).toBe('held');
  });

  it('lets deadlines pass only once, and only those of requests that wait', () => {
    const it = pool([1]);
    const jobs = [job(0), job(1), job(2), job(3)];
    const deadlines = [100, 100, 300, null];
    jobs.forEach((each, i) => it.offer(each, it.request('a', { deadlineAtMs: deadlines[i]! }), 0));
    it.expire(99);
    expect(it.flow.held).toBe(3);
    it.expire(100);
    it.expire(100);
    expect(jobs.map(({ fate }) => fate)).toEqual(['sent', 'expired', 'waiting', 'waiting']);
    it.expire(1e9);
    expect(jobs.map(({ fate }) => fate)).toEqual(['sent', 'expired', 'expired', 'waiting']);
  });
});

describe('tenants', () => {
  it('may be called anything', () => {
    const it = pool([1]);
    for (const [id, tenant] of ['constructor', '__proto__', 'toString'].entries()) {
      it.offer(job(id), it.request(tenant), 0);
    }
    expect(it.flow.queues()[1]!.tenants.map(({ weight }) => weight)).toEqual([1, 1, 1]);
  });

  it('are bounded: further ones share a flow, and idle ones are forgotten', () => {
    const it = pool([1], { maxTenants: 2 });
    const jobs = ['a', 'b', 'c', 'd'].map((tenant, id) => {
      const each = job(id);
      it.offer(each, it.request(tenant), 0);
      return each;
    });
    const names = (): string[] => it.flow.queues()[1]!.tenants.map(({ tenant }) => tenant);
    expect(names()).toEqual(['a', 'b', OTHER_TENANTS]);
    for (let i = 0; i < jobs.length; i++) it.finish(it.sent[i]!, 1);
    it.offer(job(9), it.request('e'), 2);
    expect(names()).toEqual([OTHER_TENANTS, 'e']);
  });

  it.each([
    [{ maxRequests: -1 }, /maxRequests/],
    [{ yieldEvery: 1 }, /yieldEvery/],
    [{ bands: [] }, /band/],
    [{ weights: { a: 0 } }, /weight of a/],
    [{ growthShare: NaN }, /growthShare/],
  ])('rejects %j', (options, message) => {
    expect(() => createFlowControl(options)).toThrow(message);
  });
});
