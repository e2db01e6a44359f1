import type { PolicyId } from '@sluice/routing';
import type { LatencySummary, TwinResult } from '@sluice/twin';
import { histogramOf } from '../latency-histogram.ts';
import type { RunOutcome } from '../outcome.ts';

const summary = (p50: number): LatencySummary => ({ mean: p50, p50, p90: 2 * p50, p99: 4 * p50, p999: 5 * p50 });

/** A result made up for specs. */
export function resultWith(
  given: Partial<TwinResult> & { readonly ttftP99?: number | null; readonly policy?: PolicyId },
): TwinResult {
  const { ttftP99, ...rest } = given;
  const ttftMs = summary(100);
  return {
    policy: 'random',
    seed: 1,
    requests: 100,
    failed: 0,
    ttftMs: ttftP99 === undefined ? ttftMs : { ...ttftMs, p99: ttftP99 },
    tpotMs: summary(20),
    e2eMs: summary(4000),
    outputTokensPerS: 1000,
    cachedTokenShare: 0.5,
    capturedReuse: 0.8,
    imbalance: 1.2,
    preemptions: 3,
    goodput: 4,
    engineSteps: 1000,
    virtualMs: 60_000,
    ...rest,
  };
}

/** An outcome with details, made up for specs. */
export function outcomeWith(
  policy: PolicyId,
  seed: number,
  load: number,
  engines: number,
  result: Partial<TwinResult> = {},
): RunOutcome {
  const latencies = histogramOf(Array.from({ length: 300 }, (_, i) => 10 + i * seed));
  const wave = (top: number): number[] => Array.from({ length: 20 }, (_, i) => top * Math.abs(Math.sin(i)));
  const timeline = { running: wave(9), waiting: wave(2), kvUsage: wave(1), cachedShare: wave(1) };
  return {
    load,
    policy,
    seed,
    result: resultWith({ policy, seed, ...result }),
    details: {
      ttft: latencies,
      tpot: latencies,
      e2e: latencies,
      work: Array.from({ length: engines }, (_, row) => (2 * (row + 1)) / (engines + 1)),
      timelines:
        seed === 1
          ? {
              timesMs: Array.from({ length: 20 }, (_, i) => 1000 * i),
              engines: Array.from({ length: engines }, () => timeline),
            }
          : null,
    },
  };
}
