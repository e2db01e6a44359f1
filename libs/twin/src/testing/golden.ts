import { PROFILES } from '@sluice/engine-model';
import type { PolicyId } from '@sluice/routing';
import type { TwinResult } from '../api.ts';
import { b2bWorkload } from '../workloads/shared-prefix.ts';
import { runTwin } from '../twin.ts';

export const GOLDEN_POLICIES: readonly PolicyId[] = ['round-robin', 'expected-latency'];

/** The first 60 requests of the shared-prefix workload on four engines, seed 1: what testdata/golden.json holds. */
export function goldenResults(): TwinResult[] {
  const requests = b2bWorkload({ qps: 6, groups: 6, outputTokens: 100, verbatim: false, seed: 1 }).slice(0, 60);
  const engines = Array.from({ length: 4 }, () => ({ profile: PROFILES['qwen3-32b-tp2-h100'] }));
  return GOLDEN_POLICIES.map((policy) =>
    runTwin({ requests, engines, policy, seed: 1, slo: { ttftMs: 500, tpotMs: 30 } }),
  );
}
