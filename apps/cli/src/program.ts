import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { PROFILE_IDS } from '@sluice/engine-model';
import { POLICY_IDS } from '@sluice/routing';
import { addAdminCommands } from './admin-commands.ts';
import { number } from './arguments.ts';
import { addBench } from './bench/command.ts';
import { apiKeyOption, repeatedOrigin, runner } from './command-context.ts';
import type { CommandContext } from './command-context.ts';
import { addCompletion } from './completion/command.ts';
import { addConfig } from './config/command.ts';
import { addDoctor } from './doctor/command.ts';
import { addIndex } from './index-lookup/command.ts';
import { addRequests } from './requests/command.ts';
import { addSimulate } from './simulate/command.ts';
import type { Surroundings } from './simulate/simulate.ts';
import { addTrace } from './trace/command.ts';
import { runUp, type UpOptions } from './up/up.ts';

export const VERSION = '0.1.0';

/** Exit codes of every command, also shown by `--help`. */
export const EXIT = { ok: 0, failed: 1, usage: 2 } as const;

type Environment = Readonly<Record<string, string | undefined>>;

/** The command line. `run` resolves with the exit code and never throws for what a user typed. */
export function buildProgram(env: Environment): { run(argv: readonly string[]): Promise<number> } {
  let code: number = EXIT.ok;
  const wrong: string[] = [];
  const port = envPort(env, 'SLUICE_PORT', 8080, wrong);
  const adminPort = envPort(env, 'SLUICE_ADMIN_PORT', 8081, wrong);
  const apiKey = env['VLLM_API_KEY'] || null;
  const program = new Command('sluice')
    .description('Control plane and data plane in front of a fleet of LLM engines')
    .version(VERSION)
    .showHelpAfterError('(add --help for the options)')
    .addHelpText('after', '\nExit codes: 0 done, 1 failed, 2 wrong usage')
    .exitOverride();

  program
    .command('up')
    .description('start Sluice: in front of simulated engines, of the given engines, or of a fleet file')
    .option('--engine <url>', 'a running engine to put Sluice in front of; repeat for more', repeatedOrigin, [])
    .option('--tokenizer <dir>', "folder with the engines' tokenizer.json and chat template (with --engine)")
    .addOption(apiKeyOption(apiKey))
    .addOption(new Option('--fleet <file>', 'fleet file that names pools and engines').conflicts(['engine', 'engines']))
    .option('--engines <n>', 'number of simulated engines', engineCount, 4)
    .addOption(
      new Option('--profile <id>', 'hardware and model that simulated engines behave like')
        .choices(PROFILE_IDS)
        .default('llama-3.1-8b-h100'),
    )
    .option(
      '--speed <factor>',
      'simulated engines run this many times faster',
      number('--speed', 0.001, 10_000, false),
      1,
    )
    .addOption(
      new Option('--policy <id>', 'routing policy')
        .choices(POLICY_IDS)
        .default(env['ROUTER_POLICY'] ?? 'expected-latency'),
    )
    .option('--port <port>', 'data plane port', number('--port', 1, 65_535), port)
    .option('--admin-port <port>', 'admin port', number('--admin-port', 1, 65_535), adminPort)
    .option('--services', 'every service as its own process on a real NATS and Redis', false)
    .option('--verbose', 'show the log of every process', false)
    .option('--json', 'on stdout one line of JSON when it is ready, all else on stderr', false)
    .addHelpText(
      'after',
      '\nWith --services, SLUICE_NATS_URL and SLUICE_REDIS_URL name servers to use; without them nats-server and\n' +
        'redis-server are started from the PATH. Other variables (ROUTER_..., KV_INDEX_..., ...) reach the services.',
    )
    .action(async (options: UpOptions) => {
      code = await runUp(options, env);
    });
  let given: readonly string[] = [];
  const surroundings = (): Surroundings => ({
    out: process.stdout,
    err: process.stderr,
    colour: process.stdout.isTTY && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb',
    version: VERSION,
    node: process.version,
    argv: given.slice(2),
  });
  const done = (exitCode: number): void => {
    code = exitCode;
  };
  const context: CommandContext = {
    admin: `http://127.0.0.1:${adminPort}`,
    token: env['SLUICE_ADMIN_TOKEN'] || null,
    apiKey,
    natsUrl: env['SLUICE_NATS_URL'] || null,
    redisUrl: env['SLUICE_REDIS_URL'] || null,
    run: runner(surroundings, done),
  };
  addAdminCommands(program, context);
  addRequests(program, context);
  addIndex(program, context);
  addConfig(program, context);
  addDoctor(program, context);
  addTrace(program, context);
  addBench(program, context, `http://127.0.0.1:${port}`);
  addSimulate(program, surroundings, done);
  addCompletion(program, context);

  return {
    async run(argv) {
      given = argv;
      if (wrong.length > 0) {
        process.stderr.write(wrong.map((line) => `sluice: ${line}\n`).join(''));
        return EXIT.usage;
      }
      if (argv.length <= 2) {
        program.outputHelp();
        return EXIT.usage;
      }
      try {
        await program.parseAsync(argv);
      } catch (error) {
        if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
        throw error;
      }
      return code;
    },
  };
}

/** Parser of `--engines`, for which `--engine` is easily mistaken. */
function engineCount(text: string): number {
  if (URL.canParse(text) && text.includes('://'))
    throw new InvalidArgumentError(`That is the number of simulated engines. Did you mean --engine ${text}?`);
  return number('--engines', 1, 64)(text);
}

/** A port from the environment, which commander shows as the default. @param wrong takes in what is wrong with it */
function envPort(env: Environment, name: string, fallback: number, wrong: string[]): number {
  const text = env[name] ?? '';
  if (text === '') return fallback;
  const port = Number(text);
  if (Number.isInteger(port) && port >= 1 && port <= 65_535) return port;
  wrong.push(`${name}: '${text}' is no port: that is a whole number from 1 to 65535`);
  return fallback;
}
