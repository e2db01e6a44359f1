import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { createMemoryBus } from '@sluice/bus';
import type { Bus } from '@sluice/bus';
import { kvFeed, kvResync, readKvBatchHeader } from '@sluice/contracts';
import { openKvEventStream } from '@sluice/engine-wire';
import type { KvEventStreamOptions } from '@sluice/engine-wire';
import { poolId, workerId } from '@sluice/model';
import type { Fleet, KvEventSource, WorkerSpec } from '@sluice/model';
import { createLogger } from '@sluice/telemetry';
import { Bridge } from './bridge.ts';
import type { RankReader } from './feed/rank-reader.ts';
import { removed, stored } from './testing/events.ts';
import { FakeRank } from './testing/fake-rank.ts';
import { numberVocabulary } from './testing/naive-rank-table.ts';
import { Receiver } from './testing/receiver.ts';

const POOL = poolId('p');

/** Sequences of up to three blocks that share prefixes. */
const A = [1, 2, 3];
const B = [1, 2, 4];
const C = [7, 8];

let bus: Bus;
let cleanup: (() => unknown)[];
/** Messages that the bridge's socket loses from now on. */
let lose: number;

beforeEach(() => {
  bus = createMemoryBus();
  cleanup = [];
  lose = 0;
});
afterEach(async () => {
  for (const close of cleanup.reverse()) await close();
  await bus.drain();
});

async function rank(...args: Parameters<typeof FakeRank.start> | []): Promise<FakeRank> {
  const started = await FakeRank.start(POOL, args[1]);
  cleanup.push(() => started.close());
  return started;
}

const sourceOf = (engine: FakeRank): KvEventSource => ({
  mode: 'connect',
  endpoint: engine.endpoint,
  replayEndpoint: engine.replayEndpoint,
  topic: 'kv-events',
});

const workerOf = (id: string, kvEvents: KvEventSource | null): WorkerSpec => ({
  id: workerId(id),
  pool: POOL,
  engine: 'e',
  url: 'http://127.0.0.1:1',
  dpRank: null,
  role: 'both',
  variant: 'default',
  kvEvents,
});

const fleetOf = (workers: WorkerSpec[], tokenizer: string | null = 'dir'): Fleet => ({
  version: 1,
  pools: [{ id: POOL, models: ['m'], loras: [], tokenizer }],
  workers,
});

/** A plain server finds the port: a socket of an engine that goes away would confuse the one that comes. */
async function freeEndpoint(): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return `tcp://127.0.0.1:${port}`;
}

interface Running {
  bridge: Bridge;
  setFleet(fleet: Fleet): void;
}

