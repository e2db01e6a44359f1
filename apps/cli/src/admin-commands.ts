import type { Command } from 'commander';
import { AdminError } from './admin-client.ts';
import { origin } from './arguments.ts';
import { explain } from './explain/explain.ts';
import type { ExplainOptions } from './explain/explain.ts';
import { printStatus } from './fleet/status.ts';
import type { StatusOptions } from './fleet/status.ts';
import { printWorkers } from './fleet/workers.ts';
import type { WorkersOptions } from './fleet/workers.ts';
import type { Speaker } from './speaker.ts';

const ADMIN = 'admin API to ask: of a router, or of a process that runs several services';

/**
 * Adds the commands that ask a running system through its admin APIs: `explain`, `workers` and `status`.
 * @param admin where that is unless said otherwise
 * @param around asked for when a command runs
 * @param done told the exit code
 */
export function addAdminCommands(
  program: Command,
  admin: string,
  around: () => Speaker,
  done: (code: number) => void,
): void {
  /** Runs a command; what its user can put right becomes one line and exit code 1. */
  const run = async (name: string, command: (speaker: Speaker) => Promise<boolean>): Promise<void> => {
    const speaker = around();
    try {
      done((await command(speaker)) ? 0 : 1);
    } catch (error) {
      if (!(error instanceof AdminError)) throw error;
      speaker.err.write(`sluice ${name}: ${error.message}\n`);
      done(1);
    }
  };

  program
    .command('explain')
    .description('why a request went where it went, and what came of it')
    .argument('<id>', "decision: the answer's x-sluice-decision-id, or last")
    .option('--admin <url>', ADMIN, origin, admin)
    .option('--all', 'every candidate, not the ten cheapest alone', false)
    .option('--json', "the record as the router's admin API has it", false)
    .action((id: string, options: ExplainOptions) =>
      run('explain', async (speaker) => {
        await explain(id, options, speaker, Date.now());
        return true;
      }),
    );

  program
    .command('workers')
    .description('every worker with its load and what is known of its cache')
    .option('--admin <url>', ADMIN, origin, admin)
    .option('--json', 'as JSON', false)
    .action((options: WorkersOptions) =>
      run('workers', async (speaker) => {
        await printWorkers(options, speaker);
        return true;
      }),
    );

  program
    .command('status')
    .description('every service with its checks; exit code 1 unless all are ready')
    .option(
      '--admin <url>',
      'admin API to ask; repeat for services that run alone',
      (text: string, before: readonly string[] | undefined) => [...(before ?? []), origin(text)],
    )
    .option('--json', 'as JSON', false)
    .action((options: Partial<StatusOptions>) =>
      run('status', (speaker) =>
        printStatus({ admin: options.admin ?? [admin], json: options.json ?? false }, speaker),
      ),
    );
}
