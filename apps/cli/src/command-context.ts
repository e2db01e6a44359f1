import { Option } from 'commander';
import type { Command } from 'commander';
import { AdminError } from './admin-client.ts';
import { origin } from './arguments.ts';
import { InputError } from './input.ts';
import type { Speaker } from './speaker.ts';

/** What commands are given besides their own options. */
export interface CommandContext {
  /** The admin API that is asked unless said otherwise, and the token for it; null: none. */
  readonly admin: string;
  readonly token: string | null;
  /** For engines that ask for one; null: none. */
  readonly apiKey: string | null;
  readonly natsUrl: string | null;
  readonly redisUrl: string | null;
  /**
   * Runs a command; what its user can put right becomes one line on stderr and exit code 1.
   * @param command returns whether all is well: exit code 0 or 1
   */
  run(name: string, command: (speaker: Speaker) => Promise<boolean>): Promise<void>;
}

/** @param done told the exit code */
export const runner =
  (around: () => Speaker, done: (code: number) => void): CommandContext['run'] =>
  async (name, command) => {
    const speaker = around();
    try {
      done((await command(speaker)) ? 0 : 1);
    } catch (error) {
      if (!(error instanceof AdminError || error instanceof InputError)) throw error;
      speaker.err.write(`sluice ${name}: ${error.message}\n`);
      done(1);
    }
  };

const ADMIN = 'admin API to ask: of a service, of a process that runs several, or of a console';

/** Adds `--admin` and `--token`. */
export const withAdmin = (command: Command, { admin, token }: CommandContext): Command =>
  command.option('--admin <url>', ADMIN, origin, admin).addOption(tokenOption(token));

/** Adds `--admin`, `--token` and `--router`. */
export const withRouters = (command: Command, context: CommandContext): Command =>
  withAdmin(command, context).option('--router <name>', 'of several behind a console, this one alone (default: all)');

/** What a further command needs to ask the same address; nothing where that is the default. */
export const sameAdmin = (admin: string, context: CommandContext): string =>
  admin === context.admin ? '' : ` --admin ${admin}`;

/** `--token`: the default is a secret and not shown. */
export const tokenOption = (token: string | null): Option =>
  new Option('--token <token>', 'token of the admin API').default(token, 'SLUICE_ADMIN_TOKEN');

/** `--api-key` of engines: the default is a secret and not shown. Its variable is the one that vLLM takes its key from. */
export const apiKeyOption = (apiKey: string | null): Option =>
  new Option('--api-key <key>', 'key that the engines ask for').default(apiKey, 'VLLM_API_KEY');

/** Parser of an address that may be given more than once. */
export const repeatedOrigin = (text: string, before: readonly string[] | undefined): string[] => [
  ...(before ?? []),
  origin(text),
];
