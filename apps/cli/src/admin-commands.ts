import type { Command } from 'commander';
import { repeatedOrigin, sameAdmin, tokenOption, withRouters } from './command-context.ts';
import type { CommandContext } from './command-context.ts';
import { explain } from './explain/explain.ts';
import type { ExplainOptions } from './explain/explain.ts';
import { printStatus } from './fleet/status.ts';
import type { StatusOptions } from './fleet/status.ts';
import { printWorkers } from './fleet/workers.ts';
import type { WorkersOptions } from './fleet/workers.ts';

/** Adds the commands that ask a running system through its admin APIs: `explain`, `workers` and `status`. */
export function addAdminCommands(program: Command, context: CommandContext): void {
  withRouters(program.command('explain'), context)
    .description('why a request went where it went, and what came of it')
    .argument('<id>', "decision: the answer's x-sluice-decision-id, or last, or slowest")
    .option('--all', 'every candidate, not the ten cheapest alone', false)
    .option('--json', "the record as the router's admin API has it", false)
    .action((id: string, options: Omit<ExplainOptions, 'sameAdmin'>) =>
      context.run('explain', async (speaker) => {
        const further = { ...options, sameAdmin: sameAdmin(options.admin, context) };
        await explain(id, further, speaker, Date.now());
        return true;
      }),
    );

  withRouters(program.command('workers'), context)
    .description('every worker with its load and what is known of its cache')
    .option('--json', 'as JSON', false)
    .action((options: WorkersOptions) => context.run('workers', (speaker) => printWorkers(options, speaker)));

  program
    .command('status')
    .description('every service with its checks; exit code 1 unless all are ready')
    .option('--admin <url>', 'admin API to ask; repeat for services that run alone', repeatedOrigin)
    .addOption(tokenOption(context.token))
    .option('--json', 'as JSON', false)
    .action(({ admin = [context.admin], ...options }: Omit<StatusOptions, 'admin'> & Partial<StatusOptions>) =>
      context.run('status', (speaker) => printStatus({ ...options, admin }, speaker)),
    );
}
