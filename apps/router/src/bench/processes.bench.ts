// The processes that benchmarks of the router measure, as they are deployed, and what they are measured with.
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { freePort } from '@sluice/process';

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
    for (const child of this.#children) child.kill('SIGKILL');
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

  /** The router as it is deployed: its own process, its own main, every worker of the pool, the simulator's tokenizer. */
  async startRouter(
    urls: readonly string[],
    natsUrl: string | null,
    extraEnv: Readonly<Record<string, string>> = {},
  ): Promise<RunningRouter> {
    const fleet = join(this.#scratch, `fleet-${urls.length}.json`);
    const engines = urls.map((url, i) => ({ id: `w${i}`, url, kvEvents: null }));
    const tokenizer = join(root, 'apps/engine-sim/assets/tokenizer');
    const pools = [{ id: 'bench', models: ['bench'], tokenizer, engines }];
    writeFileSync(fleet, JSON.stringify({ version: 1, pools }));
    const [port, adminPort] = [await freePort(), await freePort()];
    const adminUrl = `http://127.0.0.1:${adminPort}`;
    const env = {
      ...process.env,
      SLUICE_FLEET: fleet,
      SLUICE_LOG_LEVEL: 'silent',
      SLUICE_NATS_URL: natsUrl ?? 'nats://127.0.0.1:1',
      SLUICE_REDIS_URL: 'redis://127.0.0.1:1',
      ROUTER_PORT: String(port),
      ROUTER_ADMIN_PORT: String(adminPort),
      ...extraEnv,
    };
    const child = spawn(process.execPath, [join(root, 'apps/router/dist/main.js')], {
      env,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    this.#children.push(child);
    for (let i = 0; ; i++) {
      await new Promise((resolve) => setTimeout(resolve, 200));
      const ready = await fetch(`${adminUrl}/readyz`).then(
        (answer) => (answer.ok ? answer.text() : ''),
        () => '',
      );
      if (ready.includes(`${urls.length} of ${urls.length} up`)) break;
      if (i > 100 || child.exitCode !== null) throw new Error('the router did not become ready');
    }
    return { url: `http://127.0.0.1:${port}`, adminUrl, pid: child.pid!, stop: () => child.kill('SIGKILL') };
  }
}
