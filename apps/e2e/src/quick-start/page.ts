import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Child } from '@sluice/process';
import { repoRoot } from '@sluice/testkit';
import type { Ended } from '../cli.ts';

/** The model of docs/quick-start.md: whatever engines there are must serve it under this name. */
export const PAGE_MODEL = 'Qwen/Qwen3-8B';

/** What the page names, and what is there instead. */
export interface Surroundings {
  /** In place of gpu-1 and gpu-2. */
  readonly engines: readonly [string, string];
  readonly tokenizer: string;
  readonly port: number;
  readonly adminPort: number;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** The blocks of commands of docs/quick-start.md, in their order. */
export async function pageCommands(): Promise<string[]> {
  const page = await readFile(join(repoRoot, 'docs/quick-start.md'), 'utf8');
  return [...page.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block]) => block!);
}

/** A block with the addresses that are there. The install of packages is done. */
export function commandsHere(block: string, { engines, tokenizer, port, adminPort }: Surroundings): string {
  return block
    .replaceAll('http://gpu-1:8000', engines[0])
    .replaceAll('http://gpu-2:8000', engines[1])
    .replaceAll('./Qwen3-8B', tokenizer)
    .replaceAll('http://127.0.0.1:8080', `http://127.0.0.1:${port}`)
    .replaceAll('http://127.0.0.1:8081', `http://127.0.0.1:${adminPort}`)
    .replace(/^npm install$/m, ':');
}

/** Runs commands in a shell at the root of the repository, as its user would, until they end. */
export function typed(commands: string, around: Surroundings): Promise<Ended> {
  const options = { cwd: repoRoot, env: shellEnv(around), maxBuffer: 1 << 26, timeout: 240_000 };
  return promisify(execFile)('bash', ['-eo', 'pipefail', '-c', commands], options).then(
    ({ stdout, stderr }) => ({ code: 0, out: stdout, err: stderr }),
    ({ code, stdout, stderr }: { code: number; stdout: string; stderr: string }) => ({
      code,
      out: stdout,
      err: stderr,
    }),
  );
}

/** Runs a command that stays, until it says that it is ready. */
export async function typedToStay(command: string, around: Surroundings): Promise<Child> {
  const child = new Child({
    name: 'sluice up',
    command: 'bash',
    args: ['-c', command],
    cwd: repoRoot,
    env: shellEnv(around),
  });
  await child.waitForLine(/^ready /, 60_000);
  return child;
}

/** Ctrl-C: the terminal tells every process of the command. */
export async function interrupted(child: Child): Promise<void> {
  if (child.exit !== null) return;
  process.kill(-child.pid!, 'SIGINT');
  await child.exited;
}

function shellEnv({ env, port, adminPort }: Surroundings): Record<string, string | undefined> {
  const ports = { SLUICE_PORT: String(port), SLUICE_ADMIN_PORT: String(adminPort) };
  const { SLUICE_NATS_URL: _nats, SLUICE_REDIS_URL: _redis, SLUICE_ADMIN_TOKEN: _token, ...rest } = env;
  return { ...rest, ...ports, NO_COLOR: '1' };
}
