import { describe, expect, it } from '@jest/globals';
import { createFlowControl, FLOW_CONTROL_DEFAULTS } from './index.ts';
import { job, SlotPool } from './testing/pool.ts';
import type { Job } from './testing/pool.ts';

/** A worker takes as many requests as it has slots. */
const SLOTS = { ...FLOW_CONTROL_DEFAULTS, overcommitShare: 0 };

const arrive = (flow: ReturnType<typeof createFlowControl<string>>, tenant: string) =>
  flow.arrive(tenant, {
    tenant,
    priority: 0,
    bytes: 10,
    arrivedAtMs: 0,
    deadlineAtMs: null,
    ttftSloMs: null,
    isRetry: false,
  });

describe('flow control that is told of other options', () => {
  it('gives tenants it knows, and those that come, their new weights', () => {
    const flow = createFlowControl<string>({ ...FLOW_CONTROL_DEFAULTS, weights: { a: 2 } });
    arrive(flow, 'a');
    arrive(flow, 'b');
    flow.reconfigure({ ...FLOW_CONTROL_DEFAULTS, weights: { b: 5, c: 3 }, maxRequests: 7 });
    arrive(flow, 'c');
    const weights = flow.queues().flatMap(({ tenants }) => tenants.map(({ tenant, weight }) => [tenant, weight]));
    expect(Object.fromEntries(weights)).toEqual({ a: 1, b: 5, c: 3 });
    expect(flow.options.maxRequests).toBe(7);
  });

  it('moves what is held to the bands that its priority belongs to, and serves in their order', () => {
    const pool = new SlotPool(createFlowControl<Job>({ ...SLOTS, bands: [0] }), [1]);
    const priorities = [0, 0, 3, -2, 7];
    priorities.forEach((priority, id) => pool.offer(job(id), pool.request('a', { priority }), 0));
    const heldIn = () => pool.flow.queues().map(({ priority, requests }) => [priority, requests]);
    expect(heldIn()).toEqual([[0, 4]]);
    pool.flow.reconfigure({ ...SLOTS, bands: [5, 0, -1] });
    expect(heldIn()).toEqual([
      [-1, 1],
      [0, 2],
      [5, 1],
    ]);
    for (let sent = 0; sent < priorities.length; sent++) pool.finish(pool.sent[sent]!, 0);
    expect(pool.sent.map(({ id }) => id)).toEqual([0, 4, 1, 2, 3]);
    const served = pool.flow.queues().map(({ tenants }) => tenants[0]!.servedTokens);
    expect(served).toEqual([200, 600, 200]);
  });

  it('keeps what tenants were served when bands become one', () => {
    const pool = new SlotPool(createFlowControl<Job>({ ...SLOTS, bands: [0, 1] }), [1]);
    [0, 1, 0, 1].forEach((priority, id) => {
      pool.offer(job(id), pool.request(id < 2 ? 'a' : 'b', { priority }), 0);
      pool.finish(pool.sent[id]!, 0);
    });
    pool.flow.reconfigure({ ...SLOTS, bands: [0] });
    const [band] = pool.flow.queues();
    expect(band!.tenants.map(({ tenant, servedTokens }) => [tenant, servedTokens])).toEqual([
      ['a', 400],
      ['b', 400],
    ]);
  });

  it('refuses options that make no sense, and stays as it was', () => {
    const flow = createFlowControl<string>(FLOW_CONTROL_DEFAULTS);
    expect(() => flow.reconfigure({ ...FLOW_CONTROL_DEFAULTS, bands: [] })).toThrow(RangeError);
    expect(() => flow.reconfigure({ ...FLOW_CONTROL_DEFAULTS, weights: { a: 0 } })).toThrow(RangeError);
    expect(flow.options).toEqual(FLOW_CONTROL_DEFAULTS);
  });
});
