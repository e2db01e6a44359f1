import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { KvEventSource } from '@sluice/model';
import { Child, freePort, freePorts } from '@sluice/process';

export const repoRoot = fileURLToPath(new URL('../../..', import.meta.url));
export const simTokenizer = join(repoRoot, 'apps/engine-sim/assets/tokenizer');

type Environment = Readonly<Record<string, string | undefined>>;

/** How a simulated engine is started; a stopped one can be started again on the same ports. */
export interface SimOptions {
  readonly name: string;
  readonly model: string;
  readonly profile?: string;
  readonly speed?: number;
  readonly kvBlocks?: number;
  readonly blockSize?: number;
  readonly extraArgs?: readonly string[];
}

export class Sim {
  readonly name: string;
  readonly port: number;
  readonly eventsPort: number;
  readonly replayPort: number;
  readonly #options: SimOptions;
  readonly #env: Environment;
  child: Child;

  private constructor(options: SimOptions, ports: readonly [number, number, number], env: Environment) {
    this.name = options.name;
    [this.port, this.eventsPort, this.replayPort] = ports;
    this.#options = options;
    this.#env = env;
    this.child = this.#spawn();
  }

  static async start(options: SimOptions, env: Environment): Promise<Sim> {
    const sim = new Sim(options, (await freePorts(3)) as [number, number, number], env);
    await sim.untilHealthy();
    return sim;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Where its KV events are, as a subscriber sees them. */
  get kvEvents(): KvEventSource {
    const [endpoint, replayEndpoint] = [this.eventsPort, this.replayPort].map((port) => `tcp://127.0.0.1:${port}`);
    return { mode: 'connect', endpoint: endpoint!, replayEndpoint: replayEndpoint!, topic: 'kv-events' };
  }

  /** Its entry in a fleet file. */
  get entry(): object {
    const { mode, endpoint, replayEndpoint, topic } = this.kvEvents;
    return { id: this.name, url: this.url, kvEvents: { mode, endpoint, replay: replayEndpoint, topic } };
  }

  /** SIGKILL; resolves when the process is gone. */
  async kill(): Promise<void> {
    this.child.signal('SIGKILL');
    await this.child.exited;
  }

  async restart(): Promise<void> {
    await this.child.stop(3000);
    this.child = this.#spawn();
    await this.untilHealthy();
  }

  async untilHealthy(): Promise<void> {
    const deadline = performance.now() + 30_000;
    for (;;) {
      if (this.child.exit !== null) throw new Error(`${this.name} ended at its start:\n${this.child.outputTail}`);
      const healthy = await fetch(`${this.url}/health`).then(
        (response) => response.ok,
        () => false,
      );
      if (healthy) return;
      if (performance.now() > deadline) throw new Error(`${this.name} is not healthy:\n${this.child.outputTail}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  #spawn(): Child {
    const { model, profile, speed, kvBlocks, blockSize, extraArgs } = this.#options;
    const args = ['--port', String(this.port), '--model', model, '--kv-events-topic', 'kv-events'];
    args.push('--kv-events', `bind:tcp://127.0.0.1:${this.eventsPort}`);
    args.push('--kv-events-replay', `tcp://127.0.0.1:${this.replayPort}`);
    if (profile !== undefined) args.push('--profile', profile);
    if (speed !== undefined) args.push('--speed', String(speed));
    if (kvBlocks !== undefined) args.push('--kv-blocks', String(kvBlocks));
    if (blockSize !== undefined) args.push('--block-size', String(blockSize));
    return new Child({
      name: this.name,
      command: process.execPath,
      args: [join(repoRoot, 'apps/engine-sim/dist/main.js'), ...args, ...(extraArgs ?? [])],
      env: this.#env,
    });
  }
}

export interface SluiceOptions {
  /** Pools of the fleet file, as in docs/fleet-file.md. */
  readonly pools: readonly object[];
  /** Every service as its own process (needs NATS and Redis), or all in one. */
  readonly services: boolean;
  readonly policy?: string;
  /** The whole environment of the children. */
  readonly env: Environment;
}

/** A running Sluice, started through its own command line. */
export class Sluice {
  readonly dataUrl: string;
  readonly child: Child;
  readonly #adminUrls: ReadonlyMap<string, string>;
  readonly #folder: string;
  readonly fleetPath: string;

  private constructor(child: Child, dataUrl: string, adminUrls: ReadonlyMap<string, string>, folder: string) {
    this.child = child;
    this.dataUrl = dataUrl;
    this.#adminUrls = adminUrls;
    this.#folder = folder;
    this.fleetPath = join(folder, 'fleet.json');
  }

  static async start(options: SluiceOptions): Promise<Sluice> {
    const folder = await mkdtemp(join(tmpdir(), 'sluice-test-'));
    const fleetPath = join(folder, 'fleet.json');
    await writeFile(fleetPath, JSON.stringify({ version: 1, pools: options.pools }));
    const [port, adminPort] = [await freePort(), await freePort()];
    const args = ['up', '--fleet', fleetPath, '--port', String(port), '--admin-port', String(adminPort)];
    if (options.policy !== undefined) args.push('--policy', options.policy);
    if (options.services) args.push('--services');
    const child = new Child({
      name: 'sluice',
      command: process.execPath,
      args: [join(repoRoot, 'apps/cli/dist/main.js'), ...args],
      env: options.env,
    });
    const adminUrls = new Map<string, string>();
    await child.waitForLine(/^ready /, 60_000);
    for (const line of child.outputTail.split('\n')) {
      const match = /admin of ([a-z -]+): (http:\S+)/.exec(line);
      if (match !== null) adminUrls.set(match[1]!, match[2]!);
    }
    return new Sluice(child, `http://127.0.0.1:${port}`, adminUrls, folder);
  }

  /** Base URL of a service's admin API, without a slash at the end. */
  admin(service: string): string {
    const own = this.#adminUrls.get(service);
    if (own !== undefined) return own;
    const all = this.#adminUrls.get('every service');
    if (all === undefined)
      throw new Error(`no admin URL for ${service} among ${[...this.#adminUrls.keys()].join(', ')}`);
    return `${all}/${service}`;
  }

  async getAdmin<T>(service: string, path: string): Promise<T> {
    const response = await fetch(`${this.admin(service)}${path}`);
    const text = await response.text();
    if (!response.ok) throw new Error(`GET ${service}${path}: ${response.status} ${text.slice(0, 300)}`);
    return JSON.parse(text) as T;
  }

  async stop(): Promise<void> {
    await this.child.stop(20_000);
    await rm(this.#folder, { recursive: true, force: true });
  }
}
