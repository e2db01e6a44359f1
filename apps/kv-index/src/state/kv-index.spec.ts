import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { createMemoryBus } from '@sluice/bus';
import type { Bus } from '@sluice/bus';
import { kvBatchCodec, kvDeltas } from '@sluice/contracts';
import { workerId } from '@sluice/model';
import { createPrefixIndex, createReplica } from '@sluice/prefix-index';
import { chainOf, randomBytes, testRoot } from '@sluice/prefix-index/testing';
import { seededRng } from '@sluice/numerics';
import { connectRedisStore, createMemoryStore, StoreUnavailable } from '@sluice/store';
import type { Store } from '@sluice/store';
import { findRedisServer, REDIS_SERVER_MISSING, startRedisServer } from '@sluice/store/testing';
import { BridgeStandIn, blocksOf } from '../testing/bridge-stand-in.ts';
import { changingFleet, fleetOf } from '../testing/fleet.ts';
import { KvIndex } from './kv-index.ts';
import type { KvIndexOptions } from './kv-index.ts';

// Real timers, and a real server: a busy machine may take its time.
jest.setTimeout(30_000);

const [W, V] = [workerId('w'), workerId('v')];
const rng = seededRng(23);
const ROOT = testRoot('chat');
const prompt = randomBytes(rng, 32 * 400);
const chain = chainOf(ROOT, prompt, [32, 40, 24, 32]);

async function until(what: string, condition: () => boolean): Promise<void> {
  for (let i = 0; i < 1000 && !condition(); i++) await new Promise((resolve) => setTimeout(resolve, 5));
  if (!condition()) throw new Error(`did not happen: ${what}`);
}

interface Backend {
  /** A client of the same data each time. */
  open(): Promise<Store>;
  wipe(): Promise<void>;
  close(): Promise<void>;
}

/** The store outlives the index: closing the client leaves the data. */
async function memoryBackend(): Promise<Backend> {
  let inner = createMemoryStore();
  return {
    open: async () => ({ ...forwarding(() => inner), close: async () => undefined }),
    wipe: async () => void (inner = createMemoryStore()),
    close: async () => undefined,
  };
}

async function redisBackend(): Promise<Backend> {
  const server = await startRedisServer();
  return {
    open: () => connectRedisStore({ url: server.url }),
    wipe: async () => {
      const store = await connectRedisStore({ url: server.url });
      const keys = await store.keys('');
      if (keys.length > 0) await store.delete(...keys);
      await store.close();
    },
    close: async () => server.kill(),
  };
}

const forwarding = (store: () => Store): Store => ({
  durable: true,
  state: () => store().state(),
  onState: (listener) => store().onState(listener),
  get: (key) => store().get(key),
  set: (key, value) => store().set(key, value),
  replace: (key, expected, value) => store().replace(key, expected, value),
  delete: (...keys) => store().delete(...keys),
  readMap: (key) => store().readMap(key),
  writeMap: (key, changes) => store().writeMap(key, changes),
  keys: (prefix) => store().keys(prefix),
  close: () => store().close(),
});

