import { ConfigError } from './config.ts';
import type { RunningService } from './service.ts';

/** The process as {@link runMain} uses it; given by specs. */
export interface ProcessHandle {
  on(event: 'SIGTERM' | 'SIGINT' | 'disconnect', listener: () => void): unknown;
  exit(code: number): void;
  readonly stderr: { write(text: string): unknown };
}

/**
 * The body of a `main.ts`: starts a service and keeps it until SIGTERM or SIGINT, which drains it and exits with 0. A
 * second signal exits at once with 1; so does a start that fails, after it said why. A process that was started with a
 * channel to its supervisor also ends when the supervisor does, however that died.
 */
export async function runMain(
  service: string,
  start: () => Promise<RunningService>,
  host: ProcessHandle = process,
): Promise<void> {
  let running: RunningService | undefined;
  let stopping = false;
  const stop = (): void => {
    if (stopping) {
      host.exit(1);
      return;
    }
    stopping = true;
    // A signal during the start is obeyed when the start is over.
    if (running) void finish(running);
  };
  const finish = async (started: RunningService): Promise<void> => {
    try {
      await started.close();
      host.exit(0);
    } catch (error) {
      host.stderr.write(`${service}: ${explain(error)}\n`);
      host.exit(1);
    }
  };
  host.on('SIGTERM', stop);
  host.on('SIGINT', stop);
  host.on('disconnect', () => {
    if (!stopping) stop();
  });
  try {
    running = await start();
  } catch (error) {
    host.stderr.write(`${service}: ${explain(error)}\n`);
    host.exit(1);
    return;
  }
  if (stopping) await finish(running);
}

/** What the operator can act on is said in its own words; a bug with its stack. */
function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const expected = error instanceof ConfigError || 'errors' in error || 'code' in error;
  return expected ? error.message : (error.stack ?? error.message);
}
