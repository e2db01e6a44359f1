import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Child, freePort, startNats, startRedis } from '@sluice/process';
import { type Sim, waitFor } from '@sluice/testkit';
import { Load } from './load.ts';
import { ServiceProcess } from './service-process.ts';
import { env, missingPrograms, MODEL, poolOf, startSims, stopSims, sumMetric } from './setup.ts';
import { Streams } from './streams.ts';

const ENGINES = 4;
/** Requests that a client sends to each router at once: what one router books before the other can hear of it. */
const BURST = 2;
const EXPIRY_MS = 3000;

interface WorkerRow {
  readonly worker: string;
  readonly inflightRequests: number;
  readonly siblingRequests: number;
  readonly queuedPrefillTokens: number;
  readonly decodesRunning: number;
  readonly decodeContextTokens: number;
  readonly heldKvTokens: number;
  readonly expectedGrowthTokens: number;
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, each) => total + each, 0);
const busy = (row: WorkerRow): number => row.inflightRequests;
/** What changes with requests, not with every token. */
const counts = (row: WorkerRow): number[] => [row.inflightRequests, row.queuedPrefillTokens, row.decodesRunning];
/** Everything that the ledger counts. */
const everything = (row: WorkerRow): number[] => [
  ...counts(row),
  row.decodeContextTokens,
  row.heldKvTokens,
  row.expectedGrowthTokens,
];

class RouterProcess extends ServiceProcess {
  readonly dataUrl: string;

  constructor(name: string, adminPort: number, dataPort: number, common: Record<string, string>) {
    super('router', adminPort, { ...env, ...common, ROUTER_PORT: String(dataPort) }, name);
    this.dataUrl = `http://127.0.0.1:${dataPort}`;
  }

  async rows(): Promise<readonly WorkerRow[]> {
    return (await this.getAdmin<{ workers: WorkerRow[] }>('/workers')).workers;
  }

  /** In flight by worker: in all, and of siblings. */
  async inFlight(): Promise<{ all: number[]; siblings: number[] }> {
    const rows = await this.rows();
    return {
      all: rows.map(({ inflightRequests }) => inflightRequests),
      siblings: rows.map(({ siblingRequests }) => siblingRequests),
    };
  }

  async siblings(): Promise<readonly { router: string; inFlight: { requests: number } }[]> {
    type Reply = { pools: { siblings: { router: string; inFlight: { requests: number } }[] }[] };
    return (await this.getAdmin<Reply>('/siblings')).pools.flatMap((pool) => pool.siblings);
  }

