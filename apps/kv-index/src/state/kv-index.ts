import type { Bus, Unsubscribe } from '@sluice/bus';
import { kvBatchCodec, kvDeltas, kvFeed, kvResync, kvTraced, readKvBatchHeader } from '@sluice/contracts';
import type { IndexedConfidence, PayloadOf } from '@sluice/contracts';
import type { FleetSource } from '@sluice/discovery';
import { TIERS } from '@sluice/model';
import type { Fleet, PoolId, Tier, WorkerId, WorkerSpec } from '@sluice/model';
import { createPrefixIndex, ReplicaFollower } from '@sluice/prefix-index';
import type { Confidence, FollowerCounters, IndexStats, PrefixIndex, SnapshotReply } from '@sluice/prefix-index';
import type { Store } from '@sluice/store';
import type { BatchSpans } from '@sluice/telemetry';
import { DurableCopy } from './durable-copy.ts';
import { keyText } from './durable-record.ts';
import { Lookup } from './lookup.ts';
import type { LookupQuery, LookupReply } from './lookup.ts';
import { Snapshots } from './snapshots.ts';
import type { Page } from './snapshots.ts';

export interface KvIndexOptions {
  readonly bus: Bus;
  readonly store: Store;
  readonly fleet: FleetSource;
  readonly maxNodes: number;
  readonly writeDelayMs: number;
  readonly storeWaitMs: number;
  /** Milliseconds since the Unix epoch. */
  readonly now: () => number;
  /** Told of every batch that was applied; absent where nothing is traced. */
  readonly spans?: BatchSpans;
  /** A batch was applied this long after the engine made it. */
  readonly onBatch: (lagMs: number) => void;
  readonly onStoreError: (error: unknown) => void;
  /** Default 1000. */
  readonly repairIntervalMs?: number;
}

export interface WorkerView {
  readonly worker: WorkerId;
  readonly pool: PoolId;
  readonly confidence: IndexedConfidence;
  readonly epoch: number | null;
  readonly seq: number | null;
  readonly blocks: Readonly<Record<Tier, number>>;
  /** Engine clock to application, last batch; null before the first or when the engine does not say. */
  readonly lagMs: number | null;
  /** Milliseconds since the last batch was applied; null before the first. */
  readonly idleMs: number | null;
}

export interface BlockView {
  readonly key: string;
  readonly parent: string;
  readonly spanBytes: number;
  readonly tokens: number;
  readonly tiers: Tier[];
}

interface Followed {
  readonly pool: PoolId;
  /** By the bridge's last report: the engine is gone or cannot be reached, and says nothing of its cache. */
  disconnected: boolean;
  lagMs: number | null;
}

const TICK_MS = 250;

/**
 * The global index: follows the KV deltas of every worker of the fleet that has an event source, keeps a durable copy,
 * answers lookups and hands out snapshots.
 */
export class KvIndex {
  readonly index: PrefixIndex;
  readonly #options: KvIndexOptions;
  readonly #follower: ReplicaFollower;
  readonly #copy: DurableCopy;
  readonly #lookup = new Lookup();
  readonly #snapshots = new Snapshots();
  readonly #workers = new Map<WorkerId, Followed>();
  readonly #subscriptions: Unsubscribe[] = [];
  readonly #timers: NodeJS.Timeout[] = [];
  /** While the durable copy is being read; later it is older than the index. */
  #loading = false;
  #following = false;
  #snapshotPages = 0;

