import type { Command } from 'commander';
import { withAdmin } from '../command-context.ts';
import type { CommandContext } from '../command-context.ts';
import { lookup } from './lookup.ts';
import type { LookupOptions } from './lookup.ts';

const EXAMPLES = `
A prompt is the rendered text, exactly as the engine tokenises it. A JSON object with "messages" is taken for the body of a chat
request: it is rendered with the template of its model.

Examples:
  A chat           sluice index lookup '{"messages":[{"role":"user","content":"Hello"}]}'
  From a file      sluice index lookup @request.json
  From a pipe      jq -c .body log.json | sluice index lookup -`;

/** Adds `sluice index lookup`. */
export function addIndex(program: Command, context: CommandContext): void {
  const index = program.command('index').description('ask the prefix index');
  withAdmin(index.command('lookup'), context)
    .description('which workers hold how many tokens of a prompt')
    .argument('<prompt>', 'text, or the JSON body of a chat request; @FILE for that of a file, - for stdin')
    .option('--model <name>', "served name of a model or adapter (default: the chat's, or that of the only pool)")
    .option('--salt <salt>', 'cache salt that requests are sent with')
    .option('--text', 'take the prompt as it is, even when it looks like a chat', false)
    .option('--json', "the answer of the index's admin API", false)
    .addHelpText('after', EXAMPLES)
    .action((prompt: string, options: LookupOptions) =>
      context.run('index lookup', async (speaker) => {
        await lookup(prompt, options, process.stdin, speaker);
        return true;
      }),
    );
}
