import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Child, freePort, type NatsOptions, startNats, startRedis } from '@sluice/process';
import { type Sim } from '@sluice/testkit';
import { ServiceProcess } from '../service-process.ts';
import { env, poolOf, startSims, stopSims } from '../setup.ts';

const PROFILE = 'llama-3.1-8b-h100';
/** In the order of their start; the second router is a sibling of the first. */
const SERVICES = [
  ['latency-predictor', 'latency-predictor'],
  ['kv-index', 'kv-index'],
  ['event-bridge', 'event-bridge'],
  ['router', 'router'],
  ['router-2', 'router'],
] as const;
export type ServiceName = (typeof SERVICES)[number][0];

export interface SystemOptions {
  /** Variables of every service. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Every service as a process of its own, two routers, four engines, NATS and Redis: each can be taken away and brought back. */
export class ObservedSystem {
  readonly sims: readonly Sim[];
  readonly dataUrls: readonly string[];
  readonly services: ReadonlyMap<ServiceName, ServiceProcess>;
  readonly fleetPath: string;
  readonly #folder: string;
  readonly #servers: Map<'nats' | 'redis', Child>;
  readonly #ports: { readonly nats: number; readonly redis: number };

  private constructor(
    folder: string,
    sims: readonly Sim[],
    dataUrls: readonly string[],
    services: ReadonlyMap<ServiceName, ServiceProcess>,
    servers: Map<'nats' | 'redis', Child>,
    ports: { readonly nats: number; readonly redis: number },
  ) {
    this.#folder = folder;
    this.fleetPath = join(folder, 'fleet.json');
    this.sims = sims;
    this.dataUrls = dataUrls;
    this.services = services;
    this.#servers = servers;
    this.#ports = ports;
  }

  static async start(options: SystemOptions = {}): Promise<ObservedSystem> {
    const folder = await mkdtemp(join(tmpdir(), 'sluice-observed-'));
    const ports = { nats: await freePort(), redis: await freePort() };
    const servers = new Map<'nats' | 'redis', Child>();
    const sims = await startSims(4, { profile: PROFILE, kvBlocks: 3000 });
    const dataUrls: string[] = [];
    const services = new Map<ServiceName, ServiceProcess>();
    const common = {
      ...env,
      SLUICE_FLEET: join(folder, 'fleet.json'),
      SLUICE_CONFIG: join(folder, 'settings.json'),
      SLUICE_NATS_URL: `nats://127.0.0.1:${ports.nats}`,
      SLUICE_REDIS_URL: `redis://127.0.0.1:${ports.redis}`,
      LATENCY_PREDICTOR_PRIORS: `default=${PROFILE}`,
      ROUTER_PROFILE: PROFILE,
      ROUTER_SHADOW_POLICIES: 'round-robin,least-request',
      ROUTER_SHADOW_SAMPLE: '1',
      ...options.env,
    };
    for (const [name, service] of SERVICES) {
      const own: Record<string, string> = {};
      if (service === 'router') {
        own['ROUTER_PORT'] = String(await freePort());
        dataUrls.push(`http://127.0.0.1:${own['ROUTER_PORT']}`);
      }
      services.set(name, new ServiceProcess(service, await freePort(), { ...common, ...own }, name));
    }
    const system = new ObservedSystem(folder, sims, dataUrls, services, servers, ports);
    try {
      await system.setFleet([poolOf(sims)]);
      await system.setSettings({});
      await system.startServer('nats');
      await system.startServer('redis');
      for (const service of services.values()) await service.start();
      return system;
    } catch (error) {
      await system.stop();
      throw error;
    }
  }

  /** Pools of the fleet file; services see the change by themselves. */
  setFleet(pools: readonly object[]): Promise<void> {
    return writeFile(this.fleetPath, JSON.stringify({ version: 1, pools }));
  }

  /** The file of settings that all services follow. */
  setSettings(settings: Readonly<Record<string, string>>): Promise<void> {
    return writeFile(join(this.#folder, 'settings.json'), JSON.stringify(settings));
  }

  service(name: ServiceName): ServiceProcess {
    return this.services.get(name)!;
  }

  /** Stops a service and starts it with further variables; with none, as it was. */
  async restartWith(name: ServiceName, further: Readonly<Record<string, string>>): Promise<void> {
    await this.service(name).stop();
    await this.service(name).start(further);
  }

  /** What Prometheus scrapes. */
  get targets(): string[] {
    return [...this.services.values()].map(({ adminUrl }) => new URL(adminUrl).host);
  }

  /** With the files of its last run. @param limits of NATS, for this run */
  async startServer(which: 'nats' | 'redis', limits: Pick<NatsOptions, 'maxPayloadBytes'> = {}): Promise<void> {
    const options = { port: this.#ports[which], dataDir: join(this.#folder, which), env };
    this.#servers.set(which, await (which === 'nats' ? startNats({ ...options, ...limits }) : startRedis(options)));
  }

  async stopServer(which: 'nats' | 'redis'): Promise<void> {
    await this.#servers.get(which)?.stop();
  }

  async stop(): Promise<void> {
    for (const service of [...this.services.values()].reverse()) await service.stop();
    await stopSims(this.sims);
    for (const server of this.#servers.values()) await server.stop();
    await rm(this.#folder, { recursive: true, force: true });
  }
}