  untilSiblings(count: number, timeoutMs: number): Promise<{ tookMs: number }> {
    return waitFor(
      `${count} siblings of ${this.name}`,
      timeoutMs,
      async () => (await this.siblings()).length === count,
    );
  }
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
describe('two routers that share their ledgers over NATS', () => {
  let skip: string | null = null;
  let sims: Sim[] = [];
  let nats: Child;
  let natsPort = 0;
  let redis: Child;
  let folder = '';
  let a: RouterProcess;
  let b: RouterProcess;
  const streams: Streams[] = [];

  const startNatsServer = async (): Promise<void> => {
    nats = await startNats({ port: natsPort, dataDir: join(folder, 'nats'), env });
  };
  const open = (router: RouterProcess): Streams => {
    const opened = new Streams(router.dataUrl, MODEL);
    streams.push(opened);
    return opened;
  };
  const namesOf = async (router: RouterProcess): Promise<string[]> => (await router.rows()).map(({ worker }) => worker);

  beforeAll(async () => {
    skip = await missingPrograms('nats-server', 'redis-server');
    if (skip !== null) return;
    folder = await mkdtemp(join(tmpdir(), 'sluice-e2e-'));
    natsPort = await freePort();
    const redisPort = await freePort();
    await startNatsServer();
    redis = await startRedis({ port: redisPort, dataDir: join(folder, 'redis'), env });
    // Slow engines: streams that last the length of a test must not cost more events than these machines can carry.
    sims = await startSims(ENGINES, { profile: 'llama-3.1-8b-h100', speed: 0.25, kvBlocks: 4000 });
    const fleet = join(folder, 'fleet.json');
    await writeFile(fleet, JSON.stringify({ version: 1, pools: [poolOf(sims)] }));
    const common = {
      SLUICE_FLEET: fleet,
      SLUICE_NATS_URL: `nats://127.0.0.1:${natsPort}`,
      SLUICE_REDIS_URL: `redis://127.0.0.1:${redisPort}`,
      // Its choice follows from the requests in flight alone.
      ROUTER_POLICY: 'least-request',
    };
    [a, b] = [
      new RouterProcess('router a', await freePort(), await freePort(), common),
      new RouterProcess('router b', await freePort(), await freePort(), common),
    ];
    await Promise.all([a.start(), b.start()]);
    await a.untilSiblings(1, 3000);
    await b.untilSiblings(1, 3000);
  }, 120_000);

  afterAll(async () => {
    if (skip !== null) {
      console.log(`skipped: ${skip}`);
      return;
    }
    for (const each of streams) each.abort();
    await Promise.all([a?.stop(), b?.stop()]);
    await stopSims(sims);
    await Promise.all([nats?.stop(), redis?.stop()]);
    await rm(folder, { recursive: true, force: true });
  }, 60_000);

  it('see the same under load, and nothing when it is over', async () => {
    if (skip !== null) return;
    const loads = [new Load(a.dataUrl, 6), new Load(b.dataUrl, 6)];
    let most = 0;
    let apart = 0;
    for (let i = 0; i < 15; i++) {
      await sleep(150);
      const [seenByA, seenByB] = await Promise.all([a.inFlight(), b.inFlight()]);
      most = Math.max(most, sum(seenByA.all));
      apart = Math.max(apart, ...seenByA.all.map((count, row) => Math.abs(count - seenByB.all[row]!)));
    }
    await waitFor('one view in every column', 2000, async () => {
      const [seenByA, seenByB] = await Promise.all([a.rows(), b.rows()]);
      return sum(seenByA.map(busy)) > 0 && seenByA.every((row, i) => counts(row).join() === counts(seenByB[i]!).join());
    });
    await Promise.all(loads.map((load) => load.stop()));
    console.log(`in flight up to ${most}, views of one worker up to ${apart} apart at a moment of reading`);
    expect(most).toBeGreaterThan(5);
    for (const load of loads) expect(load.broken).toEqual([]);
    await waitFor('both empty', 3000, async () => {
      for (const row of [...(await a.rows()), ...(await b.rows())]) {
        if (sum(everything(row)) !== 0) throw new Error(JSON.stringify(row));
      }
      return true;
    });
  });

  it('fill the workers together: each takes those that the other left free', async () => {
    if (skip !== null) return;
    const [byA, byB] = [open(a), open(b)];
    for (let round = 1; round <= 3; round++) {
      for (const [streams, other] of [
        [byA, b],
        [byB, a],
      ] as const) {
        await streams.start(ENGINES / 2);
        const own = streams.openByWorker(await namesOf(other));
        await waitFor('the other sees them', 3000, async () => {
          const { siblings } = await other.inFlight();
          if (siblings.join() !== own.join()) throw new Error(`${siblings.join()} and not ${own.join()}`);
          return true;
        });
      }
      expect((await a.inFlight()).all).toEqual(Array(ENGINES).fill(round));
      expect((await b.inFlight()).all).toEqual(Array(ENGINES).fill(round));
    }
    byA.abort();
    byB.abort();
    await waitFor('both empty', 3000, async () => sum((await a.inFlight()).all) + sum((await b.inFlight()).all) === 0);
  });

  it('one killed in the middle of a burst: nothing fails at the other, nothing is overbooked, and its view is right in time', async () => {
    if (skip !== null) return;
    const [byA, byB] = [open(a), open(b)];
    const waves: Promise<void>[] = [];
    // The fair share, and what the other books before it is heard.
    const expectNoneOverbooked = (all: readonly number[]): void =>
      expect(Math.max(...all)).toBeLessThanOrEqual(Math.ceil(sum(all) / ENGINES) + BURST);
    for (let wave = 0; wave < 4; wave++) {
      waves.push(byA.start(BURST), byB.start(BURST));
      await sleep(60);
      expectNoneOverbooked((await b.inFlight()).all);
    }
    waves.push(byA.start(BURST), byB.start(BURST));
    await sleep(5);
    const killedAt = performance.now();
    await a.kill();
    for (let wave = 0; wave < 3; wave++) {
      waves.push(byB.start(BURST));
      await sleep(60);
      const { all, siblings } = await b.inFlight();
      expectNoneOverbooked(all);
      // Until it knows better it counts what the dead one had: too much, never too little.
      expect(sum(siblings)).toBeGreaterThanOrEqual(4 * BURST);
    }
    await Promise.all(waves);
    const names = await namesOf(b);
    await b.untilSiblings(0, EXPIRY_MS + 1000);
    const tookMs = performance.now() - killedAt;
    const own = byB.openByWorker(names);
    expect(byB.failed).toBe(0);
    expect(sum(own)).toBe(8 * BURST);
    expect(await b.inFlight()).toEqual({ all: own, siblings: Array(ENGINES).fill(0) });
    const running = await sumMetric(
      sims.map(({ url }) => url),
      'vllm:num_requests_running',
    );
    console.log(
      `killed router forgotten after ${Math.round(tookMs)} ms; in flight by worker ${own.join()}, engines run ${running}`,
    );
    expect(running).toBe(sum(own));
    expect(tookMs).toBeLessThan(EXPIRY_MS + 500);
    expect(await (await fetch(`${b.adminUrl}/metrics`)).text()).toMatch(
      /sluice_router_siblings_expired_total\{.*\} 1\n/,
    );

    // It comes back: what the other has in flight is known to it before its first request.
    await a.start();
    await waitFor('seen by the new router', 1000, async () => {
      const { siblings } = await a.inFlight();
      return sum(siblings) > 0 && siblings.join() === byB.openByWorker(names).join();
    });
    await byB.finished();
    expect(byB.failed).toBe(0);
    expect(byB.completed).toBe(8 * BURST);
  });

  it('while NATS is away each counts alone and serves, and they meet again when it is back', async () => {
    if (skip !== null) return;
    nats.signal('SIGKILL');
    await nats.exited;
    const [byA, byB] = [open(a), open(b)];
    await Promise.all([byA.start(BURST), byB.start(BURST)]);
    await Promise.all([a.untilSiblings(0, EXPIRY_MS + 1000), b.untilSiblings(0, EXPIRY_MS + 1000)]);
    for (const router of [a, b]) expect(sum((await router.inFlight()).all)).toBe(BURST);
    await startNatsServer();
    await waitFor('both see both', 3000, async () => {
      const [seenByA, seenByB] = [await a.inFlight(), await b.inFlight()];
      return sum(seenByA.all) === 2 * BURST && seenByA.all.join() === seenByB.all.join();
    });
    expect([byA.failed, byB.failed]).toEqual([0, 0]);
    byA.abort();
    byB.abort();
  });

  it('one that stops leaves at once', async () => {
    if (skip !== null) return;
    await waitFor('a idle', 3000, async () => sum((await a.inFlight()).all) === 0);
    a.child.signal('SIGTERM');
    expect(await a.child.exited).toEqual({ code: 0, signal: null });
    const { tookMs } = await b.untilSiblings(0, 1000);
    console.log(`stopped router forgotten ${Math.round(tookMs)} ms after its end`);
    expect(await (await fetch(`${b.adminUrl}/metrics`)).text()).toMatch(
      /sluice_router_siblings_expired_total\{.*\} 2\n/,
    );
  });
});
