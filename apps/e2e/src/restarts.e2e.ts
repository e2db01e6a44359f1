import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Child, freePort, startNats, startRedis } from '@sluice/process';
import { post, type Sim, syntheticText, waitFor } from '@sluice/testkit';
import { type AdminReader, positions, untilIndexIsRight, untilRouterFollows } from './index-checks.ts';
import { Load } from './load.ts';
import { ServiceProcess } from './service-process.ts';
import { env, missingPrograms, MODEL, poolOf, startSims, stopSims } from './setup.ts';

const SERVICES = ['latency-predictor', 'kv-index', 'event-bridge', 'router'] as const;
type Service = (typeof SERVICES)[number];

/** Every service as a process of its own. */
class Services implements AdminReader {
  readonly dataUrl: string;
  readonly processes: Readonly<Record<Service, ServiceProcess>>;

  constructor(ports: ReadonlyMap<Service, number>, dataPort: number, common: Record<string, string>) {
    this.dataUrl = `http://127.0.0.1:${dataPort}`;
    const all = { ...env, ROUTER_PORT: String(dataPort), ...common };
    this.processes = Object.fromEntries(
      SERVICES.map((service) => [service, new ServiceProcess(service, ports.get(service)!, all)]),
    ) as Record<Service, ServiceProcess>;
  }

  start(service: Service): Promise<void> {
    return this.processes[service].start();
  }

  kill(service: Service): Promise<void> {
    return this.processes[service].kill();
  }

  getAdmin<T>(service: string, path: string): Promise<T> {
    return this.processes[service as Service].getAdmin<T>(path);
  }

  async stop(): Promise<void> {
    for (const service of [...SERVICES].reverse()) await this.processes[service].stop();
  }
}

