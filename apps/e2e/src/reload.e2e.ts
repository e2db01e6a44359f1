import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { ConfigHistory, ConfigView, Decisions } from '@sluice/contracts';
import { type Child, freePort, startNats, startRedis } from '@sluice/process';
import { type Sim, waitFor } from '@sluice/testkit';
import { Load } from './load.ts';
import { ServiceProcess } from './service-process.ts';
import { env, missingPrograms, poolOf, startSims, stopSims } from './setup.ts';

const TOKEN = 'the-token-of-the-reload-spec';
/** What a fleet's settings may go through within seconds: every one of them is legal under load. */
const CHANGES: readonly Record<string, unknown>[] = [
  { ROUTER_POLICY: 'p2c' },
  { ROUTER_POLICY: 'dynamo-kv', ROUTER_SHADOW_POLICIES: ['random', 'round-robin'] },
  { ROUTER_POLICY: 'expected-latency', ROUTER_POLICY_OPTIONS: { 'expectedLatency.duplicatePrice': 5 } },
  { ROUTER_BACKLOG_TOKENS: 0, ROUTER_TENANT_WEIGHTS: { gold: 4 } },
  { ROUTER_BACKLOG_TOKENS: null, ROUTER_RESERVE_SHARE: 0 },
  { ROUTER_HOLD: false, ROUTER_SCRAPE_MS: 100, SLUICE_LOG_LEVEL: 'error' },
  { ROUTER_HOLD: null, ROUTER_POLICY: 'least-request', ROUTER_QUEUE_REQUESTS: 5000 },
];

class RouterProcess extends ServiceProcess {
  readonly dataUrl: string;

  constructor(name: string, adminPort: number, dataPort: number, common: Record<string, string>) {
    super('router', adminPort, { ...env, ...common, ROUTER_PORT: String(dataPort) }, name);
    this.dataUrl = `http://127.0.0.1:${dataPort}`;
  }

  config(): Promise<ConfigView> {
    return this.getAdmin<ConfigView>('/config');
  }

  async settingValue(name: string): Promise<string | null | undefined> {
    return (await this.config()).settings.find((setting) => setting.name === name)?.value;
  }

  async ask(method: string, path: string, body: object, headers: Record<string, string> = {}) {
    const response = await fetch(`${this.adminUrl}${path}`, {
      method,
      headers: { 'content-type': 'application/json', authorization: `Bearer ${TOKEN}`, ...headers },
      body: JSON.stringify(body),
    });
    return { status: response.status, body: (await response.json()) as ConfigView & { error: { errors?: string[] } } };
  }

  untilValue(name: string, value: string): Promise<unknown> {
    return waitFor(`${name}=${value} at ${this.name}`, 8000, async () => (await this.settingValue(name)) === value);
  }
}

