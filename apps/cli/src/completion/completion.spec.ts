import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Command, Option } from 'commander';
import { commandTable } from './command-table.ts';
import { completionScript, SHELLS } from './scripts.ts';

function program(): Command {
  const root = new Command('sluice').version('1');
  root
    .command('explain')
    .description("why a request went 'where': it went")
    .argument('<id>', 'decision')
    .option('--json', 'as JSON');
  root
    .command('index')
    .description('ask the index')
    .command('lookup')
    .description('who has it')
    .option('--model <name>', 'name [of a model]');
  root
    .command('bench')
    .option('--trace <file>', 'trace')
    .option('--tokenizer <dir>', 'folder')
    .addOption(new Option('--workload <id>', 'made up').choices(['b2b', 'chat']));
  return root;
}

const table = commandTable(program());

describe('the table of commands', () => {
  it('has every command with its options, as the parser has them', () => {
    expect(table.map(({ path }) => path.join(' '))).toEqual(['', 'explain', 'index', 'index lookup', 'bench']);
    const bench = table.at(-1)!;
    expect(bench.options.map(({ flags, value }) => [flags[0], value])).toEqual([
      ['--trace', 'file'],
      ['--tokenizer', 'folder'],
      ['--workload', ['b2b', 'chat']],
      ['--help', 'none'],
    ]);
    expect(table.find(({ path }) => path[0] === 'explain')!.words).toEqual(['last', 'slowest']);
  });
});

describe('completion in bash', () => {
  let folder = '';
  let script = '';
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sluice-completion-'));
    script = join(folder, 'sluice.bash');
    await writeFile(script, completionScript('bash', 'sluice', table));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  /** What a real bash offers behind these words; the last is the one under the cursor. */
  async function offered(...words: string[]): Promise<string[]> {
    const line = words.map((word) => `'${word}'`).join(' ');
    const run = `source ${script}; COMP_WORDS=(sluice ${line}); COMP_CWORD=${words.length}; _sluice; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const { stdout } = await promisify(execFile)('bash', ['--norc', '-c', run]);
    return stdout.split('\n').filter((word) => word !== '');
  }

  it.each([
    [['e'], ['explain']],
    [[''], ['explain', 'index', 'bench', 'help']],
    [
      ['explain', ''],
      ['last', 'slowest'],
    ],
    [['explain', '--j'], ['--json']],
    [['index', 'l'], ['lookup']],
    [['index', 'lookup', '--m'], ['--model']],
    [
      ['bench', '--workload', ''],
      ['b2b', 'chat'],
    ],
    [['bench', '--workload', 'b2b', '--tr'], ['--trace']],
    [['bench', '--model', 'x'], []],
  ])('offers after %j: %j', async (words, expected) => {
    expect(await offered(...words)).toEqual(expected);
  });
});

describe('completion scripts', () => {
  it.each(SHELLS)('of %s name every command and option', (shell) => {
    const script = completionScript(shell, 'sluice', table);
    for (const { path, options } of table) {
      for (const word of path) expect(script).toContain(word);
      for (const { flags } of options) expect(script).toContain(flags[0]!.slice(2));
    }
  });

  it('quote what a description has of quotes, brackets and colons', () => {
    expect(completionScript('fish', 'sluice', table)).toContain(`-d 'why a request went '\\''where'\\'': it went'`);
    expect(completionScript('zsh', 'sluice', table)).toContain(`'*--model[name \\[of a model\\]]:model: '`);
    expect(completionScript('zsh', 'sluice', table)).toContain(`explain:why a request went '\\''where'\\''\\: it went`);
  });
});