  constructor(options: KvIndexOptions) {
    this.#options = options;
    this.index = createPrefixIndex({ maxNodes: options.maxNodes });
    this.#copy = new DurableCopy({
      store: options.store,
      state: () => ({
        index: this.index,
        confidence: (worker) => this.confidence(worker),
        position: (worker) => this.#follower.position(worker),
      }),
      onError: options.onStoreError,
    });
    this.#follower = new ReplicaFollower({
      index: this.index,
      codec: kvBatchCodec,
      journal: this.#copy,
      ports: {
        nowMs: options.now,
        snapshotPage: (worker) => this.#durablePage(worker),
        requestResync: (worker, reason) => this.#requestResync(worker, reason),
      },
      ...(options.repairIntervalMs !== undefined && { repairIntervalMs: options.repairIntervalMs }),
    });
  }

  /** Reads the durable copy and then follows the stream from its start: what the copy has already is skipped. */
  async start(): Promise<void> {
    const { bus, fleet } = this.#options;
    await this.#storeConnected();
    this.#loading = true;
    await this.#follow(fleet.current());
    this.#loading = false;
    await this.#copy.dropUnknown();
    this.#following = true;
    this.#subscriptions.push(
      fleet.subscribe((changed) => void this.#follow(changed)),
      bus.subscribe(kvFeed, (feed) => this.#onFeed(feed)),
      bus.subscribe(kvTraced, (batch, trace) => this.#options.spans?.trace(batch, trace)),
      bus.onState((state) => {
        if (state === 'connected') this.#follower.reconnected();
      }),
      bus.consume(kvDeltas, { from: 'start' }, ([, worker], bytes) => this.#onBatch(worker as WorkerId, bytes)),
    );
    this.#timers.push(
      setInterval(() => this.#follower.tick(), TICK_MS).unref(),
      setInterval(() => void this.#copy.write(), this.#options.writeDelayMs).unref(),
    );
    // The fleet may have changed while the copy was read.
    await this.#follow(fleet.current());
  }

  /** Stops following and writes what is not written yet. */
  async stop(): Promise<void> {
    this.#following = false;
    for (const unsubscribe of this.#subscriptions.splice(0)) unsubscribe();
    for (const timer of this.#timers.splice(0)) clearInterval(timer);
    await this.#copy.write();
  }

  get following(): boolean {
    return this.#following;
  }

  get counters(): Readonly<FollowerCounters> & { readonly snapshotPagesServed: number } {
    return { ...this.#follower.counters, snapshotPagesServed: this.#snapshotPages };
  }

  /** Workers whose changes wait to be written. */
  get pendingWorkers(): number {
    return this.#copy.pendingWorkers;
  }

  /** How far the blocks held follow from the bridge's batches: what copies of them are worth. */
  confidence(worker: WorkerId): Confidence {
    return this.#follower.confidence(worker);
  }

  /** The same for who asks what the engine holds: it is not known of one that is disconnected. */
  belief(worker: WorkerId): IndexedConfidence {
    const confidence = this.confidence(worker);
    return confidence !== 'none' && this.#workers.get(worker)?.disconnected === true ? 'disconnected' : confidence;
  }

  stats(): IndexStats {
    return this.index.stats();
  }

  lookup(query: LookupQuery): LookupReply {
    const belief = (worker: WorkerId): IndexedConfidence => this.belief(worker);
    return this.#lookup.answer(this.#options.fleet.current(), this.index, belief, query, this.#options.now());
  }

  workers(): WorkerView[] {
    return [...this.#workers.keys()].map((worker) => this.worker(worker)!);
  }

  /** Null for a worker that is not followed. */
  worker(worker: WorkerId): WorkerView | null {
    const followed = this.#workers.get(worker);
    const row = this.index.row(worker);
    if (!followed || row === undefined) return null;
    const position = this.#follower.position(worker);
    const appliedAtMs = this.#follower.appliedAtMs(worker);
    return {
      worker,
      pool: followed.pool,
      confidence: this.belief(worker),
      epoch: position?.epoch ?? null,
      seq: position?.seq ?? null,
      blocks: Object.fromEntries(TIERS.map((tier, code) => [tier, this.index.held(row, code)])) as Record<Tier, number>,
      lagMs: followed.lagMs,
      idleMs: Number.isFinite(appliedAtMs) ? this.#options.now() - appliedAtMs : null,
    };
  }

  /** Every block of the worker, parents first; null for a worker that is not followed. Linear in what it holds. */
  blocks(worker: WorkerId): BlockView[] | null {
    const row = this.#workers.has(worker) ? this.index.row(worker) : undefined;
    if (row === undefined) return null;
    const blocks: BlockView[] = [];
    this.index.dump(row, {
      store: (tier, hi, lo, parentHi, parentLo, spanBytes, tokens) => {
        const key = keyText(hi, lo);
        const last = blocks.at(-1);
        // A dump names a block once a tier, one after the other.
        if (last?.key === key) last.tiers.push(TIERS[tier]!);
        else blocks.push({ key, parent: keyText(parentHi, parentLo), spanBytes, tokens, tiers: [TIERS[tier]!] });
      },
    });
    return blocks;
  }

  /** A page of the worker's blocks for another replica; null when there is nothing to believe or the cursor has expired. */
  snapshotPage(worker: WorkerId, cursor: string | null): Page | null {
    const position = this.#follower.position(worker);
    const row = this.index.row(worker);
    const confidence = this.confidence(worker);
    const nowMs = this.#options.now();
    let page: Page | null = null;
    if (cursor !== null) page = this.#snapshots.page(cursor, nowMs);
    else if (position && row !== undefined && confidence !== 'none') {
      const header = { ...position, incomplete: confidence === 'incomplete' };
      page = this.#snapshots.take(this.index, row, header, nowMs);
    }
    if (page) this.#snapshotPages++;
    return page;
  }

  /** Asks the bridge for everything about the worker; false for a worker that is not followed. */
  resync(worker: WorkerId, reason: string): boolean {
    if (!this.#workers.has(worker)) return false;
    this.#follower.resync(worker, reason);
    return true;
  }

  #onFeed({ worker, state, epoch, seq }: PayloadOf<typeof kvFeed>): void {
    const followed = this.#workers.get(worker as WorkerId);
    if (followed === undefined) return;
    followed.disconnected = state === 'disconnected';
    if (state !== 'waiting') this.#follower.onFeed(worker as WorkerId, epoch, seq);
  }

  #onBatch(worker: WorkerId, bytes: Uint8Array): void {
    const startMs = performance.now();
    if (this.#follower.onBatch(worker, bytes) !== 'applied') return;
    const { engineTimeMs, epoch, seq } = readKvBatchHeader(bytes);
    this.#options.spans?.handled({ worker, epoch, seq }, startMs);
    if (engineTimeMs === 0) return;
    const lagMs = Math.max(0, this.#options.now() - engineTimeMs);
    this.#workers.get(worker)!.lagMs = lagMs;
    this.#options.onBatch(lagMs);
  }

  /** Adds the workers that are new in the fleet and removes those that left or changed their pool. */
  async #follow(fleet: Fleet): Promise<void> {
    const wanted = new Map(fleet.workers.filter((spec) => spec.kvEvents !== null).map((spec) => [spec.id, spec]));
    for (const [worker, { pool }] of this.#workers) if (wanted.get(worker)?.pool !== pool) this.#remove(worker);
    await Promise.all(
      [...wanted.values()].filter((spec) => !this.#workers.has(spec.id)).map((spec) => this.#add(spec)),
    );
  }

  async #add({ id, pool }: WorkerSpec): Promise<void> {
    this.#workers.set(id, { pool, disconnected: false, lagMs: null });
    this.#copy.addWorker(id, pool);
    await this.#follower.addWorker(id);
  }

  #remove(worker: WorkerId): void {
    this.#workers.delete(worker);
    this.#copy.removeWorker(worker);
    this.#follower.removeWorker(worker);
  }

  async #durablePage(worker: WorkerId): Promise<SnapshotReply> {
    const page = this.#loading ? await this.#copy.load(worker) : null;
    return page ? { kind: 'page', ...page, cursor: null } : { kind: 'none' };
  }

  #requestResync(worker: WorkerId, reason: string): void {
    const pool = this.#workers.get(worker)?.pool;
    if (pool !== undefined) this.#options.bus.publish(kvResync, { pool, worker, reason });
  }

  /** Waits for the store for a bounded time: without it the start is cold, and right again by the stream. */
  async #storeConnected(): Promise<void> {
    const { store, storeWaitMs } = this.#options;
    if (store.state() === 'connected' || storeWaitMs === 0) return;
    await new Promise<void>((resolve) => {
      const finish = (): void => {
        clearTimeout(timer);
        unsubscribe();
        resolve();
      };
      const timer = setTimeout(finish, storeWaitMs);
      const unsubscribe = store.onState((state) => {
        if (state === 'connected') finish();
      });
    });
  }
}