function indexSuite(makeBackend: () => Promise<Backend>): void {
  let backend: Backend;
  let bus: Bus;
  let bridge: BridgeStandIn;
  const open: { index: KvIndex; store: Store }[] = [];

  async function start(options: Partial<KvIndexOptions> = {}): Promise<KvIndex> {
    const store = options.store ?? (await backend.open());
    const index = new KvIndex({
      bus,
      store,
      fleet: changingFleet(fleetOf(1, W)),
      maxNodes: 1_000_000,
      writeDelayMs: 20,
      storeWaitMs: 1000,
      repairIntervalMs: 20,
      now: Date.now,
      onBatch: () => undefined,
      onStoreError: () => undefined,
      ...options,
    });
    await index.start();
    open.push({ index, store });
    return index;
  }
  const stop = async (index: KvIndex): Promise<void> => {
    const at = open.findIndex((each) => each.index === index);
    for (const { store } of open.splice(at, 1)) {
      await index.stop();
      await store.close();
    }
  };
  const agrees = (index: KvIndex): boolean => {
    const row = index.index.row(W);
    return (
      row !== undefined &&
      index.confidence(W) !== 'none' &&
      index.worker(W)?.seq === bridge.seq - 1 &&
      JSON.stringify(blocksOf(index.index, row)) === JSON.stringify(blocksOf(bridge.truth, 0))
    );
  };
  const written = (index: KvIndex): Promise<void> => until('written', () => index.pendingWorkers === 0);

  beforeAll(async () => {
    backend = await makeBackend();
  });
  afterAll(() => backend.close());
  beforeEach(async () => {
    await backend.wipe();
    bus = createMemoryBus();
    bridge = new BridgeStandIn(bus, 'chat', W);
  });
  afterEach(async () => {
    for (const { index } of [...open]) await stop(index);
    bridge.stop();
    await bus.drain();
  });

  it('follows the stream from its start, equal to the reference', async () => {
    bridge.begin();
    const random = seededRng(1);
    for (let i = 0; i < 100; i++) bridge.random(random, chain);
    const index = await start();
    for (let i = 0; i < 100; i++) bridge.random(random, chain);
    await until('agreement', () => agrees(index));
    expect(bridge.resyncs).toEqual([]);
    expect(index.worker(W)).toMatchObject({ confidence: 'live', epoch: 1001, seq: 200, lagMs: expect.any(Number) });
  });

  it('repairs lost batches by a resync', async () => {
    const index = await start();
    bridge.begin();
    const random = seededRng(2);
    for (let i = 0; i < 300; i++) {
      bridge.random(random, chain, 50);
      if (i % 50 === 49) {
        bridge.store(0, chain.slice(0, 3));
        await until('agreement', () => agrees(index));
      }
    }
    expect(index.counters.gaps).toBeGreaterThan(1);
    expect(bridge.resyncs.length).toBeGreaterThan(1);
  });

  it('finds a tail that was lost while nothing follows it', async () => {
    const index = await start();
    bridge.begin();
    bridge.store(0, chain.slice(0, 50));
    await until('agreement', () => agrees(index));
    bridge.remove(0, chain.slice(20, 50), false);
    bridge.report();
    bridge.report();
    await until('agreement', () => agrees(index));
  });

  it('says of an engine that is disconnected that its blocks are from before, and hands them on as they are', async () => {
    const index = await start();
    bridge.begin();
    bridge.store(0, chain.slice(0, 20));
    await until('agreement', () => agrees(index));
    const said = (): string[] => {
      const reply = index.lookup({ model: 'tiny', prompt, cacheSalt: null });
      if (reply.kind !== 'matches') throw new Error(reply.kind);
      return [index.worker(W)!.confidence, reply.workers.find(({ worker }) => worker === W)!.confidence];
    };
    expect(said()).toEqual(['live', 'live']);
    const held = index.worker(W)!.blocks;
    bridge.report('disconnected');
    await until('told', () => said().every((word) => word === 'disconnected'));
    expect(index.worker(W)!.blocks).toEqual(held);
    // the connection may come back to the same process, and no epoch would say so: copies are what the batches say
    expect(index.snapshotPage(W, null)).toMatchObject({ incomplete: false });
    // nothing is repaired while nothing is missing
    bridge.report('disconnected');
    bridge.report('live');
    await until('back', () => said().every((word) => word === 'live'));
    expect([index.counters.gaps, bridge.resyncs]).toEqual([0, []]);
    bridge.report('disconnected');
    bridge.begin();
    bridge.report('live');
    await until('agreement', () => agrees(index) && said()[0] === 'live');
  });

  it('starts warm: equal to what it was, and then the tail', async () => {
    const first = await start();
    bridge.begin();
    const random = seededRng(3);
    for (let i = 0; i < 150; i++) {
      bridge.random(random, chain);
      if (i % 40 === 0) await written(first);
    }
    await until('agreement', () => agrees(first));
    const before = blocksOf(first.index, 0);
    await stop(first);
    const stream = bus;
    bus = createMemoryBus(); // a stream that holds nothing any more
    const second = await start();
    expect([blocksOf(second.index, 0), second.worker(W)]).toEqual([
      before,
      expect.objectContaining({ confidence: 'live', epoch: 1001, seq: 150 }),
    ]);
    await stop(second);
    bus = stream;
    for (let i = 0; i < 30; i++) bridge.random(random, chain);
    const third = await start();
    await until('agreement', () => agrees(third));
    expect(third.counters.applied).toBe(30);
    expect(bridge.resyncs).toEqual([]);
  });

  it('repairs from the stream what a crash kept from being written', async () => {
    const crashing = await backend.open();
    let writes = 0;
    const store: Store = {
      ...forwarding(() => crashing),
      writeMap: async (key, changes) => {
        if (++writes > 2) throw new StoreUnavailable('the process is dying');
        return crashing.writeMap(key, changes);
      },
    };
    const errors: unknown[] = [];
    const first = await start({ store, onStoreError: (error) => errors.push(error) });
    bridge.begin();
    bridge.store(0, chain.slice(0, 10));
    await written(first);
    const random = seededRng(4);
    for (let i = 0; i < 60; i++) {
      bridge.random(random, chain);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await until('store errors', () => errors.length > 0);
    await stop(first);
    const second = await start();
    await until('agreement', () => agrees(second));
    expect(bridge.resyncs).toEqual([]);
  });

  it('writes everything again after the store was away', async () => {
    const inner = await backend.open();
    let away = true;
    const index = await start({
      store: {
        ...forwarding(() => inner),
        writeMap: async (key, changes) => {
          if (away) throw new StoreUnavailable('away');
          return inner.writeMap(key, changes);
        },
      },
    });
    bridge.begin();
    bridge.store(1, chain.slice(0, 200));
    await until('agreement', () => agrees(index));
    bridge.remove(1, chain.slice(100, 200));
    await until('agreement', () => agrees(index));
    expect(index.pendingWorkers).toBe(1);
    away = false;
    await written(index);
    await stop(index);
    bus = createMemoryBus();
    expect(agrees(await start())).toBe(true);
  });

  it('keeps no durable copy of what it does not believe', async () => {
    const index = await start({ repairIntervalMs: 60_000 });
    bridge.begin();
    bridge.store(0, chain);
    await written(index);
    bridge.store(0, chain, false);
    bridge.store(0, chain);
    await until('gap', () => index.counters.gaps === 1);
    await written(index);
    const store = await backend.open();
    expect(await store.keys('')).toEqual([]);
    await store.close();
  });

  it('follows the fleet', async () => {
    const fleet = changingFleet(fleetOf(1, W, V, 'no-events'));
    const index = await start({ fleet });
    const other = new BridgeStandIn(bus, 'chat', V);
    for (const each of [bridge, other]) {
      each.begin();
      each.store(0, chain);
    }
    await until('both', () => agrees(index) && index.worker(V)?.seq === 1);
    expect(index.workers().map(({ worker }) => worker)).toEqual([W, V]);
    await written(index);
    const store = await backend.open();
    expect((await store.keys('')).sort()).toEqual(['kv-index:chat:v', 'kv-index:chat:w']);

    fleet.change(fleetOf(2, V));
    expect(index.worker(W)).toBeNull();
    expect(index.lookup({ model: 'tiny', prompt, cacheSalt: null })).toMatchObject({
      workers: [{ worker: V, cachedBytes: 32 * 400 }],
    });
    await written(index);
    expect(await store.keys('')).toEqual(['kv-index:chat:v']);

    fleet.change(fleetOf(3, V, W));
    await until('resync', () => agrees(index));
    await stop(index);
    const gone = await start({ fleet: changingFleet(fleetOf(4, V)) });
    expect(await store.keys('')).toEqual(['kv-index:chat:v']);
    expect(gone.workers()).toHaveLength(1);
    other.stop();
    await store.close();
  });

  it('hands out snapshots in pages of one instant, which the tail continues', async () => {
    bridge.stop();
    bridge = new BridgeStandIn(bus, 'chat', W, createPrefixIndex()); // the plain index would take its time
    const index = await start();
    const long = chainOf(ROOT, randomBytes(seededRng(9), 8 * 25_000), [8]);
    bridge.begin();
    for (let at = 0; at < long.length; at += 5000) bridge.store(0, long.slice(at, at + 5000));
    await until('agreement', () => agrees(index));

    const copy = createPrefixIndex();
    const replica = createReplica({ index: copy, codec: kvBatchCodec });
    replica.addWorker(W);
    bus.consume(kvDeltas, { from: 'new' }, (_tokens, bytes) => void replica.apply(W, bytes, 0));
    replica.beginSnapshot(W);
    let page = index.snapshotPage(W, null)!;
    bridge.remove(0, long.slice(10_000));
    await until('removal', () => agrees(index));
    const sizes: number[] = [];
    for (; ; page = index.snapshotPage(W, page.cursor)!) {
      sizes.push(kvBatchCodec.header(page.batch).operations);
      if (replica.applySnapshotPage(W, { ...page, last: page.cursor === null }, 0) !== 'partial') break;
    }
    expect(sizes).toEqual([20_000, 5000]);
    expect(replica.position(W)).toEqual({ epoch: bridge.epoch, seq: bridge.seq - 1 });
    expect(blocksOf(copy, 0)).toEqual(blocksOf(index.index, 0));
    expect(index.snapshotPage(V, null)).toBeNull();
    expect(index.snapshotPage(W, '1.1')).toBeNull();
  });

  it('drops an unread snapshot after 30 s', async () => {
    let nowMs = 0;
    bridge.stop();
    bridge = new BridgeStandIn(bus, 'chat', W, createPrefixIndex());
    const index = await start({ now: () => nowMs });
    const long = chainOf(ROOT, randomBytes(seededRng(9), 8 * 20_001), [8]);
    bridge.begin();
    bridge.store(0, long);
    await until('agreement', () => agrees(index));
    const { cursor } = index.snapshotPage(W, null)!;
    nowMs = 30_000;
    expect([typeof cursor, index.snapshotPage(W, cursor)]).toEqual(['string', null]);
  });
}

describe('kv-index on a memory store', () => indexSuite(memoryBackend));

const present = findRedisServer() !== null;
if (!present) process.stderr.write(`skipped: ${REDIS_SERVER_MISSING}\n`);
(present ? describe : describe.skip)('kv-index on Redis', () => indexSuite(redisBackend));
