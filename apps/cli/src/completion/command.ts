import { Argument } from 'commander';
import type { Command } from 'commander';
import type { CommandContext } from '../command-context.ts';
import { commandTable } from './command-table.ts';
import { completionScript, SHELLS } from './scripts.ts';
import type { Shell } from './scripts.ts';

/** Adds `sluice completion`, which knows every command that `program` has when it runs. */
export function addCompletion(program: Command, context: CommandContext): void {
  program
    .command('completion')
    .description('print a completion script for a shell; its head says how to install it')
    .addArgument(new Argument('<shell>').choices(SHELLS))
    .option('--json', 'the table of commands that it is made from, as JSON', false)
    .action((shell: Shell, { json }: { json: boolean }) =>
      context.run('completion', async (speaker) => {
        const table = commandTable(program);
        speaker.out.write(
          json ? `${JSON.stringify({ commands: table }, null, 2)}\n` : completionScript(shell, program.name(), table),
        );
        return true;
      }),
    );
}
