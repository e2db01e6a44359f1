import { describe, expect, it } from '@jest/globals';
import { PROFILES } from '@sluice/engine-model';
import type { SimulatedRequest, Stage, TwinResult } from '../api.ts';
import { runTwin } from '../twin.ts';

const request = (arrivalMs: number): SimulatedRequest => ({
  arrivalMs,
  blocks: [],
  blockTokens: 16,
  promptTokens: 2000,
  outputTokens: 20,
  session: null,
});

/** One engine, so nothing but the arrivals differs. */
const run = (arrivals: readonly number[], stages: readonly Stage[] = []): TwinResult =>
  runTwin({
    requests: arrivals.map(request),
    stages,
    engines: [{ profile: PROFILES['qwen3-32b-tp2-h100'] }],
    policy: 'random',
    seed: 1,
  });

describe('stages', () => {
  const [first, second] = [run([0, 5]), run([0, 7])];

  it('start a pause after everything before them has ended, and count from there', () => {
    const both = run([0, 5, 0, 7], [{ firstRequest: 2, pauseMs: 30_000 }]);
    expect(both.virtualMs).toBeCloseTo(first.virtualMs + 30_000 + second.virtualMs, 6);
    expect(both.ttftMs.mean).toBeCloseTo((first.ttftMs.mean! + second.ttftMs.mean!) / 2, 6);
    expect(both.e2eMs.p99).toBeCloseTo(Math.max(first.e2eMs.p99!, second.e2eMs.p99!), 6);
  });

  it('may follow each other without a pause, and begin with one', () => {
    const both = run(
      [0, 5, 0, 7],
      [
        { firstRequest: 0, pauseMs: 1000 },
        { firstRequest: 2, pauseMs: 0 },
      ],
    );
    expect(both.virtualMs).toBeCloseTo(1000 + first.virtualMs + second.virtualMs, 6);
  });

  it('are not there by default: requests arrive however many are under way', () => {
    expect(run([0, 5, 5, 7]).virtualMs).toBeLessThan(first.virtualMs + second.virtualMs);
  });
});
