import { describe, expect, it } from '@jest/globals';
import { boundOf } from './bound-of.ts';
import { FLOW_CONTROL_DEFAULTS } from './options.ts';

const REQUEST = {
  tenant: 'a',
  priority: 0,
  bytes: 40,
  arrivedAtMs: 1000,
  deadlineAtMs: 1500,
  ttftSloMs: 300,
  isRetry: false,
};

describe('boundOf', () => {
  it.each([
    ['queue-full', { reached: 7, limit: 8 }],
    ['queue-bytes', { reached: 110, limit: 100 }],
    ['ttft-slo', { reached: 600, limit: 300 }],
    ['deadline', { reached: 600, limit: 500 }],
    ['expired', { reached: 600, limit: 500 }],
    ['displaced', null],
  ] as const)('of %s', (reason, bound) => {
    const options = { ...FLOW_CONTROL_DEFAULTS, maxRequests: 8, maxBytes: 100 };
    expect(boundOf(reason, REQUEST, { requests: 7, bytes: 70 }, options, 1600)).toEqual(bound);
  });
});
