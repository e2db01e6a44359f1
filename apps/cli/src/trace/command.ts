import type { Command } from 'commander';
import { repeatedOrigin, tokenOption } from '../command-context.ts';
import type { CommandContext } from '../command-context.ts';
import { printTrace } from './trace.ts';
import type { TraceOptions } from './trace.ts';

/** Adds `sluice trace`. */
export function addTrace(program: Command, context: CommandContext): void {
  program
    .command('trace')
    .description('one request through every service, as a waterfall')
    .argument('<id>', "a trace id, a decision (the answer's x-sluice-decision-id), or last, or slowest")
    .option('--admin <url>', 'admin API to ask; repeat for services that run alone', repeatedOrigin)
    .addOption(tokenOption(context.token))
    .option('--json', 'the spans as the admin APIs have them', false)
    .action(
      (id: string, { admin = [context.admin], ...options }: Omit<TraceOptions, 'admin'> & Partial<TraceOptions>) =>
        context.run('trace', (speaker) => printTrace(id, { ...options, admin }, speaker)),
    );
}
