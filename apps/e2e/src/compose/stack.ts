import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePorts } from '@sluice/process';
import { repoRoot, waitFor } from '@sluice/testkit';
import type { AdminReader } from '../index-checks.ts';
import { run } from './command.ts';
import { baseImage, type Docker } from './docker.ts';

/** Services of docker-compose.yml that publish a port, and the variable that chooses it. */
const PORT_VARIABLES = {
  data: 'SLUICE_PORT',
  router: 'SLUICE_ROUTER_ADMIN_PORT',
  'kv-index': 'SLUICE_KV_INDEX_ADMIN_PORT',
  'event-bridge': 'SLUICE_EVENT_BRIDGE_ADMIN_PORT',
  'latency-predictor': 'SLUICE_LATENCY_PREDICTOR_ADMIN_PORT',
  console: 'SLUICE_CONSOLE_PORT',
  prometheus: 'SLUICE_PROMETHEUS_PORT',
} as const;
type Published = keyof typeof PORT_VARIABLES;

const TAG = 'e2e';
const MINUTE_MS = 60_000;
const wgetStandIn = fileURLToPath(new URL('wget-by-bash.sh', import.meta.url));

/** What Docker says of a container. */
export interface Container {
  readonly id: string;
  readonly service: string;
  readonly image: string;
  readonly status: string;
  /** `starting`, `healthy` or `unhealthy`; `none` without a check. */
  readonly health: string;
  readonly exitCode: number;
  readonly restarts: number;
  readonly pid: number;
  readonly user: string;
  readonly readOnlyRoot: boolean;
  /** Host addresses of published ports. */
  readonly hostAddresses: readonly string[];
  /** Command of the health check, to be run in the container. */
  readonly check: readonly string[];
  /** From the last end of its process to its last start; null before the first end. */
  readonly downMs: number | null;
}

interface Inspected {
  readonly Id: string;
  readonly Config: {
    readonly Image: string;
    readonly User: string;
    readonly Labels: Record<string, string>;
    readonly Healthcheck?: { readonly Test: readonly string[] };
  };
  readonly State: {
    readonly Status: string;
    readonly ExitCode: number;
    readonly Pid: number;
    readonly StartedAt: string;
    readonly FinishedAt: string;
    readonly Health?: { readonly Status: string };
  };
  readonly RestartCount: number;
  readonly HostConfig: { readonly ReadonlyRootfs: boolean };
  readonly NetworkSettings: { readonly Ports: Record<string, { readonly HostIp: string }[] | null> };
}

/** One `docker compose` project of the repository's file, on free ports, with its own network and volumes. */
export class Stack implements AdminReader {
  readonly #docker: Docker;
  readonly #project = `sluice-e2e-${process.pid}`;
  readonly #ports: ReadonlyMap<Published, number>;
  readonly #folder: string;
  readonly #files = ['-f', 'docker-compose.yml'];
  readonly #env: Docker['env'];

  private constructor(docker: Docker, ports: ReadonlyMap<Published, number>, folder: string) {
    this.#docker = docker;
    this.#ports = ports;
    this.#folder = folder;
    const variables = [...ports].map(([name, port]) => [PORT_VARIABLES[name], String(port)] as const);
    this.#env = { ...docker.env, SLUICE_TAG: TAG, ...Object.fromEntries(variables) };
  }

  /** Chooses the ports; nothing runs yet. */
  static async open(docker: Docker): Promise<Stack> {
    const names = Object.keys(PORT_VARIABLES) as Published[];
    const numbers = await freePorts(names.length);
    const ports = new Map(names.map((name, i) => [name, numbers[i]!]));
    return new Stack(docker, ports, await mkdtemp(join(tmpdir(), 'sluice-compose-')));
  }

  url(published: Published): string {
    return `http://127.0.0.1:${this.#ports.get(published)}`;
  }

  async getAdmin<T>(service: string, path: string): Promise<T> {
    const response = await fetch(`${this.url(service as Published)}${path}`, { signal: AbortSignal.timeout(5000) });
    if (!response.ok) throw new Error(`GET ${service}${path}: ${response.status}`);
    return (await response.json()) as T;
  }

