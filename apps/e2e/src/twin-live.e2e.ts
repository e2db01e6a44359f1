import { describe, expect, it } from '@jest/globals';
import { b2bWorkload } from '@sluice/twin';
import { compare, isNear, linesOf, runInTwin } from './twin/compare.ts';
import { ExactText } from './twin/exact-text.ts';
import { runLive } from './twin/live-run.ts';
import type { Experiment } from './twin/live-run.ts';

/** A client that sends later than this, or an idle system that takes so much longer, says that the processors have other work. */
const QUIET_MS = 10;

describe('the twin against standalone with four simulated engines', () => {
  const experiment: Experiment = {
    requests: b2bWorkload({
      qps: 4,
      warmUpS: 0,
      measuredS: 25,
      groups: 12,
      outputTokens: 60,
      verbatim: false,
      seed: 1,
    }),
    engines: 4,
    profile: 'qwen3-32b-tp2-h100',
    policy: 'expected-latency',
    seed: 1,
    services: false,
    warmUpMs: 5000,
  };

  it('sends the same requests to the same engines, which answer as fast', async () => {
    const text = await ExactText.load();
    const live = await runLive(experiment, text);
    const comparison = compare(experiment, runInTwin(experiment), live);
    const { requests, identical, identicalWithOtherSeed, twinTtft, liveTtft, lateness, overhead } = comparison;
    const isQuiet = Math.max(lateness.p99!, overhead.p99!) < QUIET_MS;
    const held = isQuiet ? 'held to 5 % + 2 ms' : 'not held to anything: the machine is busy with something else';
    console.log([...linesOf(comparison), `TTFT was ${held}`].join('\n'));
    expect(identical / requests).toBeGreaterThanOrEqual(0.95);
    expect(identicalWithOtherSeed / requests).toBeLessThan(0.95);
    if (!isQuiet) return;
    expect(isNear(twinTtft.p50, liveTtft.p50)).toBe(true);
    expect(isNear(twinTtft.p99, liveTtft.p99)).toBe(true);
  }, 120_000);
});
