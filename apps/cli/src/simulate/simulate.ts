import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { PROFILES } from '@sluice/engine-model';
import type { ProfileId } from '@sluice/engine-model';
import type { PolicyId } from '@sluice/routing';
import { loadTrace, TraceError } from '@sluice/traces';
import type { FormatId } from '@sluice/traces';
import { b2bWorkload, playTrace, reasoningWorkload, runTwin } from '@sluice/twin';
import type { SimulatedRequest, TwinResult } from '@sluice/twin';
import { createProgress } from './progress.ts';
import type { Terminal } from './progress.ts';
import { resultTable } from './table.ts';

export const WORKLOAD_IDS = ['b2b', 'reasoning'] as const;
export type WorkloadId = (typeof WORKLOAD_IDS)[number];

export interface SimulateOptions {
  /** Either this or `workload`. */
  readonly trace?: string;
  readonly workload?: WorkloadId;
  readonly format: FormatId;
  readonly speed: number;
  readonly limit?: number;
  readonly qps: number;
  readonly engines: number;
  readonly profile: ProfileId;
  readonly policy: readonly PolicyId[];
  readonly seeds: number;
  readonly sloTtft: number;
  readonly sloTpot: number;
  readonly json?: string;
}

export interface Streams {
  readonly out: Terminal;
  readonly err: Terminal;
}

/** What is played, for one seed. */
interface Source {
  readonly name: string;
  readonly warmUpMs: number;
  requests(seed: number): SimulatedRequest[];
}

const SYNTHETIC_WARM_UP_S = 100;

/** Runs every policy with every seed, prints the table and writes the JSON. Returns the exit code. */
export async function runSimulate(options: SimulateOptions, { out, err }: Streams): Promise<number> {
  let json: FileHandle | null = null;
  try {
    const source = await sourceOf(options);
    // Opened first: a path that cannot be written is said before the work is done.
    if (options.json !== undefined) json = await openReport(options.json);
    const runs = runAll(options, source, err);
    out.write(`${title(options, source, runs)}\n\n${resultTable(runs)}`);
    await json?.writeFile(`${JSON.stringify(reportOf(options, source, runs), null, 2)}\n`);
    return 0;
  } catch (error) {
    if (!isExpected(error)) throw error;
    err.write(`sluice simulate: ${error.message}\n`);
    return 1;
  } finally {
    await json?.close();
  }
}

/** What a user's paths can cause; anything else is a bug and keeps its stack. */
const isExpected = (error: unknown): error is Error => error instanceof TraceError || error instanceof ReportError;

class ReportError extends Error {}

async function openReport(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'w');
  } catch (error) {
    throw new ReportError(`--json ${path}: ${(error as Error).message}`);
  }
}

async function sourceOf(options: SimulateOptions): Promise<Source> {
  const { trace, workload, qps, speed } = options;
  if (trace !== undefined) {
    const recorded = await loadTrace(trace, options.format, options.limit ?? Infinity);
    const { kvTokens } = PROFILES[options.profile];
    return { name: trace, warmUpMs: 0, requests: (seed) => playTrace(recorded, { speed, seed, kvTokens }) };
  }
  const schedule = { qps, warmUpS: SYNTHETIC_WARM_UP_S };
  return {
    name: `${workload} at ${qps} QPS`,
    warmUpMs: SYNTHETIC_WARM_UP_S * 1000,
    requests: (seed) =>
      workload === 'b2b'
        ? b2bWorkload({ ...schedule, seed, verbatim: false })
        : reasoningWorkload({ ...schedule, seed }),
  };
}

function runAll(options: SimulateOptions, source: Source, err: Terminal): TwinResult[] {
  const { policy: policies, seeds, profile } = options;
  const engines = Array.from({ length: options.engines }, () => ({ profile: PROFILES[profile] }));
  const slo = { ttftMs: options.sloTtft, tpotMs: options.sloTpot };
  const progress = createProgress(err, () => performance.now());
  const runs: TwinResult[] = [];
  const total = policies.length * seeds;
  for (let seed = 1; seed <= seeds; seed++) {
    const requests = source.requests(seed);
    for (const policy of policies) {
      const label = `${policy}, seed ${seed}`;
      const onProgress = (done: number, of: number): void => progress.update((runs.length + done / of) / total, label);
      onProgress(0, 1);
      runs.push(runTwin({ requests, engines, policy, seed, warmUpMs: source.warmUpMs, slo, onProgress }));
    }
  }
  progress.end();
  return runs;
}

function title(options: SimulateOptions, source: Source, runs: readonly TwinResult[]): string {
  const { engines, profile, seeds, speed, sloTtft, sloTpot } = options;
  const sped = options.trace !== undefined && speed !== 1 ? ` at ${speed} times its speed` : '';
  return (
    `${source.name}${sped}: ${counted(runs[0]!.requests, 'request')}, ${counted(engines, 'engine')} simulated as ${profile}, ` +
    `${counted(seeds, 'seed')}, goodput at TTFT ${sloTtft} ms and TPOT ${sloTpot} ms`
  );
}

const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;

/** The JSON that scripts rely on: exactly these names. */
function reportOf(options: SimulateOptions, source: Source, runs: readonly TwinResult[]): object {
  const ordered = options.policy.flatMap((policy) => runs.filter((run) => run.policy === policy));
  return {
    trace: source.name,
    engines: options.engines,
    profile: options.profile,
    runs: ordered.map((run) => ({
      policy: run.policy,
      seed: run.seed,
      requests: run.requests,
      failed: run.failed,
      ttftMs: run.ttftMs,
      tpotMs: run.tpotMs,
      e2eMs: run.e2eMs,
      outputTokensPerS: run.outputTokensPerS,
      cachedTokenShare: run.cachedTokenShare,
      imbalance: run.imbalance,
      goodput: run.goodput,
    })),
  };
}
