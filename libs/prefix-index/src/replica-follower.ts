import type { WorkerId } from '@sluice/model';
import { Replica } from './replica.ts';
import type { ApplyOutcome, Confidence, Position, ReplicaOptions, SnapshotPage } from './replica.ts';

/** A page, and where the next one is (null after the last); or there is no copy to be had now. */
export type SnapshotReply =
  ({ readonly kind: 'page'; readonly cursor: string | null } & Omit<SnapshotPage, 'last'>) | { readonly kind: 'none' };

/** What a follower needs of the world. */
export interface FollowerPorts {
  nowMs(): number;
  /** The next page of another copy of the worker, from the start for a null cursor. Must not reject. */
  snapshotPage(worker: WorkerId, cursor: string | null): Promise<SnapshotReply>;
  /** Asks the worker's event source to open a new epoch and to send all it knows. */
  requestResync(worker: WorkerId, reason: string): void;
}

export interface FollowerOptions extends ReplicaOptions {
  readonly ports: FollowerPorts;
  /** Shortest time between two attempts to repair a worker; it doubles up to 16 times while they fail. Default 1000. */
  readonly repairIntervalMs?: number;
}

/** Running totals. */
export interface FollowerCounters {
  applied: number;
  stale: number;
  /** Gaps found, malformed batches included. */
  gaps: number;
  resyncs: number;
  snapshotPages: number;
}

interface Following {
  /** Attempts since the worker was last believed. */
  attempts: number;
  nextRepairMs: number;
  repairing: boolean;
  /** Set while the source is ahead of us: how far it was, and where we were, at its last report. */
  behind: { readonly target: Position; readonly at: Position } | null;
}

const MAX_BACKOFF = 16;

/**
 * Keeps a replica whole: snapshot at the start, then the tail of batches; on a gap first a snapshot again, then a
 * resync from the source, with growing pauses until the worker is believed. Whoever drives it subscribes to the batches
 * before adding workers and calls {@link ReplicaFollower.tick} a few times a second.
 */
export class ReplicaFollower {
  readonly counters: Readonly<FollowerCounters>;
  readonly #counters: FollowerCounters = { applied: 0, stale: 0, gaps: 0, resyncs: 0, snapshotPages: 0 };
  readonly #replica: Replica;
  readonly #ports: FollowerPorts;
  readonly #repairIntervalMs: number;
  readonly #workers = new Map<WorkerId, Following>();

  constructor(options: FollowerOptions) {
    this.counters = this.#counters;
    this.#replica = new Replica(options);
    this.#ports = options.ports;
    this.#repairIntervalMs = options.repairIntervalMs ?? 1000;
  }

  /** Starts to follow a worker; resolves when its snapshot was applied or there is none. Without one, batches or {@link ReplicaFollower.tick} bring it in. */
  async addWorker(id: WorkerId): Promise<void> {
    if (this.#workers.has(id)) return;
    this.#replica.addWorker(id);
    const following = { attempts: 0, nextRepairMs: 0, repairing: false, behind: null };
    this.#workers.set(id, following);
    this.#postpone(following);
    await this.#loadSnapshot(id, following);
  }

  removeWorker(id: WorkerId): void {
    if (this.#workers.delete(id)) this.#replica.removeWorker(id);
  }

  has(id: WorkerId): boolean {
    return this.#workers.has(id);
  }

  confidence(id: WorkerId): Confidence {
    return this.#replica.confidence(id);
  }

  position(id: WorkerId): Position | null {
    return this.#replica.position(id);
  }

  appliedAtMs(id: WorkerId): number {
    return this.#replica.appliedAtMs(id);
  }

  /** A batch of the worker arrived. */
  onBatch(id: WorkerId, bytes: Uint8Array): ApplyOutcome {
    const outcome = this.#replica.apply(id, bytes, this.#ports.nowMs());
    const following = this.#workers.get(id);
    if (!following) return outcome;
    if (outcome === 'applied') {
      this.#counters.applied++;
      following.attempts = 0;
    } else if (outcome === 'stale') this.#counters.stale++;
    else if (outcome === 'gap' || outcome === 'malformed') {
      this.#counters.gaps++;
      this.#repair(id, following, outcome);
    } else if (outcome === 'ignored') this.#repair(id, following, 'gap');
    return outcome;
  }

  /**
   * The source reports that it has published `batches` batches of `epoch`. When one that was published at its last
   * report has not come and nothing moves, the tail was lost.
   */
  onFeed(id: WorkerId, epoch: number, batches: number): void {
    const following = this.#workers.get(id);
    if (!following || batches === 0 || this.confidence(id) === 'none') return;
    const target: Position = { epoch, seq: batches - 1 };
    const at = this.position(id)!;
    const { behind } = following;
    following.behind = isBefore(at, target) ? { target, at } : null;
    if (!behind || !isBefore(at, behind.target) || isBefore(behind.at, at)) return;
    this.#counters.gaps++;
    following.behind = null;
    this.#replica.distrust(id);
    this.#repair(id, following, 'behind the source');
  }

  /** Repairs workers that are not believed and whose pause is over. */
  tick(): void {
    for (const [id, following] of this.#workers)
      if (this.confidence(id) === 'none') this.#repair(id, following, 'no state');
  }

  /** The way to the source works again: repairs need not wait. */
  reconnected(): void {
    for (const following of this.#workers.values()) {
      following.attempts = 0;
      following.nextRepairMs = 0;
    }
    this.tick();
  }

  /** Asks for a resync now, whatever is believed. */
  resync(id: WorkerId, reason: string): void {
    if (!this.#workers.has(id)) return;
    this.#counters.resyncs++;
    this.#ports.requestResync(id, reason);
  }

  #repair(id: WorkerId, following: Following, reason: string): void {
    if (following.repairing || this.#ports.nowMs() < following.nextRepairMs) return;
    this.#postpone(following);
    void this.#loadSnapshot(id, following).then((followed) => {
      if (!followed && this.#workers.get(id) === following) this.resync(id, reason);
    });
  }

  #postpone(following: Following): void {
    const factor = Math.min(MAX_BACKOFF, 2 ** following.attempts++);
    following.nextRepairMs = this.#ports.nowMs() + factor * this.#repairIntervalMs;
  }

  /** True when the worker is believed afterwards. */
  async #loadSnapshot(id: WorkerId, following: Following): Promise<boolean> {
    following.repairing = true;
    this.#replica.beginSnapshot(id);
    let cursor: string | null = null;
    do {
      const reply: SnapshotReply = await this.#ports.snapshotPage(id, cursor);
      if (this.#workers.get(id) !== following) return false;
      if (reply.kind === 'none') break;
      this.#counters.snapshotPages++;
      const page = { ...reply, last: reply.cursor === null };
      if (this.#replica.applySnapshotPage(id, page, this.#ports.nowMs()) !== 'partial') break;
      cursor = reply.cursor;
    } while (cursor !== null);
    this.#replica.endSnapshot(id, this.#ports.nowMs());
    following.repairing = false;
    const followed = this.confidence(id) !== 'none';
    if (followed) following.attempts = 0;
    return followed;
  }
}

const isBefore = (a: Position, b: Position): boolean => a.epoch < b.epoch || (a.epoch === b.epoch && a.seq < b.seq);
