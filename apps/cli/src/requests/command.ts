import { Option } from 'commander';
import type { Command } from 'commander';
import { requestOrderSchema } from '@sluice/contracts';
import { number } from '../arguments.ts';
import { sameAdmin, withRouters } from '../command-context.ts';
import type { CommandContext } from '../command-context.ts';
import { printRequests } from './requests.ts';
import type { RequestsOptions } from './requests.ts';

/** Adds `sluice requests`. */
export function addRequests(program: Command, context: CommandContext): void {
  withRouters(program.command('requests'), context)
    .description('the last requests, by what was slow about them')
    .addOption(
      new Option('--by <what>', 'newest first, or the largest first of a number')
        .choices(requestOrderSchema.options)
        .default('ttft'),
    )
    .option('--limit <n>', 'so many', number('--limit', 1, 10_000), 10)
    .option('--within <s>', 'decided in the last so many seconds', number('--within', 0.001, 1e9, false))
    .option('--pool <id>', 'of this pool alone')
    .option('--worker <id>', 'that went to this worker alone')
    .option('--tenant <id>', 'of this tenant alone')
    .option('--result <what>', 'that ended so: completed, rejected, upstream-error, client-abort, overload, no-worker')
    .option('--json', "as the router's admin API has them", false)
    .addHelpText('after', '\nerror: TTFT against its prediction, either way. Why each was slow: sluice explain ID')
    .action((options: Omit<RequestsOptions, 'sameAdmin'>) =>
      context.run('requests', (speaker) =>
        printRequests({ ...options, sameAdmin: sameAdmin(options.admin, context) }, speaker, Date.now()),
      ),
    );
}
