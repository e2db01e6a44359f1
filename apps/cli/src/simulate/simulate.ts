import { availableParallelism } from 'node:os';
import { TraceError } from '@sluice/traces';
import { counted, fleetName, loadName, loadsOf, serviceLevel, sourceName } from './describe.ts';
import { htmlReport } from './html-report.ts';
import { jsonReport } from './json-report.ts';
import type { Origin } from './json-report.ts';
import type { SimulateOptions } from './options.ts';
import type { RunOutcome } from './outcome.ts';
import { checkOutput, OutputError, writeOutput } from './output-file.ts';
import { createProgress } from '../progress.ts';
import type { Terminal } from '../progress.ts';
import { runJobs } from './run-jobs.ts';
import type { Job } from './run-job.ts';
import { createScenario, OptionError } from './scenario.ts';
import type { Scenario } from './scenario.ts';
import { resultTable } from './table.ts';

/** Where the command speaks, and who it is. */
export interface Surroundings extends Origin {
  readonly out: Terminal;
  readonly err: Terminal;
  /** Whether `out` shows colours. */
  readonly colour: boolean;
}

/** Of output that is no terminal. */
const PLAIN_WIDTH = 160;

/** Makes every run, prints the table and writes the reports. Returns the exit code. */
export async function runSimulate(options: SimulateOptions, around: Surroundings): Promise<number> {
  const { json, html } = options;
  try {
    // First of all: a path that cannot be written is said before the work is done.
    if (json !== undefined) checkOutput('--json', json);
    if (html !== undefined) checkOutput('--html', html);
    const scenario = await createScenario(options);
    const outcomes = await runAll(options, scenario, around.err);
    around.out.write(textReport(options, scenario, outcomes, around));
    if (json !== undefined) writeOutput('--json', json, jsonReport(options, scenario, outcomes, around));
    if (html !== undefined) writeOutput('--html', html, htmlReport(options, scenario, outcomes, around));
    return 0;
  } catch (error) {
    if (!isExpected(error)) throw error;
    around.err.write(`sluice simulate: ${error.message}\n`);
    return 1;
  }
}

/** What a user's files and options can cause; anything else is a bug and keeps its stack. */
const isExpected = (error: unknown): error is Error =>
  error instanceof TraceError || error instanceof OptionError || error instanceof OutputError;

/** Policies of one seed follow each other: they are given the same requests. */
async function runAll(options: SimulateOptions, scenario: Scenario, err: Terminal): Promise<RunOutcome[]> {
  const seeds = Array.from({ length: options.seeds }, (_, index) => index + 1);
  const jobs = loadsOf(options).flatMap((load) =>
    seeds.flatMap((seed) => options.policy.map((policy): Job => ({ load, policy, seed }))),
  );
  const progress = createProgress(err, () => performance.now());
  try {
    return await runJobs(scenario, jobs, options.jobs ?? availableParallelism(), (done) =>
      progress.update(done / jobs.length, `${Math.floor(done)} of ${counted(jobs.length, 'run')}`),
    );
  } finally {
    progress.end();
  }
}

function textReport(
  options: SimulateOptions,
  scenario: Scenario,
  outcomes: readonly RunOutcome[],
  { out, colour }: Surroundings,
): string {
  // Some terminals say 0 for what they do not know.
  const width = out.columns || PLAIN_WIDTH;
  const loads = loadsOf(options);
  const tables = loads.map((load) => {
    const own = outcomes.filter((outcome) => outcome.load === load);
    const table = resultTable(own, { width, all: options.columns === 'all', colour });
    return {
      ...table,
      text: loads.length === 1 ? table.text : `at ${loadName(options, load)}, ${requestsName(own)}\n${table.text}`,
    };
  });
  const hidden = Math.max(...tables.map((table) => table.hidden));
  const more = hidden === 0 ? '' : `\n${counted(hidden, 'more column')} with --columns all\n`;
  return `${title(options, scenario, outcomes)}\n\n${tables.map(({ text }) => text).join('\n')}${more}`;
}

function title(options: SimulateOptions, scenario: Scenario, outcomes: readonly RunOutcome[]): string {
  const parts = [
    ...(loadsOf(options).length === 1 ? [requestsName(outcomes)] : []),
    fleetName(scenario),
    counted(options.seeds, 'seed'),
    `goodput at ${serviceLevel(options)}`,
  ];
  return `${sourceName(options)}: ${parts.join(', ')}`;
}

/** Measured requests of the first seed: those of a workload differ a little from seed to seed. */
const requestsName = (outcomes: readonly RunOutcome[]): string => counted(outcomes[0]!.result.requests, 'request');
