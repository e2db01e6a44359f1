import { KvBatchWriter } from '@sluice/contracts';
import { TIER_COUNT } from '@sluice/model';
import type { PoolId, WorkerId } from '@sluice/model';
import type { Confidence, Position, PrefixIndex, ReplicaJournal, SnapshotPage } from '@sluice/prefix-index';
import type { Store } from '@sluice/store';
import {
  decodeBlock,
  decodeHeader,
  encodeBlock,
  encodeHeader,
  HEADER_FIELD,
  keyHi,
  keyLo,
  keyText,
} from './durable-record.ts';
import type { DurableHeader } from './durable-record.ts';
import { KeySet } from './key-set.ts';

/** The state that is copied. */
export interface CopiedState {
  readonly index: PrefixIndex;
  confidence(worker: WorkerId): Confidence;
  position(worker: WorkerId): Position | null;
}

export interface DurableCopyOptions {
  readonly store: Store;
  readonly state: () => CopiedState;
  /** A write or read of the store failed; it is tried again. */
  readonly onError: (error: unknown) => void;
}

interface WorkerCopy {
  readonly key: string;
  /** Keys that changed since the last write; unused while `rewrite` is set. */
  dirty: KeySet;
  /** The store's map is not known, or much has changed: the next write replaces all of it. */
  rewrite: boolean;
  changed: boolean;
}

const PREFIX = 'kv-index:';
/** Changed keys beyond which replacing the whole map is cheaper to remember. */
const MAX_DIRTY = 200_000;

/**
 * The durable copy of the index: one map per worker, `kv-index:<pool>:<worker>`, block key -> record, and its position in
 * the worker's history. A write takes map and position at one instant and is atomic, so what is read back was true at
 * that position and the stream's tail continues it.
 */
export class DurableCopy implements ReplicaJournal {
  readonly #store: Store;
  readonly #state: () => CopiedState;
  readonly #onError: (error: unknown) => void;
  readonly #workers = new Map<WorkerId, WorkerCopy>();
  readonly #removed = new Set<string>();
  #writing: Promise<void> | null = null;

  constructor(options: DurableCopyOptions) {
    this.#store = options.store;
    this.#state = options.state;
    this.#onError = options.onError;
  }

  /** Follows a worker. What the store has of it is replaced by the first write unless {@link DurableCopy.load} reads it. */
  addWorker(worker: WorkerId, pool: PoolId): void {
    const key = `${PREFIX}${pool}:${worker}`;
    this.#removed.delete(key);
    this.#workers.set(worker, { key, dirty: new KeySet(), rewrite: true, changed: false });
  }

  /** The worker's map goes with the next write. */
  removeWorker(worker: WorkerId): void {
    const copy = this.#workers.get(worker);
    if (!copy) return;
    this.#workers.delete(worker);
    this.#removed.add(copy.key);
  }

  changed(worker: WorkerId, hi: number, lo: number): void {
    const copy = this.#workers.get(worker);
    if (!copy) return;
    copy.changed = true;
    if (copy.rewrite) return;
    copy.dirty.add(hi, lo);
    if (copy.dirty.size > MAX_DIRTY) this.#replaceAll(copy);
  }

  cleared(worker: WorkerId): void {
    const copy = this.#workers.get(worker);
    if (!copy) return;
    copy.changed = true;
    this.#replaceAll(copy);
  }

  /** What the store has of a followed worker; null when it has nothing that can be used or cannot be reached. */
  async load(worker: WorkerId): Promise<SnapshotPage | null> {
    const copy = this.#workers.get(worker);
    if (!copy) return null;
    const writer = new KvBatchWriter();
    let header: DurableHeader | null = null;
    try {
      for await (const [field, value] of this.#store.readMap(copy.key)) {
        if (field === HEADER_FIELD) header = decodeHeader(value);
        else if (!writeBlock(writer, field, value)) return null;
      }
    } catch (error) {
      this.#onError(error);
      return null;
    }
    if (header === null) return null;
    copy.rewrite = copy.changed;
    return { ...header, batch: writer.finish({ flags: 0, epoch: 0, seq: 0, engineTimeMs: 0 }), last: true };
  }

