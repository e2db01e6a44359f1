import type { Command } from 'commander';

/** One option as shells complete it. */
export interface CompletedOption {
  /** `--json`, and its short form if it has one. */
  readonly flags: readonly string[];
  readonly description: string;
  /** What follows it: nothing, one of a few words, a file, a folder, or anything. */
  readonly value: 'none' | 'file' | 'folder' | 'any' | readonly string[];
}

/** One command as shells complete it. */
export interface CompletedCommand {
  /** Words that lead to it: `['index', 'lookup']`. */
  readonly path: readonly string[];
  readonly description: string;
  readonly subcommands: readonly { readonly name: string; readonly description: string }[];
  readonly options: readonly CompletedOption[];
  /** Words that its first argument may be. */
  readonly words: readonly string[];
}

/** Arguments that have known words besides what commander knows of choices. */
const WORDS: Readonly<Record<string, readonly string[]>> = { explain: ['last', 'slowest'], trace: ['last', 'slowest'] };

/** Every command of the command line, the line itself first with an empty path: read from what parses it. */
export function commandTable(program: Command): CompletedCommand[] {
  const walk = (command: Command, path: readonly string[]): CompletedCommand[] => {
    const help = command.createHelp();
    const subcommands = help.visibleCommands(command);
    const own: CompletedCommand = {
      path,
      description: firstLine(command.description()),
      subcommands: subcommands.map((each) => ({ name: each.name(), description: firstLine(each.description()) })),
      options: help
        .visibleOptions(command)
        .map((option) => ({
          flags: [option.long, option.short].filter((flag) => typeof flag === 'string'),
          description: firstLine(option.description),
          value: valueOf(option),
        })),
      words: command.registeredArguments[0]?.argChoices ?? WORDS[path.join(' ')] ?? [],
    };
    const below = subcommands.filter((each) => each.name() !== 'help');
    return [own, ...below.flatMap((each) => walk(each, [...path, each.name()]))];
  };
  return walk(program, []);
}

function valueOf(option: {
  readonly flags: string;
  readonly argChoices?: readonly string[] | undefined;
}): CompletedOption['value'] {
  const [, name] = /[<[]([^>\]]+)[>\]]/.exec(option.flags) ?? [];
  if (name === undefined) return 'none';
  if (option.argChoices !== undefined) return option.argChoices;
  return name === 'file' ? 'file' : name === 'dir' ? 'folder' : 'any';
}

const firstLine = (text: string): string => text.split('\n')[0]!;
