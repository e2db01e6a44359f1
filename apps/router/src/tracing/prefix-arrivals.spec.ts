import { describe, expect, it } from '@jest/globals';
import { createMemoryBus } from '@sluice/bus';
import { workerId } from '@sluice/model';
import { NO_SPAN } from '@sluice/telemetry';
import type { Worker } from '../fleet/worker.ts';
import type { Prompt, PrefixView } from '../prefix/prefix-view.ts';
import { PrefixArrivals } from './prefix-arrivals.ts';
import { RequestTrace } from './request-trace.ts';

describe('prefix arrivals', () => {
  it('ask the index by the clock that it is written by, and wait on while it knows no more', async () => {
    const asked: number[] = [];
    const prefix = {
      hasEvents: () => true,
      confirmedBytes: (_worker: unknown, _prompt: unknown, nowMs: number) => {
        asked.push(nowMs);
        return 0;
      },
    } as unknown as PrefixView;
    let nowMs = 1.7e12;
    const arrivals = new PrefixArrivals(prefix, createMemoryBus(), () => nowMs++);
    const prompt = { exact: true, bytes: new Uint8Array(8) } as unknown as Prompt;
    const worker = { spec: { id: workerId('a'), pool: 'tiny' } } as unknown as Worker;
    const sampled = { ...NO_SPAN, isRecorded: true };
    arrivals.await(worker, prompt, new RequestTrace(sampled, 0));
    arrivals.applied(workerId('b'), new Uint8Array(), 0);
    arrivals.applied(workerId('a'), new Uint8Array(), 0);
    expect(asked).toEqual([1.7e12, 1.7e12 + 2]);
    expect(arrivals.isIdle).toBe(false);
  });
});