async function startBridge(fleet: Fleet): Promise<Running> {
  const listeners = new Set<(fleet: Fleet) => void>();
  const bridge = new Bridge({
    fleet: {
      current: () => fleet,
      subscribe: (listener) => {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
      close: () => undefined,
    },
    bus,
    logger: createLogger({ service: 'spec', level: 'silent' }),
    loadVocabulary: () => Promise.resolve(numberVocabulary),
    openStream: lossy,
    now: Date.now,
    onBatch: () => undefined,
    feedMs: 50,
    timing: { replaySilenceMs: 400, retryMs: 20, settledMs: 40, idleCheckMs: 60_000, resyncMs: 10 },
  });
  await bridge.start();
  cleanup.push(() => bridge.stop());
  return { bridge, setFleet: (changed) => listeners.forEach((listener) => listener(changed)) };
}

const lossy = (options: KvEventStreamOptions) =>
  openKvEventStream({
    ...options,
    onMessage: (seq, payload) => {
      if (lose > 0) lose--;
      else options.onMessage(seq, payload);
    },
  });

async function eventually(check: () => void, withinMs = 8_000): Promise<void> {
  const deadline = Date.now() + withinMs;
  for (;;) {
    try {
      check();
      return;
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}

function readerOf({ bridge }: Running, worker = 'w'): RankReader {
  const view = bridge.ranks().find((candidate) => candidate.worker.id === workerId(worker));
  if (view?.kind !== 'read') throw new Error(`${worker} is not read`);
  return view.reader;
}

/** The receiver holds exactly what the engine holds, and every batch followed. */
const agrees = (receiver: Receiver, engine: FakeRank, incomplete = false): Promise<void> =>
  eventually(() => {
    expect(receiver.held.sorted()).toEqual(engine.truth.held());
    expect(receiver.incomplete).toBe(incomplete);
    expect(receiver.violations).toEqual([]);
  });

const isLive = (running: Running, worker = 'w'): Promise<void> =>
  eventually(() => expect(readerOf(running, worker).state).toBe('live'));

describe('the bridge', () => {
  it('learns what came before it and follows what comes', async () => {
    const engine = await rank();
    engine.step(stored({ sequence: A }));
    engine.step(stored({ sequence: B, from: 2 }), stored({ sequence: B, from: 2 }));
    const receiver = new Receiver(bus, POOL, 'w');
    const running = await startBridge(fleetOf([workerOf('w', sourceOf(engine))]));
    await isLive(running);
    await agrees(receiver, engine);
    engine.step(stored({ sequence: C, salt: 's' }), stored({ sequence: C, lora: 'l', hashSeed: 1n }));
    engine.step(removed([3], B), stored({ sequence: A, tier: 'cpu' }));
    await agrees(receiver, engine);
    engine.step(removed([3], B), { kind: 'cleared' }, stored({ sequence: C }));
    await agrees(receiver, engine);
    expect(receiver.held.sorted()).toHaveLength(5);
    expect(readerOf(running).counters).toMatchObject({ gaps: 0, losses: 0, restarts: 0, decodeErrors: 0 });
  });

  it('repairs a gap by replay', async () => {
    const engine = await rank();
    const receiver = new Receiver(bus, POOL, 'w');
    const running = await startBridge(fleetOf([workerOf('w', sourceOf(engine))]));
    await isLive(running);
    engine.step(stored({ sequence: A }));
    await agrees(receiver, engine);
    const { epochs } = receiver;
    lose = 3;
    engine.step(stored({ sequence: C }));
    engine.step(removed([3], A));
    engine.step(stored({ sequence: B, from: 2 }));
    await eventually(() => expect(lose).toBe(0));
    engine.step(stored({ sequence: [1, 5], from: 1 }));
    await agrees(receiver, engine);
    expect(receiver.epochs).toBe(epochs);
    expect(readerOf(running).counters).toMatchObject({ gaps: 1, losses: 0, restarts: 0 });
  });

  it('notices by an idle check what was lost at the end', async () => {
    const engine = await rank();
    const receiver = new Receiver(bus, POOL, 'w');
    const running = await startBridge(fleetOf([workerOf('w', sourceOf(engine))]));
    await isLive(running);
    engine.step(stored({ sequence: A }));
    await agrees(receiver, engine);
    lose = 1;
    engine.step(stored({ sequence: C }));
    await eventually(() => expect(lose).toBe(0));
    readerOf(running).checkNow();
    await agrees(receiver, engine);
  });

  it('keeps only what is certain when a gap cannot be repaired', async () => {
    const engine = await rank(POOL, { replayEndpoint: null });
    const receiver = new Receiver(bus, POOL, 'w');
    const running = await startBridge(fleetOf([workerOf('w', sourceOf(engine))]));
    await eventually(() => {
      engine.publish();
      expect(readerOf(running).engineSeq).toBeGreaterThanOrEqual(0);
    });
    engine.step(stored({ sequence: A }), stored({ sequence: C }));
    await agrees(receiver, engine, receiver.incomplete);
    lose = 1;
    engine.step(removed([1, 2], C));
    await eventually(() => expect(lose).toBe(0));
    engine.truth.forgetCopies();
    // proves that the two blocks in front are there; nothing says so of the rest
    engine.step(stored({ sequence: B, from: 2 }));
    await agrees(receiver, engine, true);
    expect(receiver.held.sorted()).toHaveLength(3);
    expect(readerOf(running).state).toBe('incomplete');
    expect(readerOf(running).counters).toMatchObject({ gaps: 1, losses: 1 });
    // a reset of the cache ends the uncertainty
    engine.step({ kind: 'cleared' }, stored({ sequence: C }));
    await agrees(receiver, engine);
    expect(readerOf(running).state).toBe('live');
  });

  it('says so when the replay does not reach back far enough', async () => {
    const engine = await rank(POOL, { bufferSteps: 2 });
    engine.step(stored({ sequence: C }));
    engine.step(stored({ sequence: A }));
    engine.step(stored({ sequence: B, from: 2 }));
    engine.truth.reset();
    engine.truth.apply(stored({ sequence: A }));
    engine.truth.apply(stored({ sequence: B, from: 2 }));
    const receiver = new Receiver(bus, POOL, 'w');
    const running = await startBridge(fleetOf([workerOf('w', sourceOf(engine))]));
    await agrees(receiver, engine, true);
    await eventually(() => expect(readerOf(running).state).toBe('incomplete'));
  });

  it('starts over when the engine restarts', async () => {
    const engine = await rank();
    const receiver = new Receiver(bus, POOL, 'w');
    const running = await startBridge(fleetOf([workerOf('w', sourceOf(engine))]));
    await isLive(running);
    engine.step(stored({ sequence: A }));
    engine.step(stored({ sequence: C }));
    await agrees(receiver, engine);
    await engine.restart();
    engine.step(stored({ sequence: B }));
    await agrees(receiver, engine);
    expect(readerOf(running).counters.restarts).toBe(1);
  });

  it('notices a restart whose numbers have overtaken the old ones', async () => {
    const engine = await rank();
    const receiver = new Receiver(bus, POOL, 'w');
    const running = await startBridge(fleetOf([workerOf('w', sourceOf(engine))]));
    await isLive(running);
    engine.step(stored({ sequence: A }));
    await agrees(receiver, engine);
    await engine.restart();
    // published before the bridge is back, and so lost: the next number is the one that the bridge expects
    engine.step(stored({ sequence: C }));
    engine.step(stored({ sequence: [9] }));
    await eventually(() => {
      engine.step(stored({ sequence: B }));
      expect(receiver.held.sorted()).toEqual(engine.truth.held());
    });
    expect(readerOf(running).counters.restarts).toBe(1);
    expect(receiver.violations).toEqual([]);
  });

  it('counts a restart of an engine without replay by its numbers', async () => {
    const engine = await rank(POOL, { replayEndpoint: null });
    const receiver = new Receiver(bus, POOL, 'w');
    const running = await startBridge(fleetOf([workerOf('w', sourceOf(engine))]));
    await eventually(() => {
      engine.publish();
      expect(readerOf(running).engineSeq).toBeGreaterThanOrEqual(0);
    });
    engine.step(stored({ sequence: A }));
    await agrees(receiver, engine, receiver.incomplete);
    await engine.restart();
    await eventually(() => {
      engine.publish();
      expect(readerOf(running).counters.restarts + readerOf(running).counters.losses).toBe(1);
    });
    engine.step(stored({ sequence: C }));
    await agrees(receiver, engine, receiver.incomplete);
  });

  it('lets engines connect to it', async () => {
    const endpoint = await freeEndpoint();
    const source: KvEventSource = { mode: 'bind', endpoint, replayEndpoint: null, topic: '' };
    const receiver = new Receiver(bus, POOL, 'w');
    const running = await startBridge(fleetOf([workerOf('w', source)]));
    const engine = await rank(POOL, { endpoint, replayEndpoint: null, bind: false });
    await eventually(() => {
      engine.publish();
      expect(readerOf(running).engineSeq).toBeGreaterThanOrEqual(0);
    });
    engine.step(stored({ sequence: A }));
    engine.step(removed([3], A), { kind: 'cleared' }, stored({ sequence: C }));
    await agrees(receiver, engine);
  });

  it('keeps the ranks of an engine apart', async () => {
    const engines = [await rank(), await rank(POOL, { replayLayout: 'plain' })];
    const receivers = ['w-dp0', 'w-dp1'].map((id) => new Receiver(bus, POOL, id));
    const workers = engines.map((engine, i) => workerOf(`w-dp${i}`, sourceOf(engine)));
    const running = await startBridge(fleetOf(workers));
    await isLive(running, 'w-dp0');
    await isLive(running, 'w-dp1');
    engines[0]!.step(stored({ sequence: A }));
    engines[1]!.step(stored({ sequence: B }), stored({ sequence: C }));
    for (const [i, engine] of engines.entries()) await agrees(receivers[i]!, engine);
    expect(receivers[0]!.held.sorted()).toHaveLength(3);
    expect(receivers[1]!.held.sorted()).toHaveLength(5);
  });

  it('is right again after a restart of its own in the middle of a stream', async () => {
    const engine = await rank();
    const receiver = new Receiver(bus, POOL, 'w');
    const first = await startBridge(fleetOf([workerOf('w', sourceOf(engine))]));
    await isLive(first);
    engine.step(stored({ sequence: A }));
    await agrees(receiver, engine);
    first.bridge.stop();
    engine.step(removed([3], A), stored({ sequence: C }));
    const second = await startBridge(fleetOf([workerOf('w', sourceOf(engine))]));
    for (let i = 0; i < 50; i++) engine.step(stored({ sequence: [10 + i] }));
    await isLive(second);
    await agrees(receiver, engine);
    expect(readerOf(second).counters.losses).toBe(0);
  });

  it('opens a new epoch when a receiver asks, once for requests that come together', async () => {
    const engine = await rank();
    const receiver = new Receiver(bus, POOL, 'w');
    const running = await startBridge(fleetOf([workerOf('w', sourceOf(engine))]));
    await isLive(running);
    engine.step(stored({ sequence: A }));
    await agrees(receiver, engine);
    // the reader still settles after its connection came up: from here on only requests open epochs
    await new Promise((resolve) => setTimeout(resolve, 100));
    const { epochs } = receiver;
    for (const worker of ['w', null, 'w']) bus.publish(kvResync, { pool: POOL, worker, reason: 'spec' });
    await eventually(() => expect(receiver.epochs).toBeGreaterThan(epochs));
    await agrees(receiver, engine);
    expect(receiver.epochs).toBe(epochs + 1);
    expect(running.bridge.resync('unknown')).toBe(false);
  });

  it('splits the dump of a large table', async () => {
    const engine = await rank();
    const receiver = new Receiver(bus, POOL, 'w');
    for (let i = 0; i < 250; i++) {
      engine.publish(stored({ sequence: Array.from({ length: 100 }, (_, j) => i * 100 + j) }));
    }
    const running = await startBridge(fleetOf([workerOf('w', sourceOf(engine))]));
    await isLive(running);
    await eventually(() => expect(receiver.held.keys.size).toBe(25_000));
    expect(Math.max(...receiver.operations)).toBeLessThanOrEqual(20_000);
    expect(receiver.violations).toEqual([]);
  });

  it('sends a worker anew when the bus has given up a batch of it, not over and over where that is given up too', async () => {
    const engine = await rank();
    const inner = bus;
    const listeners: Parameters<Bus['onDrop']>[0][] = [];
    let refused = 0;
    let mostOperations = 2;
    const refusing: Pick<Bus, 'append' | 'onDrop'> = {
      append: (stream, tokens, bytes) => {
        if (readKvBatchHeader(bytes).operations <= mostOperations) return inner.append(stream, tokens, bytes);
        refused++;
        for (const listener of listeners) listener(stream, tokens);
      },
      onDrop: (listener) => {
        listeners.push(listener);
        return () => undefined;
      },
    };
    bus = new Proxy(inner, {
      get(target, name) {
        const value: unknown = Reflect.get(name in refusing ? refusing : target, name);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    const receiver = new Receiver(bus, POOL, 'w');
    const running = await startBridge(fleetOf([workerOf('w', sourceOf(engine))]));
    await isLive(running);
    engine.step(stored({ sequence: A }));
    await eventually(() => expect(refused).toBeGreaterThanOrEqual(2));
    await new Promise((resolve) => setTimeout(resolve, 300));
    // without a pause it would be every 10 ms
    expect(refused).toBeLessThan(6);
    mostOperations = 100;
    await agrees(receiver, engine);
  });

  it('loses a batch that it cannot read, and says so', async () => {
    const engine = await rank();
    const receiver = new Receiver(bus, POOL, 'w');
    const running = await startBridge(fleetOf([workerOf('w', sourceOf(engine))]));
    await isLive(running);
    engine.step(stored({ sequence: A }));
    await agrees(receiver, engine);
    engine.publishBytes(new Uint8Array([0xc1]));
    engine.truth.forgetCopies();
    engine.step(stored({ sequence: C }));
    await agrees(receiver, engine, true);
    expect(readerOf(running).counters).toMatchObject({ decodeErrors: 1, losses: 1 });
  });

  it('tells an engine that is gone from one that is silent', async () => {
    const engine = await rank();
    const feeds: string[] = [];
    bus.subscribe(kvFeed, ({ state, epoch }) => {
      const told = `${state} ${epoch}`;
      if (feeds.at(-1) !== told) feeds.push(told);
    });
    const receiver = new Receiver(bus, POOL, 'w');
    const running = await startBridge(fleetOf([workerOf('w', sourceOf(engine))]));
    await isLive(running);
    engine.step(stored({ sequence: A }));
    await agrees(receiver, engine);
    // two reports of a silent engine
    await new Promise((resolve) => setTimeout(resolve, 120));
    expect(readerOf(running).state).toBe('live');
    const { epoch } = readerOf(running);
    await engine.close();
    await eventually(() => expect(feeds.at(-1)).toBe(`disconnected ${epoch}`));
    expect(readerOf(running).table.blocks).toBe(3);
    await engine.restart();
    await eventually(() => expect(feeds.at(-1)).toMatch(/^live /));
    expect(readerOf(running).epoch).toBeGreaterThan(epoch);
    await agrees(receiver, engine);
    expect(readerOf(running).counters).toMatchObject({ restarts: 1, losses: 0 });
  });

  it('reports every feed, and reads no worker whose pool has no tokenizer', async () => {
    const engine = await rank();
    const feeds: string[] = [];
    bus.subscribe(kvFeed, (feed) => feeds.push(`${feed.worker} ${feed.state} ${feed.blocks}`));
    const running = await startBridge(fleetOf([workerOf('w', sourceOf(engine))], null));
    expect(running.bridge.ranks()).toEqual([
      expect.objectContaining({ kind: 'unread', reason: 'pool p has no tokenizer' }),
    ]);
    expect(feeds).toEqual([]);
    running.setFleet(fleetOf([workerOf('w', sourceOf(engine))]));
    await eventually(() => expect(feeds).toContain('w live 0'));
    engine.step(stored({ sequence: A }));
    await eventually(() => expect(feeds).toContain('w live 3'));
    running.setFleet(fleetOf([]));
    expect(running.bridge.ranks()).toEqual([]);
    expect(running.bridge.totals().storedEvents).toBe(1);
  });
});
