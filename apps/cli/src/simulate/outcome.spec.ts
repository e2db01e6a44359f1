import { describe, expect, it } from '@jest/globals';
import { PROFILES } from '@sluice/engine-model';
import { b2bWorkload, runTwin } from '@sluice/twin';
import { detailsOf } from './outcome.ts';

const WARM_UP_MS = 5000;
const requests = b2bWorkload({ qps: 4, warmUpS: 5, measuredS: 15, verbatim: false, seed: 1, outputTokens: 50 });
const engines = Array.from({ length: 3 }, () => ({ profile: PROFILES['llama-3.1-8b-h100'] }));
const result = runTwin({
  requests,
  engines,
  policy: 'p2c',
  seed: 1,
  warmUpMs: WARM_UP_MS,
  keepRecords: true,
  sampleMs: 10,
});

describe('detailsOf', () => {
  const details = detailsOf(result, requests, engines.length, WARM_UP_MS);

  it('counts the requests that the result counts', () => {
    expect(details.ttft.total).toBe(result.requests);
    expect(details.e2e.total).toBe(result.requests);
    expect(result.requests).toBeLessThan(requests.length);
  });

  it('has the imbalance as the most work of an engine, and 1 as the mean', () => {
    expect(Math.max(...details.work)).toBeCloseTo(result.imbalance, 9);
    expect(details.work.reduce((sum, share) => sum + share, 0) / 3).toBeCloseTo(1, 9);
  });

  it('keeps at most 200 samples of a timeline, from its start to near its end', () => {
    const { timesMs, engines: rows } = details.timelines!;
    expect(result.timelines!.timesMs.length).toBeGreaterThan(200);
    expect(timesMs.length).toBeLessThanOrEqual(200);
    expect(timesMs.length).toBeGreaterThan(100);
    expect(timesMs[0]).toBe(result.timelines!.timesMs[0]);
    expect(rows.map(({ running }) => running.length)).toEqual(Array(3).fill(timesMs.length));
  });

  it('is all zero where nothing was measured', () => {
    const late = detailsOf(result, requests, engines.length, Infinity);
    expect(late.work).toEqual([0, 0, 0]);
    expect(late.ttft).toEqual({ total: 0, bins: [] });
  });

  it('needs records', () => {
    const { records: _, ...without } = result;
    expect(() => detailsOf(without, requests, 3, 0)).toThrow(/records/);
  });
});
