import type { Bus } from '@sluice/bus';
import { kvBatchCodec, kvDeltas, kvFeed, kvResync, kvSnapshot, readKvBatchHeader } from '@sluice/contracts';
import type { PoolId, WorkerId } from '@sluice/model';
import { ReplicaFollower } from '@sluice/prefix-index';
import type { FollowerCounters, Position, PrefixIndex, SnapshotReply } from '@sluice/prefix-index';
import type { PrefixArrivals } from '../tracing/prefix-arrivals.ts';
import type { FeedView } from './prefix-view.ts';

const TICK_MS = 1000;

/**
 * Feeds the workers' KV events from the bus into the index: the follower decides what may be believed, this gives it the
 * bus. Snapshots come from the kv-index; where there is none, the bridge is asked to say all it knows.
 */
export class EventFeed implements FeedView {
  readonly #bus: Bus;
  readonly #now: () => number;
  readonly #onLag: (lagMs: number) => void;
  readonly #arrivals: PrefixArrivals;
  readonly #follower: ReplicaFollower;
  readonly #pools = new Map<WorkerId, PoolId>();
  readonly #unsubscribes: (() => void)[] = [];

  /**
   * @param onLag called with the age of every batch that was applied, by the engine's clock
   * @param arrivals told of every batch that was applied, while it waits for one
   */
  constructor(
    bus: Bus,
    index: PrefixIndex,
    now: () => number,
    onLag: (lagMs: number) => void,
    arrivals: PrefixArrivals,
  ) {
    this.#bus = bus;
    this.#now = now;
    this.#onLag = onLag;
    this.#arrivals = arrivals;
    this.#follower = new ReplicaFollower({
      index,
      codec: kvBatchCodec,
      ports: {
        nowMs: now,
        snapshotPage: (worker, cursor) => this.#snapshotPage(worker, cursor),
        requestResync: (worker, reason) =>
          bus.publish(kvResync, { pool: this.#pools.get(worker) ?? '', worker, reason }),
      },
    });
  }

  /** Subscribes; workers that are added from now on are followed. */
  start(): void {
    const follower = this.#follower;
    const timer = setInterval(() => follower.tick(), TICK_MS);
    this.#unsubscribes.push(
      this.#bus.consume(kvDeltas, { from: 'new' }, ([, worker], bytes) => this.#onBatch(worker as WorkerId, bytes)),
      this.#bus.subscribe(kvFeed, ({ worker, epoch, seq }) => follower.onFeed(worker as WorkerId, epoch, seq)),
      this.#bus.onState((state) => {
        if (state === 'connected') follower.reconnected();
      }),
      () => clearInterval(timer),
    );
  }

  stop(): void {
    for (const unsubscribe of this.#unsubscribes.splice(0)) unsubscribe();
    for (const id of [...this.#pools.keys()]) this.unfollow(id);
  }

  follow(id: WorkerId, pool: PoolId): void {
    this.#pools.set(id, pool);
    void this.#follower.addWorker(id);
  }

  /** Also takes the worker out of the index. */
  unfollow(id: WorkerId): void {
    if (this.#pools.delete(id)) this.#follower.removeWorker(id);
  }

  confidence(id: WorkerId): ReturnType<FeedView['confidence']> {
    return this.#follower.confidence(id);
  }

  appliedAtMs(id: WorkerId): number {
    return this.#follower.appliedAtMs(id);
  }

  position(id: WorkerId): Position | null {
    return this.#follower.position(id);
  }

  get counters(): Readonly<FollowerCounters> {
    return this.#follower.counters;
  }

  #onBatch(worker: WorkerId, bytes: Uint8Array): void {
    const startMs = performance.now();
    if (!this.#follower.has(worker) || this.#follower.onBatch(worker, bytes) !== 'applied') return;
    const { engineTimeMs } = readKvBatchHeader(bytes);
    if (engineTimeMs > 0) this.#onLag(Math.max(0, this.#now() - engineTimeMs));
    if (!this.#arrivals.isIdle) this.#arrivals.applied(worker, bytes, startMs);
  }

  async #snapshotPage(worker: WorkerId, cursor: string | null): Promise<SnapshotReply> {
    const pool = this.#pools.get(worker);
    if (pool === undefined) return { kind: 'none' };
    const outcome = await this.#bus.request(kvSnapshot, { pool, worker, cursor });
    if (outcome.kind !== 'reply' || outcome.value.kind !== 'page') return { kind: 'none' };
    return { ...outcome.value, batch: Buffer.from(outcome.value.batch, 'base64') };
  }
}
