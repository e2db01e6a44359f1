import { Option } from 'commander';
import type { Command } from 'commander';
import { FORMAT_IDS } from '@sluice/traces';
import { number, origin } from '../arguments.ts';
import type { CommandContext } from '../command-context.ts';
import { parseArrivals } from '../simulate/option-parsers.ts';
import { WORKLOAD_IDS } from '../simulate/workloads.ts';
import { bench } from './bench.ts';
import type { BenchOptions } from './options.ts';

const EXAMPLES = `
Requests are sent when they are due, whatever became of those before, and latency counts from then.
Ctrl-C ends the sending and prints what was measured.

Examples:
  A shape           sluice bench --qps 8 --duration 60 --prompt-tokens 4000 --prefixes 20 --prefix-tokens 3000
  A trace           sluice bench http://router:8080 --trace conversation_trace.jsonl --speed 0.5 --duration 300
  A workload        sluice bench http://router:8080 --workload b2b --qps 4 --arrivals gamma:3
  One engine alone  sluice bench http://gpu-1:8000 --qps 2 --json > engine.json`;

/** Only of a trace, only of the other two, only of a shape. */
const OF_TRACES = ['format', 'speed'];
const OF_OTHERS = ['qps', 'arrivals'];
const OF_SHAPES = ['promptTokens', 'outputTokens', 'prefixes', 'prefixTokens'];

/** Adds `sluice bench`. @param url what is loaded unless said otherwise */
export function addBench(program: Command, context: CommandContext, url: string): void {
  const command = program
    .command('bench')
    .description('put open-loop load on any OpenAI server: TTFT, TPOT, E2E, goodput, cached tokens')
    .argument('[url]', 'router or engine', origin, url)
    .option('--model <name>', 'model to ask for (default: the first that the server lists)')
    .option('--api-key <key>', 'key that the server asks for');
  addSource(command);
  addShape(command);
  command
    .optionsGroup('Measuring:')
    .option(
      '--duration <s>',
      'measured seconds (default: 30, of a trace all of it)',
      number('--duration', 0.1, 1e6, false),
    )
    .option('--warm-up <s>', 'seconds before that, sent and not measured', number('--warm-up', 0, 1e6, false), 0)
    .option('--slo-ttft <ms>', 'time to first token that goodput asks for', number('--slo-ttft', 0, 1e9, false), 2000)
    .option('--slo-tpot <ms>', 'time per output token that goodput asks for', number('--slo-tpot', 0, 1e9, false), 100)
    .option('--timeout <s>', 'a request is given up after', number('--timeout', 0.1, 86_400, false), 600)
    .option(
      '--seed <n>',
      'of arrivals and texts; the same again finds its prompts cached (default: another each time)',
      number('--seed', 0, 2 ** 31 - 1),
    )
    .option('--json', 'as JSON', false)
    .addHelpText('after', EXAMPLES)
    .action(async (target: string, options: Omit<BenchOptions, 'url'>) => {
      const source = options.trace !== undefined ? 'trace' : options.workload !== undefined ? 'workload' : 'shape';
      const unused = { trace: [...OF_OTHERS, ...OF_SHAPES], workload: [...OF_TRACES, ...OF_SHAPES], shape: OF_TRACES };
      for (const name of unused[source]) {
        if (command.getOptionValueSource(name) === 'cli') {
          const flag = command.options.find((each) => each.attributeName() === name)!.long!;
          command.error(`error: ${flag} says nothing to a ${source}`);
        }
      }
      if (options.prefixTokens > options.promptTokens) {
        command.error('error: --prefix-tokens is part of --prompt-tokens and cannot be larger');
      }
      const stopping = new AbortController();
      const stop = (): void => {
        process.stderr.write(
          '\nstopping: waiting for the answers under way (Ctrl-C again: at once, without results)\n',
        );
        stopping.abort();
      };
      process.once('SIGINT', stop);
      try {
        await context.run('bench', (speaker) => bench({ ...options, url: target }, speaker, stopping.signal));
      } finally {
        process.off('SIGINT', stop);
      }
    });
}

function addSource(command: Command): void {
  command
    .optionsGroup('What is sent (a shape, unless a trace or a workload is named):')
    .option('--trace <file>', 'trace to replay')
    .addOption(new Option('--format <id>', 'format of the trace').choices(FORMAT_IDS).default('auto'))
    .option('--speed <factor>', 'play the trace this many times faster', number('--speed', 0.0001, 10_000, false), 1)
    .addOption(
      new Option('--workload <id>', 'requests made up as simulate does').choices(WORKLOAD_IDS).conflicts('trace'),
    )
    .option('--qps <rate>', 'requests per second', number('--qps', 0.001, 100_000, false), 2)
    .addOption(
      new Option('--arrivals <process>', 'poisson, or gamma:CV for bursts')
        .argParser(parseArrivals)
        .default(1, 'poisson'),
    )
    .option('--limit <n>', 'first n requests only', number('--limit', 1, 1e9));
}

function addShape(command: Command): void {
  command
    .optionsGroup('The shape:')
    .option('--prompt-tokens <n>', 'length of a prompt, about', number('--prompt-tokens', 1, 10_000_000), 1000)
    .option('--output-tokens <n>', 'length of an answer', number('--output-tokens', 1, 10_000_000), 128)
    .option('--prefixes <n>', 'different prefixes that prompts begin with', number('--prefixes', 1, 1e6), 8)
    .option(
      '--prefix-tokens <n>',
      'length of those; 0: nothing is shared',
      number('--prefix-tokens', 0, 10_000_000),
      500,
    )
    .option('--no-ignore-eos', 'let the model end its answers, and send no field that OpenAI does not know');
}