  /** Builds the images of `services` and provides those that are not ours. */
  async build(services: readonly string[]): Promise<void> {
    const external = [...(await this.#compose('config')).matchAll(/^\s+image: (\S+)$/gm)]
      .map((match) => match[1]!)
      .filter((image) => !image.startsWith('sluice/'));
    await this.#docker.standIns?.([await baseImage(), ...new Set(external)]);
    // A wget for an image that was made here without one; nothing else differs from the repository's file.
    const nats = external.find((image) => image.startsWith('nats:'))!;
    const digests = await this.#run('image', 'inspect', '-f', '{{len .RepoDigests}}', nats).catch(() => 'unknown');
    if (digests.trim() === '0') await this.#override({ nats: { volumes: [`${wgetStandIn}:/usr/bin/wget:ro`] } });
    await this.#compose('build', ...services);
  }

  /** Creates and starts `services` (all when empty), those that they depend on not among them. */
  async start(...services: readonly string[]): Promise<void> {
    await this.#compose('up', '-d', '--no-build', '--no-deps', ...services);
  }

  async restart(service: string): Promise<void> {
    await this.#compose('restart', '-t', '60', service);
  }

  async stop(): Promise<void> {
    await this.#compose('stop');
  }

  /** Removes containers, network and volumes. */
  async remove(): Promise<void> {
    await this.#compose('down', '--volumes', '--timeout', '5');
    await rm(this.#folder, { recursive: true, force: true });
  }

  async container(service: string): Promise<Container> {
    const found = (await this.containers()).find((container) => container.service === service);
    if (found === undefined) throw new Error(`${service} has no container`);
    return found;
  }

  /** Every container of the project. */
  async containers(): Promise<Container[]> {
    const label = `label=com.docker.compose.project=${this.#project}`;
    const ids = (await this.#run('ps', '--all', '--quiet', '--filter', label)).trim().split('\n');
    return (JSON.parse(await this.#run('inspect', ...ids)) as Inspected[]).map(containerOf);
  }

  /** Waits until Docker calls every container healthy. Returns the milliseconds it took. */
  async untilHealthy(timeoutMs: number): Promise<number> {
    const { tookMs } = await waitFor('every container healthy', timeoutMs, async () => {
      const waiting = (await this.containers()).filter(({ health }) => health !== 'healthy');
      if (waiting.length === 0) return true;
      await pause();
      throw new Error(waiting.map(({ service, status, health }) => `${service} ${status} ${health}`).join(', '));
    });
    return tookMs;
  }

  /** Waits until the health check of `service`, run here and now, is content. Returns the milliseconds it took. */
  async untilContent(service: string, timeoutMs: number): Promise<number> {
    const { id, check } = await this.container(service);
    const { tookMs } = await waitFor(`health check of ${service} content`, timeoutMs, async () => {
      await this.#run('exec', id, ...check).catch(async (error: unknown) => {
        await pause();
        throw error;
      });
      return true;
    });
    return tookMs;
  }

  /**
   * Kills a container's process from outside, as a crash would: `docker kill` counts as the user's own stop, after which
   * no restart policy acts. Resolves when Docker has started it again; returns how long it was down.
   */
  async crash(service: string): Promise<number> {
    const before = await this.container(service);
    const script = `process.kill(${before.pid}, 'SIGKILL')`;
    const helper = ['run', '--rm', '--pid=host', '--user=0:0', '--entrypoint=node', `sluice/router:${TAG}`];
    await this.#run(...helper, '-e', script);
    const { value } = await waitFor(`${service} started again`, MINUTE_MS, async () => {
      const now = await this.container(service);
      if (now.restarts > before.restarts && now.status === 'running') return { downMs: now.downMs ?? 0 };
      await pause();
      return null;
    });
    return value.downMs;
  }

  /** Bytes of the image of one of our apps, all layers together. */
  async imageBytes(app: string): Promise<number> {
    return Number(await this.#run('image', 'inspect', '-f', '{{.Size}}', `sluice/${app}:${TAG}`));
  }

  /** Lays `services` over those of the repository's file from now on. */
  async #override(services: Readonly<Record<string, object>>): Promise<void> {
    const path = join(this.#folder, 'override.json');
    await writeFile(path, JSON.stringify({ services }));
    this.#files.push('-f', path);
  }

  #compose(...args: readonly string[]): Promise<string> {
    const [program, ...own] = this.#docker.compose;
    return run(program, [...own, ...this.#files, '-p', this.#project, ...args], {
      env: this.#env,
      timeoutMs: 15 * MINUTE_MS,
      cwd: repoRoot,
    });
  }

  #run(...args: readonly string[]): Promise<string> {
    return run('docker', args, { env: this.#env, timeoutMs: MINUTE_MS });
  }
}

/** Between two questions to Docker: each costs the machine that the containers run on. */
const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 300));

function containerOf({ Id, Config, State, RestartCount, HostConfig, NetworkSettings }: Inspected): Container {
  const [finished, started] = [Date.parse(State.FinishedAt), Date.parse(State.StartedAt)];
  return {
    id: Id,
    service: Config.Labels['com.docker.compose.service']!,
    image: Config.Image,
    status: State.Status,
    health: State.Health?.Status ?? 'none',
    exitCode: State.ExitCode,
    restarts: RestartCount,
    pid: State.Pid,
    user: Config.User,
    readOnlyRoot: HostConfig.ReadonlyRootfs,
    hostAddresses: Object.values(NetworkSettings.Ports).flatMap((ports) => (ports ?? []).map((port) => port.HostIp)),
    check: Config.Healthcheck?.Test.slice(1) ?? [],
    downMs: finished > 0 ? started - finished : null,
  };
}
