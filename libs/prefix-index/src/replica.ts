import { TIER_COUNT } from '@sluice/model';
import type { BlockChangeSink, WorkerId } from '@sluice/model';
import type { PrefixIndex } from './types.ts';

/** What a worker's batch says about itself. */
export interface BatchHeader {
  /** Opens its epoch: what was known of the worker before is forgotten. */
  readonly begin: boolean;
  /** History before this epoch is only partly known: blocks may be missing, none is invented. */
  readonly incomplete: boolean;
  /** Names one continuous history of the worker; larger is newer. */
  readonly epoch: number;
  /** Counts the batches of the epoch from 0. */
  readonly seq: number;
}

/** How batches are encoded; both functions throw a RangeError for bytes that are no batch, before anything was handed over. */
export interface BatchCodec {
  header(bytes: Uint8Array): BatchHeader;
  operations(bytes: Uint8Array, sink: BlockChangeSink): void;
}

/** Told of every change that batches make, after it was made: what a durable copy has to write. */
export interface ReplicaJournal {
  changed(worker: WorkerId, keyHi: number, keyLo: number): void;
  /** Some or all of the worker's blocks went at once. */
  cleared(worker: WorkerId): void;
}

/** `live`: all that the worker's events say; `incomplete`: the same, but older history was lost; `none`: not to be believed. */
export type Confidence = 'live' | 'incomplete' | 'none';

/**
 * applied; stale: of an older epoch or known already; gap: a batch before it is missing, the worker's blocks were
 * dropped; ignored: cannot be used until the gap is repaired; buffered: waits for the snapshot; malformed: no batch,
 * treated like a gap; unknown-worker: never added.
 */
export type ApplyOutcome = 'applied' | 'stale' | 'gap' | 'ignored' | 'buffered' | 'malformed' | 'unknown-worker';

export interface Position {
  readonly epoch: number;
  /** The last batch applied. */
  readonly seq: number;
}

/** A part of another replica's copy of one worker, as it was right after batch (epoch, seq). */
export interface SnapshotPage extends Position {
  readonly incomplete: boolean;
  /** Encoded batch; only its operations are read. */
  readonly batch: Uint8Array;
  readonly last: boolean;
}
/** `complete`: the worker is followed again; `partial`: more pages are needed; `refused`: older than what is known, torn or malformed. */
export type SnapshotOutcome = 'complete' | 'partial' | 'refused';

export interface ReplicaOptions {
  readonly index: PrefixIndex;
  readonly codec: BatchCodec;
  readonly journal?: ReplicaJournal;
  /** Batches kept per worker while its snapshot is under way. Default 8 MiB. */
  readonly maxBufferedBytes?: number;
}

interface WorkerState {
  readonly id: WorkerId;
  readonly row: number;
  readonly sink: BlockChangeSink;
  /** Of the last batch believed; -1 before the first. */
  epoch: number;
  seq: number;
  confidence: Confidence;
  appliedAtMs: number;
  snapshot: { readonly buffer: Uint8Array[]; bufferedBytes: number; first: Position | null } | null;
}

/**
 * Applies the encoded batches of workers to an index, and believes a worker only while none is missing. A gap drops the
 * worker's confirmed blocks at once (routed prompts stay as speculation): they could be used by no match anyway, and
 * what repairs the gap, an opening batch or a snapshot, brings them again.
 */
export class Replica {
  readonly #index: PrefixIndex;
  readonly #codec: BatchCodec;
  readonly #journal: ReplicaJournal | undefined;
  readonly #maxBufferedBytes: number;
  readonly #workers = new Map<WorkerId, WorkerState>();

  constructor(options: ReplicaOptions) {
    this.#index = options.index;
    this.#codec = options.codec;
    this.#journal = options.journal;
    this.#maxBufferedBytes = options.maxBufferedBytes ?? 8 * 1024 * 1024;
  }

