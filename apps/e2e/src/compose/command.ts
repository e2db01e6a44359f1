import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const execute = promisify(execFile);

export type Environment = Readonly<Record<string, string | undefined>>;

export interface CommandOptions {
  readonly env: Environment;
  readonly timeoutMs: number;
  readonly cwd?: string;
}

/** Runs a program to its end and returns its standard output. @throws Error with the end of its output when it fails. */
export async function run(program: string, args: readonly string[], options: CommandOptions): Promise<string> {
  const { env, timeoutMs, cwd } = options;
  try {
    const { stdout } = await execute(program, [...args], {
      env: { ...env },
      timeout: timeoutMs,
      maxBuffer: 64 << 20,
      ...(cwd === undefined ? {} : { cwd }),
    });
    return stdout;
  } catch (error) {
    const { stdout, stderr, message } = error as { stdout?: string; stderr?: string; message: string };
    const tail = `${stdout ?? ''}\n${stderr ?? ''}`.trim().split('\n').slice(-15).join('\n');
    throw new Error(`${[program, ...args].join(' ')}: ${tail || message}`, { cause: error });
  }
}

/** The same for a question: standard output, or null when the program is missing or fails. */
export const ask = (program: string, args: readonly string[], options: CommandOptions): Promise<string | null> =>
  run(program, args, options).then(
    (stdout) => stdout.trim(),
    () => null,
  );