describe('services restarted one at a time', () => {
  let skip: string | null = null;
  let sims: Sim[] = [];
  let services: Services;
  let servers: Child[] = [];
  let folder = '';

  beforeAll(async () => {
    skip = await missingPrograms('nats-server', 'redis-server');
    if (skip !== null) return;
    folder = await mkdtemp(join(tmpdir(), 'sluice-e2e-'));
    const [nats, redis, data] = [await freePort(), await freePort(), await freePort()];
    servers = [
      await startNats({ port: nats, dataDir: join(folder, 'nats'), env }),
      await startRedis({ port: redis, dataDir: join(folder, 'redis'), env }),
    ];
    sims = await startSims(3, { profile: 'llama-3.1-8b-h100', speed: 2, kvBlocks: 4000 });
    const fleet = join(folder, 'fleet.json');
    await writeFile(fleet, JSON.stringify({ version: 1, pools: [poolOf(sims)] }));
    const ports = new Map<Service, number>();
    for (const service of SERVICES) ports.set(service, await freePort());
    services = new Services(ports, data, {
      SLUICE_FLEET: fleet,
      SLUICE_NATS_URL: `nats://127.0.0.1:${nats}`,
      SLUICE_REDIS_URL: `redis://127.0.0.1:${redis}`,
    });
    for (const service of SERVICES) await services.start(service);
    const warmUp = new Load(services.dataUrl, 12);
    await new Promise((resolve) => setTimeout(resolve, 3000));
    await warmUp.stop();
    expect(warmUp.broken).toEqual([]);
    await untilIndexIsRight(services, sims, 5000);
  }, 120_000);

  afterAll(async () => {
    if (skip !== null) {
      console.log(`skipped: ${skip}`);
      return;
    }
    await services?.stop();
    await stopSims(sims);
    await Promise.all(servers.map((server) => server.stop()));
    await rm(folder, { recursive: true, force: true });
  }, 60_000);

  const under = async (load: Load, act: () => Promise<void>): Promise<void> => {
    await act();
    await load.stop();
    expect(load.answers.length).toBeGreaterThan(5);
    expect(load.broken).toEqual([]);
  };

  it('kv-index starts warm: where it was, without asking for anything again', async () => {
    if (skip !== null) return;
    const before = await positions(services, 'kv-index');
    await new Promise((resolve) => setTimeout(resolve, 500)); // its write-behind
    await services.kill('kv-index');
    await services.start('kv-index');
    await untilIndexIsRight(services, sims, 5000);
    expect(await positions(services, 'kv-index')).toEqual(before);
  }, 60_000);

  it('kv-index away under load: every request is served, and it catches up', async () => {
    if (skip !== null) return;
    await under(new Load(services.dataUrl, 10), async () => {
      await services.kill('kv-index');
      await new Promise((resolve) => setTimeout(resolve, 1500));
      await services.start('kv-index');
    });
    await untilIndexIsRight(services, sims, 5000);
    await untilRouterFollows(services, 5000);
  }, 60_000);

  it('event-bridge away under load: every request is served, and its replay repairs the index', async () => {
    if (skip !== null) return;
    await under(new Load(services.dataUrl, 10), async () => {
      await services.kill('event-bridge');
      await new Promise((resolve) => setTimeout(resolve, 1500));
      await services.start('event-bridge');
    });
    await untilIndexIsRight(services, sims, 5000);
    await untilRouterFollows(services, 5000);
  }, 60_000);

  it('latency-predictor away under load: every request is served, and what it learned survives', async () => {
    if (skip !== null) return;
    const samples = async (): Promise<number> =>
      (await services.getAdmin<{ variants: { samples: number }[] }>('latency-predictor', '/variants')).variants[0]
        ?.samples ?? 0;
    const { value: before } = await waitFor('something learned', 5000, samples);
    await new Promise((resolve) => setTimeout(resolve, 3000)); // its write-behind
    await under(new Load(services.dataUrl, 10), async () => {
      await services.kill('latency-predictor');
      await new Promise((resolve) => setTimeout(resolve, 1000));
      await services.start('latency-predictor');
    });
    expect(await samples()).toBeGreaterThanOrEqual(before);
  }, 60_000);

  it('a new router knows at once what the old one knew', async () => {
    if (skip !== null) return;
    await services.kill('router');
    await services.start('router');
    await untilRouterFollows(services, 5000);
    const answer = await post(`${services.dataUrl}/v1/chat/completions`, {
      model: MODEL,
      max_tokens: 2,
      messages: [
        { role: 'system', content: syntheticText(2000, 600) },
        { role: 'user', content: 'and now?' },
      ],
    });
    expect(answer.usage?.prompt_tokens_details?.cached_tokens).toBeGreaterThan(500);
  }, 60_000);

  it('a router that leaves slowly serves whoever still comes, and says that it is not ready', async () => {
    if (skip !== null) return;
    const { router } = services.processes;
    await router.stop();
    await router.start({ ROUTER_LEAVE_MS: '3000' });
    const load = new Load(services.dataUrl, 15);
    await waitFor('first answers', 5000, async () => load.answers.length > 5);
    router.child.signal('SIGTERM');
    await waitFor('readiness gone', 1000, async () => {
      const answer = await fetch(`${router.adminUrl}/readyz`);
      return answer.status === 503 && (await answer.text()).includes('leaving');
    });
    // What a load balancer may need to notice.
    const noticedMs = performance.now();
    await new Promise((resolve) => setTimeout(resolve, 1500));
    const lateMs = performance.now();
    await load.stop();
    const late = load.answers.filter(({ sentMs }) => sentMs > noticedMs && sentMs < lateMs);
    expect(late.length).toBeGreaterThan(5);
    expect(load.broken).toEqual([]);
    expect(await router.child.exited).toEqual({ code: 0, signal: null });
    await router.start();
  }, 60_000);

  it('SIGTERM lets a router finish its streams, takes no new ones, and ends with 0', async () => {
    if (skip !== null) return;
    const streaming = post(`${services.dataUrl}/v1/chat/completions`, {
      model: MODEL,
      stream: true,
      max_tokens: 300,
      ignore_eos: true,
      messages: [{ role: 'user', content: 'a long answer, please' }],
    });
    await waitFor('stream in flight', 5000, async () => {
      const { workers } = await services.getAdmin<{ workers: { inflightRequests: number }[] }>('router', '/workers');
      return workers.some((worker) => worker.inflightRequests > 0);
    });
    const router = services.processes.router.child;
    router.signal('SIGTERM');
    await waitFor(
      'new requests refused',
      3000,
      async () => (await post(`${services.dataUrl}/v1/models`, {})).status === 0,
    );
    const answer = await streaming;
    expect(answer.complete).toBe(true);
    expect(await router.exited).toEqual({ code: 0, signal: null });
  }, 60_000);
});