describe('settings that change under load, on two routers with NATS and Redis', () => {
  let skip: string | null = null;
  let sims: Sim[] = [];
  let nats: Child;
  let redis: Child;
  let folder = '';
  let file = '';
  let a: RouterProcess;
  let b: RouterProcess;

  const writeSettings = async (text: string): Promise<void> => {
    await writeFile(`${file}.new`, text);
    await rename(`${file}.new`, file);
  };
  const skipped = (): boolean => {
    if (skip !== null) console.warn(`skipped: ${skip}`);
    return skip !== null;
  };

  beforeAll(async () => {
    skip = await missingPrograms('nats-server', 'redis-server');
    if (skip !== null) return;
    folder = await mkdtemp(join(tmpdir(), 'sluice-e2e-reload-'));
    file = join(folder, 'sluice.yaml');
    const [natsPort, redisPort] = [await freePort(), await freePort()];
    nats = await startNats({ port: natsPort, dataDir: join(folder, 'nats'), env });
    redis = await startRedis({ port: redisPort, dataDir: join(folder, 'redis'), env });
    sims = await startSims(3, { profile: 'llama-3.1-8b-h100', kvBlocks: 4000 });
    const fleet = join(folder, 'fleet.json');
    await writeFile(fleet, JSON.stringify({ version: 1, pools: [poolOf(sims)] }));
    await writeSettings('ROUTER_RETRIES: 1\n');
    const common = {
      SLUICE_FLEET: fleet,
      SLUICE_CONFIG: file,
      SLUICE_ADMIN_TOKEN: TOKEN,
      SLUICE_NATS_URL: `nats://127.0.0.1:${natsPort}`,
      SLUICE_REDIS_URL: `redis://127.0.0.1:${redisPort}`,
    };
    a = new RouterProcess('router a', await freePort(), await freePort(), common);
    b = new RouterProcess('router b', await freePort(), await freePort(), common);
    await Promise.all([a.start(), b.start()]);
  }, 90_000);

  afterAll(async () => {
    if (skip !== null) return;
    await Promise.all([a?.stop(), b?.stop()]);
    await stopSims(sims);
    await Promise.all([nats?.stop(), redis?.stop()]);
    await rm(folder, { recursive: true, force: true });
  }, 60_000);

  it('harms no request, whatever changes and how often', async () => {
    if (skipped()) return;
    const loads = [a, b].map(({ dataUrl }) => new Load(dataUrl, 6));
    for (let round = 0; round < 3; round++) {
      for (const [i, settings] of CHANGES.entries()) {
        const { status, body } = await (i % 2 === 0 ? a : b).ask('PATCH', '/config', { settings });
        expect([status, body.error]).toEqual([200, undefined]);
        await new Promise((resolve) => setTimeout(resolve, 250));
      }
      await writeSettings(`ROUTER_RETRIES: ${round + 2}\nROUTER_TTFT_SLO_MS: ${1000 + round}\n`);
    }
    await Promise.all(loads.map((load) => load.stop()));
    const sent = loads.reduce((sum, { answers }) => sum + answers.length, 0);
    expect(sent).toBeGreaterThan(60);
    expect(loads.flatMap(({ broken }) => broken)).toEqual([]);
    const policies = new Set<string>();
    for (const router of [a, b]) {
      const { decisions } = await router.getAdmin<Decisions>('/decisions?limit=1000');
      for (const { policy } of decisions) policies.add(policy);
      await router.untilValue('ROUTER_POLICY', 'least-request');
      await router.untilValue('ROUTER_RETRIES', '4');
      expect((await router.config()).version).toBe(3 * CHANGES.length);
      await waitFor(`nothing in flight at ${router.name}`, 5000, async () => {
        const { workers } = await router.getAdmin<{ workers: { inflightRequests: number; heldKvTokens: number }[] }>(
          '/workers',
        );
        return workers.every((worker) => worker.inflightRequests === 0 && worker.heldKvTokens === 0);
      });
    }
    expect([...policies].sort()).toEqual(['dynamo-kv', 'expected-latency', 'least-request', 'p2c']);
    console.log(`${sent} requests over ${3 * CHANGES.length} changes and 3 files, none broken`);
  }, 90_000);

  it('refuses what is wrong, whole, and whoever has no token or comes late', async () => {
    if (skipped()) return;
    const { version } = await a.config();
    const wrong = { ROUTER_RETRIES: 99, ROUTER_POLICI: 'p2c', ROUTER_PORT: 1, ROUTER_SCRAPE_MS: 200 };
    const refused = await a.ask('PATCH', '/config', { settings: wrong });
    expect([refused.status, refused.body.error.errors?.length]).toEqual([400, 3]);
    expect(await a.settingValue('ROUTER_SCRAPE_MS')).toBe('100');
    const ok = { settings: { ROUTER_RETRIES: 3 } };
    expect((await a.ask('PATCH', '/config', ok, { authorization: 'Bearer of-nothing-at-all' })).status).toBe(401);
    expect((await a.ask('PATCH', '/config', ok, { 'if-match': `"${version - 1}"` })).status).toBe(412);
    expect((await a.config()).version).toBe(version);
    expect(JSON.stringify(await a.config())).not.toContain(TOKEN);
  });

  it('keeps overrides over a restart, and goes back to earlier ones on both routers', async () => {
    if (skipped()) return;
    const { version } = await a.config();
    await b.stop();
    await a.ask('PATCH', '/config', { settings: { ROUTER_CLIENT_STALL_MS: 90_000 }, note: 'while b is away' });
    await b.start();
    expect(await b.settingValue('ROUTER_CLIENT_STALL_MS')).toBe('90000');
    const { history } = await b.getAdmin<ConfigHistory>('/config/history');
    expect(history[0]).toMatchObject({ version: version + 1, note: 'while b is away' });
    expect((await b.ask('POST', '/config/rollback', {})).status).toBe(200);
    await a.untilValue('ROUTER_CLIENT_STALL_MS', '120000');
    expect((await a.ask('POST', '/config/rollback', { version: 0 })).body.version).toBe(version + 3);
    await b.untilValue('ROUTER_POLICY', 'expected-latency');
  }, 60_000);

  it('keeps the last good file, and says what is wrong with the new one', async () => {
    if (skipped()) return;
    await writeSettings('ROUTER_RETRIES: many\nROUTER_PORTT: 1\n');
    await waitFor('problems of the file', 8000, async () => (await a.config()).problems.length === 2);
    expect(await a.settingValue('ROUTER_RETRIES')).toBe('4');
    await writeSettings('ROUTER_RETRIES: 0\nROUTER_PORT: 1\n');
    await a.untilValue('ROUTER_RETRIES', '0');
    const view = await a.config();
    expect(view.problems).toEqual([]);
    expect(view.settings.find(({ name }) => name === 'ROUTER_PORT')).toMatchObject({
      source: 'environment',
      pending: '1',
    });
  }, 30_000);
});
