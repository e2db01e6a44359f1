import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { repoRoot } from '@sluice/testkit';

/** What a command line did. */
export interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs the built command line with the environment of this process, without colours, and without servers that it names. */
export function cli(...args: string[]): Promise<Ended> {
  const main = join(repoRoot, 'apps/cli/dist/main.js');
  const { SLUICE_NATS_URL: _nats, SLUICE_REDIS_URL: _redis, SLUICE_ADMIN_TOKEN: _token, ...rest } = process.env;
  const options = { env: { ...rest, NO_COLOR: '1' }, maxBuffer: 1 << 26 };
  return promisify(execFile)(process.execPath, [main, ...args], options).then(
    ({ stdout, stderr }) => ({ code: 0, out: stdout, err: stderr }),
    ({ code, stdout, stderr }: { code: number; stdout: string; stderr: string }) => ({
      code,
      out: stdout,
      err: stderr,
    }),
  );
}
