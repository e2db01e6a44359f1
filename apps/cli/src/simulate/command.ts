import { Option } from 'commander';
import type { Command } from 'commander';
import { PROFILE_IDS } from '@sluice/engine-model';
import { SIMULATED_POLICY_IDS } from '@sluice/routing';
import { FORMAT_IDS } from '@sluice/traces';
import { number } from '../arguments.ts';
import { numberList, parseArrivals, parseEngines, parseKills, parsePolicies, parseRouters } from './option-parsers.ts';
import type { SimulateOptions } from './options.ts';
import { runSimulate } from './simulate.ts';
import type { Surroundings } from './simulate.ts';
import { WORKLOAD_IDS } from './workloads.ts';

const DEFAULT_POLICIES = 'expected-latency,weighted-3-2-2,least-request';

const EXAMPLES = `
Examples:
  Which policy?              sluice simulate --workload b2b --qps 7 --policy all --html report.html
  How many engines?          sluice simulate --trace conversation_trace.jsonl --engines 6
  Where does it break?       sluice simulate --workload b2b --qps 4,6,8,10,12 --html sweep.html
  Twice the KV cache?        sluice simulate --workload doc-qa --kv-tokens 614656 --profile qwen3-32b-tp2-h100
  An engine dies at 200 s?   sluice simulate --workload chat --qps 20 --kill 0@200-260
  Half of them slower?       sluice simulate --workload b2b --engines 4,4@0.5 --latency learned

Numbers are simulated: docs/simulate.md says how far to trust them.`;

/** Only of the one, or only of the other. */
const OF_TRACES = ['format', 'speed'] as const;
const OF_WORKLOADS = ['qps', 'arrivals', 'duration'] as const;

/** Adds `sluice simulate`; `around` is asked for when the command runs, `done` is told the exit code. */
export function addSimulate(program: Command, around: () => Surroundings, done: (code: number) => void): void {
  const command = program
    .command('simulate')
    .description('replay a trace, or make up a workload, in front of simulated engines, in virtual time');
  addSource(command);
  addFleet(command);
  addConditions(command);
  addReports(command);
  command.addHelpText('after', EXAMPLES).action(async (options: SimulateOptions) => {
    if (options.trace === undefined && options.workload === undefined) {
      command.error('error: give --trace FILE or --workload ID');
    }
    const [unused, source] = options.trace === undefined ? [OF_TRACES, 'workload'] : [OF_WORKLOADS, 'trace'];
    for (const name of unused) {
      if (command.getOptionValueSource(name) === 'cli') {
        command.error(`error: --${name} says nothing to a ${source}`);
      }
    }
    done(await runSimulate(options, around()));
  });
}

function addSource(command: Command): void {
  command
    .optionsGroup('What is played:')
    .option('--trace <file>', 'trace to replay')
    .addOption(new Option('--format <id>', 'format of the trace').choices(FORMAT_IDS).default('auto'))
    .addOption(
      new Option('--speed <factors>', 'play the trace this many times faster; several are a load sweep')
        .argParser(numberList('--speed', 0.001, 10_000))
        .default([1], '1'),
    )
    .addOption(
      new Option('--workload <id>', 'made-up requests instead of a trace').choices(WORKLOAD_IDS).conflicts('trace'),
    )
    .addOption(
      new Option('--qps <rates>', 'requests per second of the workload; several are a load sweep')
        .argParser(numberList('--qps', 0.001, 100_000))
        .default([5], '5'),
    )
    .addOption(
      new Option('--arrivals <process>', 'of the workload: poisson, or gamma:CV for bursts')
        .argParser(parseArrivals)
        .default(1, 'poisson'),
    )
    .option('--duration <s>', 'measured seconds of the workload', number('--duration', 1, 1e6, false), 400)
    .option(
      '--warm-up <s>',
      'seconds before that, or of the trace, that are not measured (default: 100 of a workload, 0 of a trace)',
      number('--warm-up', 0, 1e6, false),
    )
    .option('--limit <n>', 'first n requests only', number('--limit', 1, 1e9));
}

function addFleet(command: Command): void {
  command
    .optionsGroup('In front of what:')
    .addOption(
      new Option('--engines <fleet>', 'how many engines; or kinds, COUNT[xPROFILE][@SPEED],...')
        .argParser(parseEngines)
        .default([{ count: 8, profile: null, speed: 1 }], '8'),
    )
    .addOption(
      new Option('--profile <id>', 'hardware and model of the engines')
        .choices(PROFILE_IDS)
        .default('llama-3.1-8b-h100'),
    )
    .option(
      '--kv-tokens <n>',
      "tokens of KV cache of each engine (default: the profile's)",
      number('--kv-tokens', 1, 1e9),
    )
    .option('--block-size <n>', "tokens of a KV block (default: the profile's)", number('--block-size', 1, 4096))
    .addOption(
      new Option('--kill <when>', 'engines that die, ENGINE@S, or come back, ENGINE@S-S, comma-separated')
        .argParser(parseKills)
        .default([], 'none'),
    )
    .option('--jitter <sigma>', 'log-normal jitter of every step', number('--jitter', 0, 2, false), 0);
}

function addConditions(command: Command): void {
  command
    .optionsGroup('Who decides, knowing what:')
    .addOption(
      new Option('--policy <ids>', `policies to compare: all, or comma-separated of ${SIMULATED_POLICY_IDS.join(', ')}`)
        .argParser(parsePolicies)
        .default(parsePolicies(DEFAULT_POLICIES), DEFAULT_POLICIES),
    )
    .addOption(
      new Option('--latency <knowledge>', 'engine speeds are known exactly, or learned from outcomes')
        .choices(['exact', 'learned'])
        .default('exact'),
    )
    .option('--event-lag <ms>', 'until KV events reach the router', number('--event-lag', 0, 1e6, false), 10)
    .option('--poll <ms>', 'between two readings of the metrics', number('--poll', 1, 1e6, false), 50)
    .option('--lost-events <share>', 'KV event batches that get lost, 0 to 1', number('--lost-events', 0, 1, false), 0)
    .addOption(
      new Option('--routers <n>', 'routers in front: N or N:shared (they share ledgers), or N:alone')
        .argParser(parseRouters)
        .default({ count: 1, shared: 'ledgers' }, '1'),
    );
}

function addReports(command: Command): void {
  command
    .optionsGroup('Runs and reports:')
    .option('--seeds <n>', 'runs of each policy and load', number('--seeds', 1, 10_000), 5)
    .option(
      '--jobs <n>',
      'runs at a time (default: one for each core); results do not depend on it',
      number('--jobs', 1, 1024),
    )
    .option('--slo-ttft <ms>', 'time to first token that goodput asks for', number('--slo-ttft', 0, 1e9, false), 2000)
    .option('--slo-tpot <ms>', 'time per output token that goodput asks for', number('--slo-tpot', 0, 1e9, false), 100)
    .addOption(
      new Option('--columns <which>', 'columns of the table: those that fit, or all')
        .choices(['auto', 'all'])
        .default('auto'),
    )
    .option('--json <file>', 'write every run to this file')
    .option('--html <file>', 'write a report with plots to this file');
}
