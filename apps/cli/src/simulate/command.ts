import { Option } from 'commander';
import type { Command } from 'commander';
import { PROFILE_IDS } from '@sluice/engine-model';
import { POLICY_IDS } from '@sluice/routing';
import { FORMAT_IDS } from '@sluice/traces';
import { idList, number } from '../arguments.ts';
import { runSimulate, WORKLOAD_IDS } from './simulate.ts';
import type { SimulateOptions } from './simulate.ts';

/** Adds `sluice simulate`; `done` is told the exit code. */
export function addSimulate(program: Command, done: (code: number) => void): void {
  const command = program
    .command('simulate')
    .description('replay a trace, or make up a workload, in front of simulated engines, in virtual time')
    .option('--trace <file>', 'trace to replay')
    .addOption(
      new Option('--workload <id>', 'made-up requests instead of a trace').choices(WORKLOAD_IDS).conflicts('trace'),
    )
    .addOption(new Option('--format <id>', 'format of the trace').choices(FORMAT_IDS).default('auto'))
    .option('--speed <factor>', 'play the trace this many times faster', number('--speed', 0.001, 10_000, false), 1)
    .option('--limit <n>', 'first n requests of the trace only', number('--limit', 1, 1e9))
    .option('--qps <rate>', 'requests per second of the workload', number('--qps', 0.001, 100_000, false), 5)
    .option('--engines <n>', 'number of simulated engines', number('--engines', 1, 10_000), 8)
    .addOption(
      new Option('--profile <id>', 'hardware and model of the engines')
        .choices(PROFILE_IDS)
        .default('llama-3.1-8b-h100'),
    )
    .addOption(
      new Option('--policy <ids>', `policies to compare, comma-separated, of ${POLICY_IDS.join(', ')}`)
        .argParser(idList('policy', POLICY_IDS))
        .default(
          ['expected-latency', 'weighted-3-2-2', 'least-request'],
          'expected-latency,weighted-3-2-2,least-request',
        ),
    )
    .option('--seeds <n>', 'runs of each policy', number('--seeds', 1, 10_000), 5)
    .option('--slo-ttft <ms>', 'time to first token that goodput asks for', number('--slo-ttft', 0, 1e9, false), 2000)
    .option('--slo-tpot <ms>', 'time per output token that goodput asks for', number('--slo-tpot', 0, 1e9, false), 100)
    .option('--json <file>', 'write every run to this file');
  command.action(async (options: SimulateOptions) => {
    if (options.trace === undefined && options.workload === undefined) {
      command.error('error: give --trace FILE or --workload ID');
    }
    const unused = options.trace === undefined ? ['format', 'speed', 'limit'] : ['qps'];
    for (const name of unused) {
      if (command.getOptionValueSource(name) === 'cli') {
        command.error(`error: --${name} says nothing to a ${options.trace === undefined ? 'workload' : 'trace'}`);
      }
    }
    done(await runSimulate(options, { out: process.stdout, err: process.stderr }));
  });
}
