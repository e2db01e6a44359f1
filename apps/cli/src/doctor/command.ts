import type { Command } from 'commander';
import { number } from '../arguments.ts';
import { apiKeyOption, repeatedOrigin, tokenOption } from '../command-context.ts';
import type { CommandContext } from '../command-context.ts';
import { doctor } from './doctor.ts';

const EXAMPLES = `
Without --fleet, --engine or --admin the Sluice on this machine is examined, with the engines of its fleet.
Each engine is sent two chats of one token for every rank; --passive sends none.
Exit code 1 when an error is found (with --strict, or a warning). Codes: docs/doctor.md

Examples:
  Before the start          sluice doctor --engine http://gpu-1:8000 --tokenizer ./Qwen3-8B
  A fleet file              sluice doctor --fleet fleet.yaml --nats nats://nats:4222 --redis redis://redis:6379
  What runs                 sluice doctor --admin http://router:8081`;

/** As commander has them: what was not given is absent. */
interface Given {
  readonly fleet?: string;
  readonly engine?: readonly string[];
  readonly tokenizer?: string;
  readonly admin?: readonly string[];
  readonly token: string | null;
  readonly nats: string | null;
  readonly redis: string | null;
  readonly apiKey: string | null;
  readonly timeout: number;
  readonly passive: boolean;
  readonly strict: boolean;
  readonly json: boolean;
}

/** Adds `sluice doctor`. */
export function addDoctor(program: Command, context: CommandContext): void {
  program
    .command('doctor')
    .description('find the usual mistakes in engines, fleet file, servers and a running Sluice, each with its fix')
    .option('--fleet <file>', 'fleet file to examine, and its engines')
    .option('--engine <url>', 'engine to examine; repeat for more', repeatedOrigin)
    .option('--tokenizer <dir>', "folder with the engines' tokenizer.json and chat template (with --engine)")
    .option('--admin <url>', 'admin API of a running Sluice; repeat for services that run alone', repeatedOrigin)
    .addOption(tokenOption(context.token))
    .option('--nats <url>', 'NATS server to examine (default: SLUICE_NATS_URL)')
    .option('--redis <url>', 'Redis to examine (default: SLUICE_REDIS_URL)')
    .addOption(apiKeyOption(context.apiKey))
    .option('--timeout <s>', 'patience with each server, seconds', number('--timeout', 0.1, 600, false), 3)
    .option('--passive', 'send the engines no request', false)
    .option('--strict', 'warnings count as failures', false)
    .option('--json', 'as JSON', false)
    .addHelpText('after', EXAMPLES)
    .action((given: Given) =>
      context.run('doctor', (speaker) => {
        const { fleet = null, engine = [], tokenizer = null, timeout, ...rest } = given;
        const admin = given.admin ?? (fleet === null && engine.length === 0 ? [context.admin] : []);
        const servers = { nats: given.nats ?? context.natsUrl, redis: given.redis ?? context.redisUrl };
        const timeoutMs = 1000 * timeout;
        return doctor({ ...rest, ...servers, fleet, engine, tokenizer, admin, timeoutMs }, speaker);
      }),
    );
}
