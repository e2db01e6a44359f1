import { runTwin, summarize, ttftRecoveryMs } from '@sluice/twin';
import type { LatencySummary, TwinRecords, TwinResult } from '@sluice/twin';
import type { Arm } from './arms.ts';
import type { Load, Scenario } from './scenario.ts';

/** What one stage of a ladder showed. */
export interface StageOutcome {
  readonly requests: number;
  readonly ttftMs: LatencySummary;
  readonly tpotMs: LatencySummary;
  /** Over the time from its first request to its last answer, as inference-perf counts. */
  readonly outputTokensPerS: number;
  readonly totalTokensPerS: number;
}

/** What one of several tenants got. */
export interface TenantOutcome {
  readonly tenant: string;
  readonly requests: number;
  readonly failed: number;
  readonly ttftMs: LatencySummary;
  /** Of requests that ended between the end of the warm-up and the last arrival. */
  readonly outputTokensPerS: number;
}

/** What one run showed, without the bulky parts. */
export interface RunOutcome extends Omit<TwinResult, 'records' | 'timelines'> {
  readonly scenario: string;
  readonly arm: string;
  readonly cpuMs: number;
  /** Of a ladder, and all its stages together (pooled). */
  readonly stages?: readonly StageOutcome[];
  /** Of a scenario in which an engine dies and returns: until the p99 TTFT was what it had been; null when it never was. */
  readonly recoveryMs?: number | null;
  /** Where requests name their tenants. */
  readonly tenants?: readonly TenantOutcome[];
}

/** Runs one policy on one scenario with one seed, on this thread. */
export async function runScenario(
  id: string,
  scenario: Scenario,
  arm: Arm,
  seed: number,
  onProgress: (share: number) => void,
): Promise<RunOutcome> {
  const load = await scenario.load(seed);
  const hasTenants = load.requests.some(({ tenant }) => tenant !== undefined);
  const keepRecords = load.stageOf !== undefined || scenario.options?.failures !== undefined || hasTenants;
  const start = process.threadCpuUsage();
  const {
    records,
    timelines: _,
    ...result
  } = runTwin({
    ...scenario.options,
    requests: load.requests,
    ...(load.stages === undefined ? {} : { stages: load.stages }),
    engines: scenario.engines,
    policy: arm.policy,
    ...(arm.options === undefined ? {} : { policyOptions: arm.options }),
    ...(arm.flowControl === undefined ? {} : { flowControl: arm.flowControl }),
    seed,
    keepRecords,
    onProgress: (done, total) => onProgress(done / total),
  });
  const { user, system } = process.threadCpuUsage(start);
  const outcome = { ...result, scenario: id, arm: arm.label, cpuMs: (user + system) / 1000 };
  if (records === undefined) return outcome;
  if (load.stageOf !== undefined) return { ...outcome, ...ladderOutcome(load, records) };
  const { warmUpMs = 0, failures = [] } = scenario.options!;
  if (hasTenants) return { ...outcome, tenants: tenantOutcomes(load, records, warmUpMs) };
  // the slowest of all changes counts
  const recoveries = failures.map(({ atMs }) => ttftRecoveryMs(records, atMs, { sinceMs: warmUpMs }));
  const recoveryMs = recoveries.includes(null) ? null : Math.max(...(recoveries as number[]));
  return { ...outcome, recoveryMs };
}

function tenantOutcomes({ requests }: Load, records: TwinRecords, warmUpMs: number): TenantOutcome[] {
  const lastMs = requests.at(-1)!.arrivalMs;
  const names = [...new Set(requests.map(({ tenant }) => tenant!))];
  return names.map((tenant) => {
    const own = [...requests.keys()].filter((i) => requests[i]!.tenant === tenant);
    const measured = own.filter((i) => requests[i]!.arrivalMs >= warmUpMs);
    const served = own.filter((i) => records.endMs[i]! >= warmUpMs && records.endMs[i]! <= lastMs);
    return {
      tenant,
      requests: measured.length,
      failed: measured.filter((i) => records.endMs[i] === Infinity).length,
      ttftMs: summarize(measured.map((i) => records.ttftMs[i]!)),
      outputTokensPerS: served.reduce((sum, i) => sum + requests[i]!.outputTokens, 0) / ((lastMs - warmUpMs) / 1000),
    };
  });
}

/** Latencies of the measured stages, each and pooled, the warm-up left out. */
function ladderOutcome({ requests, stageOf }: Load, records: TwinRecords): Partial<RunOutcome> {
  const numbers = [...stageOf!.keys()];
  const count = 1 + numbers.reduce((most, index) => Math.max(most, stageOf![index]!), 0);
  const stages = Array.from({ length: count }, (_, stage): StageOutcome => {
    const own = numbers.filter((index) => stageOf![index] === stage);
    const seconds = (Math.max(...own.map((i) => records.endMs[i]!)) - records.arrivalMs[own[0]!]!) / 1000;
    const sum = (of: 'promptTokens' | 'outputTokens'): number => own.reduce((all, i) => all + requests[i]![of], 0);
    return {
      requests: own.length,
      ttftMs: summarize(own.map((i) => records.ttftMs[i]!)),
      tpotMs: summarize(own.map((i) => records.tpotMs[i]!)),
      outputTokensPerS: sum('outputTokens') / seconds,
      totalTokensPerS: (sum('promptTokens') + sum('outputTokens')) / seconds,
    };
  });
  const measured = numbers.filter((index) => stageOf![index]! >= 0);
  const pooled = (column: Float64Array): LatencySummary => summarize(measured.map((i) => column[i]!));
  return {
    stages,
    requests: measured.length,
    ttftMs: pooled(records.ttftMs),
    tpotMs: pooled(records.tpotMs),
    e2eMs: pooled(records.e2eMs),
    // as the published summaries: the mean over stages
    outputTokensPerS: stages.reduce((all, stage) => all + stage.outputTokensPerS, 0) / stages.length,
  };
}
