// The processes that benchmarks of the router measure, as they are deployed, and what they are measured with.
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { freePort } from '@sluice/process';
import { TOKENIZER_DIR } from './prefix-cache.bench.ts';
import type { KvAddresses } from './prefix-cache.bench.ts';

export const root = fileURLToPath(new URL('../../../../', import.meta.url));
export const here = (file: string): string => fileURLToPath(new URL(file, import.meta.url));

export interface RunningRouter {
  readonly url: string;
  readonly adminUrl: string;
  readonly pid: number;
  stop(): void;
}

/** Every process started here ends with {@link Processes.stopAll}. */
export class Processes {
  readonly #children: ChildProcess[] = [];
  readonly #scratch: string;

  /** @param scratch folder for fleet files */
  constructor(scratch: string) {
    this.#scratch = scratch;
  }

  stopAll(): void {
    for (const child of this.#children.splice(0)) child.kill('SIGKILL');
  }

  /** Starts a script and resolves with the first JSON line that it prints. */
  async start<T>(args: readonly string[]): Promise<{ pid: number; said: T; stop: () => void }> {
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#children.push(child);
    for await (const line of createInterface({ input: child.stdout })) {
      child.stdout.resume();
      return { pid: child.pid!, said: JSON.parse(line) as T, stop: () => child.kill('SIGKILL') };
    }
    throw new Error(`${args[0]} ended at its start`);
  }

  /**
   * The router as it is deployed: its own process, its own main, every worker of the pool, a model's tokenizer.
   * @param kvEvents of the engines, read by an event bridge that must run on the same NATS; null: they have none
   */
  async startRouter(
    urls: readonly string[],
    natsUrl: string | null,
    extraEnv: Readonly<Record<string, string>> = {},
    kvEvents: readonly KvAddresses[] | null = null,
  ): Promise<RunningRouter> {
    const [port, adminPort] = [await freePort(), await freePort()];
    const adminUrl = `http://127.0.0.1:${adminPort}`;
    const ports = { ROUTER_PORT: String(port), ROUTER_ADMIN_PORT: String(adminPort) };
    const child = this.#startApp('router', this.#fleet(urls, kvEvents), natsUrl, { ...ports, ...extraEnv });
    const all = `${urls.length} of ${urls.length}`;
    const isReady = (status: string): boolean =>
      status.includes(`${all} up`) && (kvEvents === null || status.includes(`${all} workers with events are live`));
    for (let i = 0; ; i++) {
      await new Promise((resolve) => setTimeout(resolve, 200));
      const status = await fetch(`${adminUrl}/readyz`).then(
        (answer) => (answer.ok ? answer.text() : ''),
        () => '',
      );
      if (isReady(status)) break;
      if (i > 150 || child.exitCode !== null) throw new Error(`the router did not become ready: ${status}`);
    }
    return { url: `http://127.0.0.1:${port}`, adminUrl, pid: child.pid!, stop: () => child.kill('SIGKILL') };
  }

  /** The event bridge as it is deployed: reads the engines' events and publishes them on NATS. */
  async startBridge(urls: readonly string[], natsUrl: string, kvEvents: readonly KvAddresses[]): Promise<void> {
    const ports = { EVENT_BRIDGE_ADMIN_PORT: String(await freePort()) };
    this.#startApp('event-bridge', this.#fleet(urls, kvEvents), natsUrl, ports);
  }

  #fleet(urls: readonly string[], kvEvents: readonly KvAddresses[] | null): string {
    const path = join(this.#scratch, `fleet-${urls.length}${kvEvents === null ? '' : '-kv-events'}.json`);
    const engines = urls.map((url, i) => ({ id: `w${i}`, url, kvEvents: kvEvents?.[i] ?? null }));
    const pools = [{ id: 'bench', models: ['bench'], tokenizer: TOKENIZER_DIR, engines }];
    writeFileSync(path, JSON.stringify({ version: 1, pools }));
    return path;
  }

  #startApp(app: string, fleet: string, natsUrl: string | null, extraEnv: Record<string, string>): ChildProcess {
    const env = {
      ...process.env,
      SLUICE_FLEET: fleet,
      SLUICE_LOG_LEVEL: 'silent',
      SLUICE_NATS_URL: natsUrl ?? 'nats://127.0.0.1:1',
      SLUICE_REDIS_URL: 'redis://127.0.0.1:1',
      ...extraEnv,
    };
    const child = spawn(process.execPath, [join(root, 'apps', app, 'dist/main.js')], {
      env,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    this.#children.push(child);
    return child;
  }
}
