import type { CompletedCommand, CompletedOption } from './command-table.ts';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

/** A completion script for `shell` of the command line `name`. */
export function completionScript(shell: Shell, name: string, table: readonly CompletedCommand[]): string {
  switch (shell) {
    case 'bash':
      return bashScript(name, table);
    case 'zsh':
      return zshScript(name, table);
    case 'fish':
      return fishScript(name, table);
  }
}

/** How to install it, as comments on top of the script. */
const INSTALL: Readonly<Record<Shell, string>> = {
  bash: 'source <(NAME completion bash)      # in ~/.bashrc',
  zsh: 'NAME completion zsh > "${fpath[1]}/_NAME"      # then start a new shell',
  fish: 'NAME completion fish > ~/.config/fish/completions/NAME.fish',
};
const head = (shell: Shell, name: string): string =>
  `# ${shell} completion of ${name}, made by \`${name} completion ${shell}\`.\n# ${INSTALL[shell].replaceAll('NAME', name)}\n`;

const flagsOf = (options: readonly CompletedOption[]): string[] => options.flatMap(({ flags }) => flags);
const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

/** Lines of a `case` on an option's flags that complete its value with `say`. */
function valueCases(options: readonly CompletedOption[], say: (value: CompletedOption['value']) => string): string[] {
  return options
    .filter(({ value }) => value !== 'none')
    .map(({ flags, value }) => `${flags.join('|')}) ${say(value)} ;;`);
}

/** Walks the words before the cursor to the command they name; options stand between, and are stepped over. */
function bashScript(name: string, table: readonly CompletedCommand[]): string {
  const say = (value: CompletedOption['value']): string => {
    if (value === 'file') return `COMPREPLY=($(compgen -f -- "$cur")); return`;
    if (value === 'folder') return `COMPREPLY=($(compgen -d -- "$cur")); return`;
    if (value === 'any' || value === 'none') return 'return';
    return `COMPREPLY=($(compgen -W ${quoted(value.join(' '))} -- "$cur")); return`;
  };
  const steps = table
    .filter(({ path }) => path.length > 0)
    .map(({ path }) => `      ${quoted([...path.slice(0, -1), path.at(-1)!].join(' '))}) command="$next" ;;`);
  const cases = table.map(({ path, options, subcommands, words }) =>
    [
      `    ${quoted(path.join(' '))})`,
      '      case "$prev" in',
      ...valueCases(options, say).map((line) => `        ${line}`),
      '      esac',
      `      words=${quoted([...subcommands.map((each) => each.name), ...words].join(' '))}`,
      `      flags=${quoted(flagsOf(options).join(' '))} ;;`,
    ].join('\n'),
  );
  return `${head('bash', name)}_${name}() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" prev="\${COMP_WORDS[COMP_CWORD-1]}" command='' next words flags i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    next="\${command:+$command }\${COMP_WORDS[i]}"
    case "$next" in
${steps.join('\n')}
    esac
  done
  case "$command" in
${cases.join('\n')}
  esac
  if [[ "$cur" == -* ]]; then COMPREPLY=($(compgen -W "$flags" -- "$cur"))
  else COMPREPLY=($(compgen -W "$words" -- "$cur"))
  fi
}
complete -o default -F _${name} ${name}
`;
}

function zshScript(name: string, table: readonly CompletedCommand[]): string {
  const functionOf = (path: readonly string[]): string => ['_' + name, ...path].join('_').replaceAll('-', '_');
  const described = (text: string): string => text.replaceAll(/[[\]:]/g, (each) => `\\${each}`);
  const value = ({ value: kind, flags }: CompletedOption): string => {
    if (kind === 'none') return '';
    const label = flags[0]!.replace(/^--/, '');
    if (kind === 'file') return `:${label}:_files`;
    if (kind === 'folder') return `:${label}:_files -/`;
    return kind === 'any' ? `:${label}: ` : `:${label}:(${kind.join(' ')})`;
  };
  const functions = table.map(({ path, options, subcommands, words }) => {
    const specs = options.flatMap((option) =>
      option.flags.map((flag) => quoted(`*${flag}[${described(option.description)}]${value(option)}`)),
    );
    if (subcommands.length === 0) {
      const rest = words.length > 0 ? `'1:${'argument'}:(${words.join(' ')})'` : `'*:file:_files'`;
      return `${functionOf(path)}() {\n  _arguments ${[...specs, rest].join(' \\\n    ')}\n}`;
    }
    const names = subcommands.map((each) => quoted(`${each.name}:${each.description.replaceAll(':', '\\:')}`));
    const cases = subcommands
      .filter((each) => each.name !== 'help')
      .map((each) => `    ${each.name}) ${functionOf([...path, each.name])} ;;`);
    return `${functionOf(path)}() {
  local state line
  local -a commands=(
    ${names.join('\n    ')}
  )
  _arguments -C ${[...specs, `'1: :->command'`, `'*:: :->rest'`].join(' \\\n    ')}
  case $state in
    command) _describe command commands ;;
    rest) case $line[1] in
${cases.join('\n')}
    esac ;;
  esac
}`;
  });
  return `#compdef ${name}\n${head('zsh', name)}${functions.join('\n')}\nif [ "$funcstack[1]" = _${name} ]; then _${name} "$@"; else compdef _${name} ${name}; fi\n`;
}

function fishScript(name: string, table: readonly CompletedCommand[]): string {
  const seen = (word: string): string => `__fish_seen_subcommand_from ${word}`;
  const lines = table.flatMap(({ path, options, subcommands, words }) => {
    const below = subcommands.map((each) => each.name).join(' ');
    const here = [...path.map(seen), ...(below === '' ? [] : [`not ${seen(below)}`])].join('; and ') || 'true';
    const when = `-n ${quoted(here)}`;
    return [
      ...subcommands.map((each) => `complete -c ${name} -f ${when} -a ${each.name} -d ${quoted(each.description)}`),
      ...(words.length > 0 ? [`complete -c ${name} -f ${when} -a ${quoted(words.join(' '))}`] : []),
      ...options.map(({ flags, description, value }) => {
        const names = flags.map((flag) => (flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`));
        return `complete -c ${name} ${when} ${names.join(' ')}${fishValue(value)} -d ${quoted(description)}`;
      }),
    ];
  });
  return `${head('fish', name)}${lines.join('\n')}\n`;
}

function fishValue(value: CompletedOption['value']): string {
  if (value === 'none') return '';
  if (value === 'file') return ' -r -F';
  if (value === 'folder') return ` -x -a '(__fish_complete_directories)'`;
  return value === 'any' ? ' -x' : ` -x -a ${quoted(value.join(' '))}`;
}
