import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Child, freePort, startNats } from '@sluice/process';
import { type Sim, Sluice, waitFor } from '@sluice/testkit';
import { untilIndexIsRight, untilRouterFollows, workers } from './index-checks.ts';
import { Load } from './load.ts';
import { env, missingPrograms, poolOf, startSims, stopSims } from './setup.ts';

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe('separate processes on NATS and Redis, under load', () => {
  let skip: string | null = null;
  let sims: Sim[] = [];
  let sluice: Sluice;
  let nats: Child;
  let natsPort = 0;
  let folder = '';

  const startNatsServer = async (): Promise<void> => {
    nats = await startNats({ port: natsPort, dataDir: join(folder, 'nats'), env });
  };

  beforeAll(async () => {
    skip = await missingPrograms('nats-server', 'redis-server');
    if (skip !== null) return;
    folder = await mkdtemp(join(tmpdir(), 'sluice-e2e-'));
    natsPort = await freePort();
    await startNatsServer();
    sims = await startSims(4, { profile: 'llama-3.1-8b-h100', speed: 2, kvBlocks: 4000 });
    const withNats = { ...env, SLUICE_NATS_URL: `nats://127.0.0.1:${natsPort}` };
    sluice = await Sluice.start({ pools: [poolOf(sims)], services: true, env: withNats });
  }, 120_000);

  afterAll(async () => {
    if (skip !== null) {
      console.log(`skipped: ${skip}`);
      return;
    }
    await sluice?.stop();
    await stopSims(sims);
    await nats?.stop();
    await rm(folder, { recursive: true, force: true });
  }, 60_000);

  const up = async (id: string): Promise<boolean> =>
    (await workers(sluice)).find((worker) => worker.worker === id)?.up === true;

  it('follows the engines: the index equals their own events', async () => {
    if (skip !== null) return;
    const load = new Load(sluice.dataUrl, 12);
    await sleep(3000);
    await load.stop();
    expect(load.answers.length).toBeGreaterThan(20);
    expect(load.broken).toEqual([]);
    await untilIndexIsRight(sluice, sims, 5000);
    await untilRouterFollows(sluice, 5000);
    const { index } = await sluice.getAdmin<{ index: { nodes: number } }>('kv-index', '/stats');
    expect(index.nodes).toBeGreaterThan(100);
  });

  it('an engine that dies costs no request that had not begun, is out within 2 s and back within 2 s of its return', async () => {
    if (skip !== null) return;
    const load = new Load(sluice.dataUrl, 12);
    await sleep(2000);
    const killedAt = performance.now();
    await sims[0]!.kill();
    const out = await waitFor('sim-1 out', 5000, async () => !(await up('sim-1')));
    await sleep(2000);
    await sims[0]!.restart();
    const back = await waitFor('sim-1 back', 5000, () => up('sim-1'));
    await sleep(2000);
    await load.stop();
    const { broken } = load;
    console.log(
      `engine killed: out after ${Math.round(out.tookMs)} ms, back ${Math.round(back.tookMs)} ms after it was healthy again; ` +
        `${load.answers.length} requests, ${broken.length} broken in mid-answer`,
    );
    expect(out.tookMs).toBeLessThan(2000);
    expect(back.tookMs).toBeLessThan(2000);
    for (const { answer, sentMs } of broken) {
      // Only an answer that had begun on the dead engine may break, and it says so.
      expect(sentMs).toBeLessThan(killedAt + 50);
      expect(answer.status).toBe(200);
      expect(answer.headers.get('x-sluice-worker')).toBe('sim-1');
      expect(answer.firstByteMs).not.toBeNull();
    }
    await untilIndexIsRight(sluice, sims, 5000);
    await untilRouterFollows(sluice, 5000);
  });

  it('routing goes on without NATS for 10 s, and the index is right within 5 s of its return', async () => {
    if (skip !== null) return;
    const load = new Load(sluice.dataUrl, 8);
    await sleep(1000);
    nats.signal('SIGKILL');
    await nats.exited;
    await sleep(10_000);
    await startNatsServer();
    const returnedAt = performance.now();
    await load.stop();
    const tookMs = await untilIndexIsRight(sluice, sims, 5000 - (performance.now() - returnedAt));
    console.log(
      `NATS away for 10 s: ${load.answers.length} requests, index right ${Math.round(performance.now() - returnedAt)} ms after its return (${Math.round(tookMs)} ms after the last answer)`,
    );
    await untilRouterFollows(sluice, 5000);
    expect(load.answers.length).toBeGreaterThan(60);
    expect(load.broken).toEqual([]);
  });

  it('leaves nothing in flight', async () => {
    if (skip !== null) return;
    await waitFor('in flight back to zero', 5000, async () =>
      (await workers(sluice)).every((worker) => worker.inflightRequests === 0),
    );
  });
});