  /** Removes maps of workers that are not followed. */
  async dropUnknown(): Promise<void> {
    const known = new Set([...this.#workers.values()].map((copy) => copy.key));
    try {
      const gone = (await this.#store.keys(PREFIX)).filter((key) => !known.has(key));
      if (gone.length > 0) await this.#store.delete(...gone);
    } catch (error) {
      this.#onError(error);
    }
  }

  /** Changes that wait to be written. */
  get pendingWorkers(): number {
    let pending = this.#removed.size;
    for (const copy of this.#workers.values()) if (copy.changed) pending++;
    return pending;
  }

  /** Writes what has changed. One write at a time: a call during another one waits for it and writes the rest. */
  async write(): Promise<void> {
    while (this.#writing) await this.#writing;
    this.#writing = this.#writeAll().finally(() => {
      this.#writing = null;
    });
    await this.#writing;
  }

  async #writeAll(): Promise<void> {
    if (this.pendingWorkers === 0 || this.#store.state() === 'disconnected') return;
    for (const [worker, copy] of [...this.#workers]) {
      if (!copy.changed) continue;
      try {
        await this.#writeWorker(worker, copy);
      } catch (error) {
        copy.changed = true;
        this.#replaceAll(copy);
        this.#onError(error);
        return;
      }
    }
    for (const key of [...this.#removed]) {
      try {
        await this.#store.delete(key);
        this.#removed.delete(key);
      } catch (error) {
        this.#onError(error);
        return;
      }
    }
  }

  async #writeWorker(worker: WorkerId, copy: WorkerCopy): Promise<void> {
    const stored = new Set<string>();
    if (copy.rewrite) for await (const [field] of this.#store.readMap(copy.key)) stored.add(field);
    // From here to the call of the store nothing may wait: map and position must be of one instant.
    const state = this.#state();
    const row = state.index.row(worker);
    if (this.#workers.get(worker) !== copy || row === undefined) return;
    const position = state.position(worker);
    const confidence = state.confidence(worker);
    const { rewrite, dirty } = copy;
    copy.changed = false;
    copy.rewrite = false;
    copy.dirty = new KeySet();
    if (confidence === 'none' || position === null) {
      copy.rewrite = true;
      await this.#store.delete(copy.key);
      return;
    }
    const set: [string, Uint8Array][] = [
      [HEADER_FIELD, encodeHeader({ ...position, incomplete: confidence === 'incomplete' })],
    ];
    const remove: string[] = [];
    const record = { parentHi: 0, parentLo: 0, spanBytes: 0, tokens: 0, tiers: 0 };
    const put = (hi: number, lo: number): void => {
      const field = keyText(hi, lo);
      if (!state.index.lookup(row, hi, lo, record)) remove.push(field);
      // A dump names a block once a tier, one after the other.
      else if (set.at(-1)![0] !== field) set.push([field, encodeBlock(record)]);
    };
    if (rewrite) {
      state.index.dump(row, { store: (_tier, hi, lo) => put(hi, lo) });
      for (const [field] of set) stored.delete(field);
      remove.push(...stored);
    } else for (const [hi, lo] of dirty) put(hi, lo);
    await this.#store.writeMap(copy.key, { set, remove });
  }

  #replaceAll(copy: WorkerCopy): void {
    copy.rewrite = true;
    copy.dirty = new KeySet();
  }
}

/** False when the field or its value is not ours. */
function writeBlock(writer: KvBatchWriter, field: string, value: Uint8Array): boolean {
  const block = decodeBlock(value);
  if (block === null || !/^[0-9a-f]{16}$/.test(field)) return false;
  for (let tier = 0; tier < TIER_COUNT; tier++) {
    if ((block.tiers & (1 << tier)) === 0) continue;
    const { parentHi, parentLo, spanBytes, tokens } = block;
    writer.store(tier, keyHi(field), keyLo(field), parentHi, parentLo, spanBytes, tokens);
  }
  return true;
}
