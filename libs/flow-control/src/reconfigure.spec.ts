import { describe, expect, it } from '@jest/globals';
import { createFlowControl, FLOW_CONTROL_DEFAULTS } from './index.ts';

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

  it('refuses other bands and options that make no sense, and stays as it was', () => {
    const flow = createFlowControl<string>(FLOW_CONTROL_DEFAULTS);
    expect(() => flow.reconfigure({ ...FLOW_CONTROL_DEFAULTS, bands: [0] })).toThrow(RangeError);
    expect(() => flow.reconfigure({ ...FLOW_CONTROL_DEFAULTS, weights: { a: 0 } })).toThrow(RangeError);
    expect(flow.options).toEqual(FLOW_CONTROL_DEFAULTS);
  });
});
