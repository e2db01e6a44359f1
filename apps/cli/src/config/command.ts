import type { Command } from 'commander';
import { number } from '../arguments.ts';
import { withAdmin } from '../command-context.ts';
import type { CommandContext } from '../command-context.ts';
import type { Speaker } from '../speaker.ts';
import { printHistory, printSettings, rollBack, setSettings } from './settings.ts';
import type { ChangeOptions, ConfigOptions } from './settings.ts';

const VERSION = number('a version', 0, 1_000_000_000);

/** Adds `sluice config get`, `set`, `history` and `rollback`. */
export function addConfig(program: Command, context: CommandContext): void {
  const config = program.command('config').description('settings of a running service: see, change, go back');
  const add = (name: string): Command =>
    withAdmin(config.command(name), context)
      .option('--service <name>', 'whose settings; router is all of those behind a console', 'router')
      .option('--json', 'as JSON', false);
  const addChange = (name: string): Command =>
    add(name)
      .option('--note <text>', 'why, for those who read the history')
      .option('--if-version <n>', 'change nothing unless this version is in force', VERSION);
  const run = (name: string, command: (speaker: Speaker) => Promise<boolean | void>): Promise<void> =>
    context.run(`config ${name}`, async (speaker) => (await command(speaker)) !== false);

  add('get')
    .description('settings in force that are not as by default, or one with what it means')
    .argument('[name]', 'a setting')
    .option('--all', 'those that are as by default too', false)
    .action((name: string | undefined, options: ConfigOptions & { readonly all: boolean }) =>
      run('get', (speaker) => printSettings(name, options, speaker)),
    );
  addChange('set')
    .description('changes settings at once, all or none; NAME= takes an override away')
    .argument('<change...>', 'NAME=VALUE')
    .action((changes: string[], options: ChangeOptions) =>
      run('set', (speaker) => setSettings(changes, options, speaker)),
    );
  add('history')
    .description('the last versions of the overrides, newest first')
    .action((options: ConfigOptions) => run('history', (speaker) => printHistory(options, speaker, Date.now())));
  addChange('rollback')
    .description('brings the overrides of an earlier version back')
    .argument('[version]', 'default: the one before; 0: no overrides', VERSION)
    .action((version: number | undefined, options: ChangeOptions) =>
      run('rollback', (speaker) => rollBack(version ?? null, options, speaker)),
    );
}
