import { describe, expect, it, jest } from '@jest/globals';
import { workerId } from '@sluice/model';
import { seededRng } from '@sluice/numerics';
import { createPrefixIndex } from './prefix-index.ts';
import { ReplicaFollower } from './replica-follower.ts';
import type { SnapshotReply } from './replica-follower.ts';
import { EventSource, jsonCodec } from './testing/event-source.ts';
import { chainOf, randomBytes, testRoot } from './testing/prompts.ts';

// Many random histories: a busy machine may take its time.
jest.setTimeout(60_000);

const W = workerId('w');
const rng = seededRng(17);
const chain = chainOf(testRoot(), randomBytes(rng, 64 * 40), [64]);
const turn = async (): Promise<void> => {
  for (let i = 0; i < 10; i++) await Promise.resolve();
};

/** A follower, its clock, the resyncs it asked for, and where its snapshots come from. */
function setUp(snapshot: (cursor: string | null) => SnapshotReply | Promise<SnapshotReply> = () => ({ kind: 'none' })) {
  const world = { nowMs: 0, resyncs: [] as string[], snapshots: 0, snapshot };
  const index = createPrefixIndex();
  const follower = new ReplicaFollower({
    index,
    codec: jsonCodec,
    ports: {
      nowMs: () => world.nowMs,
      snapshotPage: async (_worker, cursor) => {
        world.snapshots++;
        return world.snapshot(cursor);
      },
      requestResync: (_worker, reason) => world.resyncs.push(reason),
    },
  });
  const held = (): string[] => {
    const keys: string[] = [];
    index.dump(0, { store: (_tier, hi, lo) => keys.push(`${hi}:${lo}`) });
    return keys.sort();
  };
  return { world, index, follower, held };
}

const twoPages = (source: EventSource, cursor: string | null): SnapshotReply => {
  const { last, ...page } = cursor === null ? source.page(0, 3) : source.page(3);
  return { kind: 'page', ...page, cursor: last ? null : 'next' };
};

