import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Child, freePort, startNats } from '@sluice/process';
import { type Answer, post, type Sim, simTokenizer, Sluice, syntheticText, waitFor } from '@sluice/testkit';
import { referenceBlocks } from './reference-blocks.ts';
import { chatUrl, env, missingPrograms, MODEL, poolOf, startSims, stopSims } from './setup.ts';

const POOL = 'sim';
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Requests at a steady rate, prefixes shared by eight groups, until it is stopped. */
class Load {
  readonly answers: { answer: Answer; sentMs: number }[] = [];
  readonly #pending = new Set<Promise<unknown>>();
  #timer: NodeJS.Timeout;
  #sent = 0;

  constructor(sluice: Sluice, perSecond: number) {
    this.#timer = setInterval(() => {
      const i = this.#sent++;
      const sentMs = performance.now();
      const request = post(chatUrl(sluice), {
        model: MODEL,
        stream: true,
        max_tokens: 120,
        messages: [
          { role: 'system', content: syntheticText(2000 + (i % 8), 600) },
          { role: 'user', content: `question ${i}: ${syntheticText(9000 + i, 40)}` },
        ],
      }).then((answer) => this.answers.push({ answer, sentMs }));
      this.#pending.add(request);
      void request.finally(() => this.#pending.delete(request));
    }, 1000 / perSecond);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#pending);
  }
}

interface WorkerView {
  readonly worker: string;
  readonly up: boolean;
  readonly inflightRequests: number;
}

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

  const workers = async (): Promise<readonly WorkerView[]> =>
    (await sluice.getAdmin<{ workers: WorkerView[] }>('router', '/workers')).workers;
  const up = async (id: string): Promise<boolean> =>
    (await workers()).find((worker) => worker.worker === id)?.up === true;

  /** Keys that a service believes a worker holds. */
  const indexed = async (worker: string): Promise<Set<string>> => {
    const keys = new Set<string>();
    let offset: number | null = 0;
    while (offset !== null) {
      const page: { blocks: { key: string }[]; next: number | null } = await sluice.getAdmin(
        'kv-index',
        `/workers/${worker}/blocks?offset=${offset}&limit=10000`,
      );
      for (const block of page.blocks) keys.add(block.key);
      offset = page.next;
    }
    return keys;
  };
  const source = (sim: Sim) =>
    ({
      mode: 'connect',
      endpoint: `tcp://127.0.0.1:${sim.eventsPort}`,
      replayEndpoint: `tcp://127.0.0.1:${sim.replayPort}`,
      topic: '',
    }) as const;

  /** The router's own replica stands where kv-index stands, and believes what it has. */
  const routerFollows = async (): Promise<void> => {
    interface View {
      readonly worker: string;
      readonly confidence: string;
      readonly epoch: number;
      readonly seq: number;
    }
    const views = async (service: string, path: string): Promise<string[]> =>
      (await sluice.getAdmin<{ workers: View[] }>(service, path)).workers
        .map(({ worker, confidence, epoch, seq }) => `${worker} ${confidence} ${epoch} ${seq}`)
        .sort();
    await waitFor('router at the position of kv-index', 5000, async () => {
      const [own, global] = await Promise.all([views('router', '/index'), views('kv-index', '/workers')]);
      if (own.join() !== global.join()) throw new Error(`router ${own.join()}, kv-index ${global.join()}`);
      return own.every((view) => view.includes(' live '));
    });
  };

  /** How long until the index equals, for every engine, what its own events say. */
  const untilIndexIsRight = async (timeoutMs: number): Promise<number> => {
    const { tookMs } = await waitFor('index equal to the engines', timeoutMs, async () => {
      for (const sim of sims) {
        const [held, believed] = await Promise.all([
          referenceBlocks(source(sim), POOL, simTokenizer),
          indexed(sim.name),
        ]);
        if (held.size !== believed.size)
          throw new Error(`${sim.name} holds ${held.size} blocks, the index says ${believed.size}`);
        for (const key of held)
          if (!believed.has(key)) throw new Error(`${sim.name} holds ${key}, the index does not know`);
      }
      return true;
    });
    return tookMs;
  };

  it('follows the engines: the index equals their own events', async () => {
    if (skip !== null) return;
    const load = new Load(sluice, 12);
    await sleep(3000);
    await load.stop();
    expect(load.answers.length).toBeGreaterThan(20);
    expect(load.answers.every(({ answer }) => answer.complete)).toBe(true);
    await untilIndexIsRight(5000);
    await routerFollows();
    expect((await indexed('sim-1')).size + (await indexed('sim-2')).size).toBeGreaterThan(10);
  });

  it('an engine that dies costs no request that had not begun, is out within 2 s and back within 2 s of its return', async () => {
    if (skip !== null) return;
    const load = new Load(sluice, 12);
    await sleep(2000);
    const killedAt = performance.now();
    await sims[0]!.kill();
    const out = await waitFor('sim-1 out', 5000, async () => !(await up('sim-1')));
    await sleep(2000);
    await sims[0]!.restart();
    const back = await waitFor('sim-1 back', 5000, () => up('sim-1'));
    await sleep(2000);
    await load.stop();
    const broken = load.answers.filter(({ answer }) => !answer.complete);
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
    await untilIndexIsRight(5000);
    await routerFollows();
  });

  it('routing goes on without NATS for 10 s, and the index is right within 5 s of its return', async () => {
    if (skip !== null) return;
    const load = new Load(sluice, 8);
    await sleep(1000);
    nats.signal('SIGKILL');
    await nats.exited;
    await sleep(10_000);
    await startNatsServer();
    const returnedAt = performance.now();
    await load.stop();
    const tookMs = await untilIndexIsRight(5000 - (performance.now() - returnedAt));
    console.log(
      `NATS away for 10 s: ${load.answers.length} requests, index right ${Math.round(performance.now() - returnedAt)} ms after its return (${Math.round(tookMs)} ms after the last answer)`,
    );
    await routerFollows();
    expect(load.answers.length).toBeGreaterThan(60);
    expect(load.answers.filter(({ answer }) => !answer.complete)).toEqual([]);
  });

  it('leaves nothing in flight', async () => {
    if (skip !== null) return;
    await waitFor('in flight back to zero', 5000, async () =>
      (await workers()).every((worker) => worker.inflightRequests === 0),
    );
  });
});
