import { fileURLToPath } from 'node:url';
import type { Arm } from './arms.ts';
import { KeptRuns } from './kept-runs.ts';
import { RunPool } from './pool.ts';
import { Progress } from './progress.ts';
import type { RunOutcome } from './run-scenario.ts';

export interface Claim {
  readonly id: string;
  readonly value: number;
  readonly unit: string;
  readonly bar?: string;
  readonly met?: boolean;
}

export interface PartResult {
  readonly claims: readonly Claim[];
  /** Markdown for docs/benchmarks.md, by the marker that it goes between. */
  readonly tables: Readonly<Record<string, string>>;
  readonly data: unknown;
}

/** What a part can do: run policies on scenarios. */
export interface PartContext {
  readonly smoke: boolean;
  /** 1, 2, ...: fewer in a smoke run. */
  readonly seeds: readonly number[];
  /** Every arm on every scenario with every seed. */
  run(scenarios: readonly string[], arms: readonly Arm[], seeds?: readonly number[]): Promise<RunOutcome[]>;
}

/** How a script was called: its process. */
export interface Invocation {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
}

const SEEDS = 5;

/**
 * Runs a part of the benchmark and prints its result as one JSON object. Arguments: `--smoke` for the short form,
 * `--seeds N`, `--arm LABEL` (again for another) for some policies only, `--keep FILE` to take outcomes from a file and add
 * the new ones to it. Traces are looked for in SLUICE_TRACES, or beside the repository.
 */
export async function runPart(
  { argv, env }: Invocation,
  measure: (context: PartContext) => Promise<PartResult>,
): Promise<void> {
  const smoke = argv.includes('--smoke');
  const valuesOf = (option: string): string[] => argv.filter((_, i) => argv[i - 1] === option);
  const count = smoke ? 1 : Number(valuesOf('--seeds')[0] ?? SEEDS);
  const wanted = valuesOf('--arm');
  const seeds = Array.from({ length: count }, (_, i) => i + 1);
  const isWanted = ({ label }: Arm): boolean => wanted.length === 0 || wanted.includes(label);
  const traces = env['SLUICE_TRACES'] ?? fileURLToPath(new URL('../../../../shared/traces', import.meta.url));
  const progress = new Progress(
    (text) => process.stderr.write(text),
    () => performance.now(),
  );
  const kept = new KeptRuns(smoke ? null : (valuesOf('--keep')[0] ?? null));
  const pool = new RunPool({ traces, smoke }, progress, kept);
  const runs: RunOutcome[] = [];
  const start = performance.now();
  const result = await measure({
    smoke,
    seeds,
    async run(scenarios, arms, own = seeds) {
      const jobs = own.flatMap((seed) =>
        scenarios.flatMap((scenario) => arms.filter(isWanted).map((arm) => ({ scenario, arm, seed }))),
      );
      const outcomes = await pool.run(jobs);
      runs.push(...outcomes);
      return outcomes;
    },
  });
  progress.end();
  await pool.close();
  for (const file of pool.missing) process.stderr.write(`left out, there is no ${file}\n`);
  const cpuS = runs.reduce((sum, { cpuMs }) => sum + cpuMs, 0) / 1000;
  const wallS = (performance.now() - start) / 1000;
  const effort = {
    runs: runs.length,
    reused: kept.reused,
    seeds: seeds.length,
    cpuS: Math.round(cpuS),
    wallS: Math.round(wallS),
  };
  const missing = [...pool.missing];
  // a short run measures nothing that a claim could be made of
  const claims = smoke ? [] : result.claims;
  const data = { effort, missing, summary: result.data, runs };
  const used = [...new Set(runs.map(({ seed }) => seed))].join(', ');
  const tables = Object.fromEntries(
    Object.entries(result.tables).map(([name, table]) => [name, `${table}\n\nSeeds: ${used}.`]),
  );
  console.log(JSON.stringify({ suite: 'routing', claims, tables, data }));
}