describe('follower', () => {
  it('starts from a snapshot and the tail', async () => {
    const source = new EventSource();
    source.begin();
    source.store(chain.slice(0, 5));
    const { world, follower, held } = setUp((cursor) => twoPages(source, cursor));
    const added = follower.addWorker(W);
    await added;
    expect([follower.confidence(W), world.snapshots, world.resyncs]).toEqual(['live', 2, []]);
    follower.onBatch(W, source.store(chain.slice(5, 6)));
    expect(held()).toEqual(source.truth.get('1/2'));
    await follower.addWorker(W);
    expect(world.snapshots).toBe(2);
  });

  it('starts by a resync when nobody has a copy, asking again with growing pauses', async () => {
    const { world, follower, held } = setUp();
    const source = new EventSource();
    source.begin();
    source.store(chain);
    await follower.addWorker(W);
    const asked: number[] = [];
    for (world.nowMs = 0; world.nowMs <= 40_000; world.nowMs += 500) {
      const before = world.resyncs.length;
      follower.tick();
      await turn();
      if (world.resyncs.length > before) asked.push(world.nowMs);
    }
    expect(asked).toEqual([1000, 3000, 7000, 15_000, 31_000]);
    for (const bytes of source.begin(2)) follower.onBatch(W, bytes);
    expect([follower.confidence(W), held()]).toEqual(['live', source.truth.get('2/1')]);
  });

  it('repairs a gap from another copy, and by a resync when that has the gap too', async () => {
    const source = new EventSource();
    const { world, follower, held } = setUp();
    await follower.addWorker(W);
    follower.onBatch(W, source.begin()[0]!);
    world.snapshot = (cursor) => twoPages(source, cursor);
    world.nowMs = 5000;
    source.store(chain.slice(0, 9)); // lost on the way
    expect(follower.onBatch(W, source.store(chain.slice(9, 12)))).toBe('gap');
    await turn();
    expect([follower.confidence(W), held(), world.resyncs]).toEqual(['live', source.truth.get('1/2'), []]);

    const old = source.page();
    world.snapshot = () => ({ kind: 'page', ...old, cursor: null });
    world.nowMs = 9000;
    source.store(chain.slice(12, 13));
    follower.onBatch(W, source.store(chain.slice(13, 14)));
    follower.onBatch(W, source.store(chain.slice(14, 15)));
    await turn();
    expect([follower.confidence(W), world.resyncs]).toEqual(['none', ['gap']]);
    follower.onBatch(W, source.store(chain.slice(15, 16))); // no second request within the pause
    await turn();
    expect(world.resyncs).toHaveLength(1);
    follower.onBatch(W, source.begin()[0]!);
    expect([follower.confidence(W), held()]).toEqual(['live', source.truth.get('2/0')]);
    expect(follower.counters).toMatchObject({ gaps: 2, resyncs: 1 });
  });

  it('finds a lost tail by what the source says it has published', async () => {
    const source = new EventSource();
    const { world, follower } = setUp();
    await follower.addWorker(W);
    follower.onBatch(W, source.begin()[0]!);
    source.store(chain.slice(0, 3));
    follower.onFeed(W, 1, 2); // may still be on its way
    expect(follower.confidence(W)).toBe('live');
    follower.onFeed(W, 1, 2);
    expect(follower.confidence(W)).toBe('none');
    world.nowMs = 2000;
    follower.tick();
    await turn();
    expect(world.resyncs).toEqual(['no state']);
    follower.onBatch(W, source.begin()[0]!);
    for (let i = 0; i < 3; i++) follower.onFeed(W, 2, 1);
    expect(follower.confidence(W)).toBe('live');
  });

  it('does not take a slow tail for a lost one', async () => {
    const source = new EventSource();
    const { follower } = setUp();
    await follower.addWorker(W);
    const batches = [...source.begin(), ...chain.map((block) => source.store([block]))];
    for (const bytes of batches) {
      follower.onBatch(W, bytes);
      follower.onFeed(W, 1, batches.length);
    }
    expect([follower.confidence(W), follower.counters.gaps]).toEqual(['live', 0]);
  });

  it('repairs at once after a reconnect', async () => {
    const { world, follower } = setUp();
    await follower.addWorker(W);
    for (const nowMs of [1000, 3000, 7000]) {
      world.nowMs = nowMs;
      follower.tick();
      await turn();
    }
    world.nowMs = 7001;
    follower.reconnected();
    await turn();
    expect(world.resyncs).toHaveLength(4);
  });

  it('forgets a worker that leaves, also in the middle of a snapshot', async () => {
    const source = new EventSource();
    source.begin();
    source.store(chain);
    const { follower, index } = setUp((cursor) => {
      if (cursor !== null) follower.removeWorker(W);
      return twoPages(source, cursor);
    });
    await follower.addWorker(W);
    expect([follower.has(W), index.row(W), index.stats().nodes]).toEqual([false, undefined, 0]);
    expect(follower.onBatch(W, source.begin()[0]!)).toBe('unknown-worker');
  });

  it.each([1, 2, 3, 4, 5])(
    'believes only what was true at its position, whatever is lost or repeated (seed %i)',
    async (seed) => {
      const random = seededRng(seed);
      const source = new EventSource();
      const { world, follower, held } = setUp((cursor) =>
        random() < 0.5 ? { kind: 'none' } : twoPages(source, cursor),
      );
      await follower.addWorker(W);
      const sent: Uint8Array[] = [];
      let checked = 0;
      for (let step = 0; step < 1500; step++) {
        world.nowMs += 100;
        const healthy = step > 1400;
        const answered = world.resyncs.splice(0).length > 0 && random() < 0.5; // else the request was lost
        const fresh = random() < 0.02 ? source.restart() : answered || step === 1401 ? source.begin(2) : [];
        for (const bytes of [...fresh, source.random(random, chain)]) {
          sent.push(bytes);
          if (healthy || random() > 0.03) follower.onBatch(W, bytes);
          if (!healthy && random() < 0.03) for (const again of sent.slice(-5)) follower.onBatch(W, again);
        }
        if (random() < 0.2) follower.onFeed(W, source.epoch, source.seq);
        follower.tick();
        if (random() < 0.7) await turn();
        if (follower.confidence(W) === 'none') continue;
        const { epoch, seq } = follower.position(W)!;
        expect(held()).toEqual(source.truth.get(`${epoch}/${seq}`));
        checked++;
      }
      await turn();
      expect(checked).toBeGreaterThan(300);
      expect(follower.position(W)).toEqual({ epoch: source.epoch, seq: source.seq - 1 });
    },
  );
});
