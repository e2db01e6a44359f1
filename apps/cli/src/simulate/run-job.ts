import type { PolicyId } from '@sluice/routing';
import { runTwin } from '@sluice/twin';
import type { SimulatedRequest } from '@sluice/twin';
import { detailsOf } from './outcome.ts';
import type { RunOutcome } from './outcome.ts';
import { requestsOf } from './scenario.ts';
import type { Scenario } from './scenario.ts';

/** One run to be made. */
export interface Job {
  readonly load: number;
  readonly policy: PolicyId;
  readonly seed: number;
}

/** Samples of a timeline up to the last arrival; the drain has more. */
const SAMPLES = 120;

/** Makes the runs of a scenario one after another; requests are made once for all policies that follow each other. */
export function createRunner(scenario: Scenario): (job: Job, onProgress: (share: number) => void) => RunOutcome {
  let made: { load: number; seed: number; requests: SimulatedRequest[] } | null = null;
  return ({ load, policy, seed }, onProgress) => {
    if (made?.load !== load || made.seed !== seed) made = { load, seed, requests: requestsOf(scenario, load, seed) };
    const { requests } = made;
    const { engines, conditions, warmUpMs, detailed } = scenario;
    const lastMs = requests.at(-1)?.arrivalMs ?? 0;
    const result = runTwin({
      ...conditions,
      requests,
      engines,
      policy,
      seed,
      onProgress: (done, total) => onProgress(done / total),
      keepRecords: detailed,
      ...(detailed && seed === 1 ? { sampleMs: Math.max(10, lastMs / SAMPLES) } : {}),
    });
    const details = detailed ? detailsOf(result, requests, engines.length, warmUpMs) : null;
    const { records: _records, timelines: _timelines, ...numbers } = result;
    return { load, policy, seed, result: numbers, details };
  };
}