  /** Starts with confidence `none`. The index may know the worker already. */
  addWorker(id: WorkerId): void {
    if (this.#workers.has(id)) return;
    const row = this.#index.addWorker(id);
    this.#workers.set(id, {
      id,
      row,
      sink: this.#sink(id, row),
      epoch: -1,
      seq: -1,
      confidence: 'none',
      appliedAtMs: -Infinity,
      snapshot: null,
    });
  }

  /** Forgets the worker, in the index too. */
  removeWorker(id: WorkerId): void {
    if (this.#workers.delete(id)) this.#index.removeWorker(id);
  }

  confidence(id: WorkerId): Confidence {
    return this.#workers.get(id)?.confidence ?? 'none';
  }

  /** Null until something was believed. */
  position(id: WorkerId): Position | null {
    const state = this.#workers.get(id);
    return state && state.epoch >= 0 ? { epoch: state.epoch, seq: state.seq } : null;
  }

  /** When the last batch was applied, on the clock of `nowMs`; -Infinity before the first. */
  appliedAtMs(id: WorkerId): number {
    return this.#workers.get(id)?.appliedAtMs ?? -Infinity;
  }

  apply(id: WorkerId, bytes: Uint8Array, nowMs: number): ApplyOutcome {
    const state = this.#workers.get(id);
    if (!state) return 'unknown-worker';
    const header = this.#header(bytes);
    if (header === null) {
      this.#distrust(state);
      return 'malformed';
    }
    if (header.epoch < state.epoch) return 'stale';
    if (header.begin) {
      if (header.epoch === state.epoch && state.confidence !== 'none') return 'stale';
      // An opening batch says all: a snapshot under way is needed no more.
      state.snapshot = null;
      this.#forget(state);
      return this.#take(state, header, bytes, nowMs);
    }
    if (state.snapshot) return this.#buffer(state, bytes);
    if (header.epoch === state.epoch && header.seq <= state.seq) return 'stale';
    if (state.confidence === 'none') return 'ignored';
    if (header.epoch === state.epoch && header.seq === state.seq + 1) return this.#take(state, header, bytes, nowMs);
    this.#distrust(state);
    return 'gap';
  }

  /** The worker's blocks are not to be believed until repaired, for a reason found elsewhere. */
  distrust(id: WorkerId): void {
    const state = this.#workers.get(id);
    if (state) this.#distrust(state);
  }

  /** From here on batches wait for the pages of a snapshot; for workers with confidence `none`. */
  beginSnapshot(id: WorkerId): void {
    const state = this.#workers.get(id);
    if (state?.confidence === 'none') state.snapshot = { buffer: [], bufferedBytes: 0, first: null };
  }

  /** Pages must come in order. After `complete` or `refused` the snapshot is over, and the batches that waited were applied. */
  applySnapshotPage(id: WorkerId, page: SnapshotPage, nowMs: number): SnapshotOutcome {
    const state = this.#workers.get(id);
    if (!state?.snapshot) return 'refused';
    const { first } = state.snapshot;
    const torn = first !== null && (first.epoch !== page.epoch || first.seq !== page.seq);
    const older = page.epoch < state.epoch || (page.epoch === state.epoch && page.seq < state.seq);
    if (torn || older || !this.#operations(page.batch, this.#silentSink(state.row))) {
      this.endSnapshot(id, nowMs);
      return 'refused';
    }
    state.snapshot.first = { epoch: page.epoch, seq: page.seq };
    if (!page.last) return 'partial';
    const { buffer } = state.snapshot;
    state.snapshot = null;
    state.epoch = page.epoch;
    state.seq = page.seq;
    state.confidence = page.incomplete ? 'incomplete' : 'live';
    state.appliedAtMs = nowMs;
    for (const bytes of buffer) this.apply(id, bytes, nowMs);
    return 'complete';
  }

  /** Gives the snapshot up: what it brought is dropped and the batches that waited are applied as they can be. */
  endSnapshot(id: WorkerId, nowMs: number): void {
    const state = this.#workers.get(id);
    if (!state?.snapshot) return;
    const { buffer } = state.snapshot;
    state.snapshot = null;
    this.#forget(state);
    for (const bytes of buffer) this.apply(id, bytes, nowMs);
  }

  #take(state: WorkerState, header: BatchHeader, bytes: Uint8Array, nowMs: number): ApplyOutcome {
    if (!this.#operations(bytes, state.sink)) {
      this.#distrust(state);
      return 'malformed';
    }
    if (header.begin) state.confidence = header.incomplete ? 'incomplete' : 'live';
    else if (header.incomplete) state.confidence = 'incomplete';
    state.epoch = header.epoch;
    state.seq = header.seq;
    state.appliedAtMs = nowMs;
    return 'applied';
  }

  #buffer(state: WorkerState, bytes: Uint8Array): ApplyOutcome {
    const snapshot = state.snapshot!;
    snapshot.bufferedBytes += bytes.length;
    if (snapshot.bufferedBytes > this.#maxBufferedBytes) {
      this.#distrust(state);
      return 'gap';
    }
    snapshot.buffer.push(bytes);
    return 'buffered';
  }

  #distrust(state: WorkerState): void {
    state.confidence = 'none';
    state.snapshot = null;
    this.#forget(state);
  }

  #forget(state: WorkerState): void {
    for (let tier = 0; tier < TIER_COUNT; tier++) this.#index.clear(state.row, tier);
    this.#journal?.cleared(state.id);
  }

  #header(bytes: Uint8Array): BatchHeader | null {
    try {
      return this.#codec.header(bytes);
    } catch (error) {
      if (error instanceof RangeError) return null;
      throw error;
    }
  }

  #operations(bytes: Uint8Array, sink: BlockChangeSink): boolean {
    try {
      this.#codec.operations(bytes, sink);
      return true;
    } catch (error) {
      if (error instanceof RangeError) return false;
      throw error;
    }
  }

  #sink(id: WorkerId, row: number): BlockChangeSink {
    const sink = this.#silentSink(row);
    const journal = this.#journal;
    if (!journal) return sink;
    return {
      store: (tier, keyHi, keyLo, parentHi, parentLo, spanBytes, tokens) => {
        sink.store(tier, keyHi, keyLo, parentHi, parentLo, spanBytes, tokens);
        journal.changed(id, keyHi, keyLo);
      },
      remove: (tier, keyHi, keyLo) => {
        sink.remove(tier, keyHi, keyLo);
        journal.changed(id, keyHi, keyLo);
      },
      clear: (tier) => {
        sink.clear(tier);
        journal.cleared(id);
      },
    };
  }

  #silentSink(row: number): BlockChangeSink {
    const index = this.#index;
    return {
      store: (tier, keyHi, keyLo, parentHi, parentLo, spanBytes, tokens) =>
        index.store(row, tier, keyHi, keyLo, parentHi, parentLo, spanBytes, tokens),
      remove: (tier, keyHi, keyLo) => index.remove(row, tier, keyHi, keyLo),
      clear: (tier) => index.clear(row, tier),
    };
  }
}

/** See {@link Replica}. */
export const createReplica = (options: ReplicaOptions): Replica => new Replica(options);
