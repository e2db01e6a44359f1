import { kvDeltas, kvFeed, kvResync, kvTraced, readKvBatchHeader } from '@sluice/contracts';
import type { Bus, Unsubscribe } from '@sluice/bus';
import type { FleetSource } from '@sluice/discovery';
import type { KvEventStream, KvEventStreamOptions } from '@sluice/engine-wire';
import type { Fleet, KvEventSource, PoolSpec, WorkerSpec } from '@sluice/model';
import type { BatchSpans, Logger } from '@sluice/telemetry';
import { DropRepair } from './feed/drop-repair.ts';
import { newRankCounters } from './feed/rank-counters.ts';
import type { RankCounters } from './feed/rank-counters.ts';
import { RankReader } from './feed/rank-reader.ts';
import type { RankTiming } from './feed/rank-reader.ts';
import { newTableCounters, RankTable } from './rank-table/rank-table.ts';
import type { RankTableCounters } from './rank-table/rank-table.ts';
import type { SpanSource } from './rank-table/span-bytes.ts';

export interface BridgeOptions {
  readonly fleet: FleetSource;
  readonly bus: Bus;
  readonly logger: Logger;
  /** Vocabulary of a tokenizer folder; rejects with what is wrong with the folder. */
  readonly loadVocabulary: (dir: string) => Promise<SpanSource>;
  readonly openStream: (options: KvEventStreamOptions) => KvEventStream;
  /** Milliseconds since the Unix epoch. */
  readonly now: () => number;
  /** Told of every batch that was published; absent where nothing is traced. */
  readonly spans?: BatchSpans;
  /** An engine batch was published so long after the engine made it. */
  readonly onBatch: (lagMs: number) => void;
  /** Between two reports of every feed's state. */
  readonly feedMs: number;
  readonly timing?: Partial<RankTiming>;
  readonly maxBlocksPerRank?: number;
}

/** A worker of the fleet as the bridge sees it: read, or why not. */
export type RankView =
  | { readonly kind: 'read'; readonly worker: WorkerSpec; readonly reader: RankReader }
  | { readonly kind: 'unread'; readonly worker: WorkerSpec; readonly reason: string };

export type BridgeTotals = RankCounters & RankTableCounters;

interface Rank {
  /** What the reader depends on; another one needs another reader. */
  readonly signature: string;
  view: RankView;
  retry: NodeJS.Timeout | null;
}

const TOKENIZER_RETRY_MS = 5_000;

/** Reads the KV events of every worker of the fleet and follows the fleet as it changes. */
export class Bridge {
  readonly #options: BridgeOptions;
  readonly #ranks = new Map<string, Rank>();
  readonly #dropRepair: DropRepair;
  readonly #subscriptions: Unsubscribe[] = [];
  /** Counts of readers that are gone. */
  readonly #retired: BridgeTotals = { ...newRankCounters(), ...newTableCounters() };
  #reports: NodeJS.Timeout | null = null;

  constructor(options: BridgeOptions) {
    this.#options = options;
    this.#dropRepair = new DropRepair({
      resend: (worker) => this.resync(worker),
      isConnected: () => options.bus.state() === 'connected',
      now: () => performance.now(),
    });
  }

  /** Resolves when every tokenizer was loaded or found wanting; the streams are opened, not awaited. */
  async start(): Promise<void> {
    const { bus, fleet, feedMs } = this.#options;
    this.#subscriptions.push(
      bus.subscribe(kvResync, ({ pool, worker }) => this.#onResync(pool, worker)),
      bus.subscribe(kvTraced, (batch, trace) => this.#options.spans?.trace(batch, trace)),
      bus.onDrop((stream, tokens) => {
        if (stream.name === kvDeltas.name) this.#dropRepair.onDrop(tokens[1] ?? '');
      }),
      bus.onState((state) => {
        if (state === 'connected') this.#dropRepair.onConnected();
      }),
      fleet.subscribe((changed) => void this.#follow(changed)),
    );
    this.#reports = setInterval(() => this.#reportAll(), feedMs).unref();
    await this.#follow(fleet.current());
  }

  stop(): void {
    for (const unsubscribe of this.#subscriptions.splice(0)) unsubscribe();
    if (this.#reports !== null) clearInterval(this.#reports);
    this.#dropRepair.stop();
    for (const id of [...this.#ranks.keys()]) this.#drop(id);
  }

  /** Every worker of the fleet. */
  ranks(): RankView[] {
    return Array.from(this.#ranks.values(), (rank) => rank.view);
  }

  /** Opens a new epoch for a worker; false when it is not read. */
  resync(worker: string): boolean {
    const reader = this.#reader(worker);
    reader?.resync();
    return reader !== null;
  }

  /** Counts since the bridge started, over all readers that are and were. */
  totals(): BridgeTotals {
    const totals = { ...this.#retired };
    for (const { view } of this.#ranks.values()) {
      if (view.kind === 'read') addCounts(totals, { ...view.reader.counters, ...view.reader.table.counters });
    }
    return totals;
  }

  async #follow(fleet: Fleet): Promise<void> {
    const pools = new Map(fleet.pools.map((pool) => [pool.id, pool]));
    const wanted = new Map(fleet.workers.map((worker) => [worker.id as string, worker]));
    const starting: Promise<void>[] = [];
    for (const [id, rank] of this.#ranks) {
      const worker = wanted.get(id);
      if (worker === undefined || rank.signature !== signatureOf(worker, pools.get(worker.pool))) this.#drop(id);
    }
    for (const worker of fleet.workers) {
      const pool = pools.get(worker.pool);
      if (!this.#ranks.has(worker.id)) starting.push(this.#add(worker, pool));
    }
    await Promise.all(starting);
  }

  async #add(worker: WorkerSpec, pool: PoolSpec | undefined): Promise<void> {
    const source = worker.kvEvents;
    const tokenizer = pool?.tokenizer ?? null;
    const reason =
      source === null
        ? 'the fleet names no KV event source'
        : tokenizer === null
          ? `pool ${worker.pool} has no tokenizer`
          : 'the tokenizer is being loaded';
    const signature = signatureOf(worker, pool);
    const rank: Rank = { signature, view: { kind: 'unread', worker, reason }, retry: null };
    this.#ranks.set(worker.id, rank);
    if (source === null || tokenizer === null) {
      this.#options.logger.info({ worker: worker.id, reason }, 'KV events are not read');
    } else await this.#open(rank, source, tokenizer);
  }

  async #open(rank: Rank, source: KvEventSource, tokenizer: string): Promise<void> {
    const { worker } = rank.view;
    const isCurrent = (): boolean => this.#ranks.get(worker.id) === rank;
    try {
      const vocabulary = await this.#options.loadVocabulary(tokenizer);
      if (isCurrent()) rank.view = { kind: 'read', worker, reader: this.#read(worker, source, vocabulary) };
    } catch (error) {
      if (!isCurrent()) return;
      const reason = `tokenizer ${tokenizer}: ${error instanceof Error ? error.message : String(error)}`;
      this.#options.logger.error({ worker: worker.id, reason }, 'KV events are not read');
      rank.view = { kind: 'unread', worker, reason };
      rank.retry = setTimeout(() => void this.#open(rank, source, tokenizer), TOKENIZER_RETRY_MS).unref();
    }
  }

  #read(worker: WorkerSpec, source: KvEventSource, vocabulary: SpanSource): RankReader {
    const { bus, logger, now, onBatch, openStream, timing, maxBlocksPerRank } = this.#options;
    const tokens = [worker.pool, worker.id];
    const { spans } = this.#options;
    const log = logger.child({ worker: worker.id });
    log.info({ source }, 'reading KV events');
    return new RankReader({
      source,
      dpRank: worker.dpRank,
      table: new RankTable({
        pool: worker.pool,
        vocabulary,
        ...(maxBlocksPerRank !== undefined && { maxBlocks: maxBlocksPerRank }),
      }),
      openStream,
      send: (bytes) => {
        bus.append(kvDeltas, tokens, bytes);
        if (spans !== undefined) noteBatch(spans, worker.id, bytes);
      },
      now,
      warn: (message) => log.warn(message),
      onChange: () => this.#report(worker.id),
      onBatch,
      ...(timing && { timing }),
    });
  }

  #drop(id: string): void {
    const rank = this.#ranks.get(id);
    if (rank === undefined) return;
    this.#ranks.delete(id);
    this.#dropRepair.forget(id);
    if (rank.retry !== null) clearTimeout(rank.retry);
    if (rank.view.kind !== 'read') return;
    const { reader } = rank.view;
    reader.close();
    addCounts(this.#retired, { ...reader.counters, ...reader.table.counters });
  }

  #reader(worker: string): RankReader | null {
    const view = this.#ranks.get(worker)?.view;
    return view?.kind === 'read' ? view.reader : null;
  }

  #onResync(pool: string, worker: string | null): void {
    for (const { view } of this.#ranks.values()) {
      const asked = view.worker.pool === pool && (worker === null || view.worker.id === worker);
      if (asked && view.kind === 'read') view.reader.resync();
    }
  }

  #reportAll(): void {
    for (const id of this.#ranks.keys()) this.#report(id);
  }

  #report(id: string): void {
    const view = this.#ranks.get(id)?.view;
    if (view?.kind !== 'read') return;
    const { worker, reader } = view;
    this.#options.bus.publish(kvFeed, {
      pool: worker.pool,
      worker: worker.id,
      state: reader.state,
      epoch: reader.epoch,
      seq: reader.seq,
      gaps: reader.counters.gaps,
      replays: reader.counters.replays,
      restarts: reader.counters.restarts,
      blocks: reader.table.blocks,
      lagMs: reader.lagMs,
    });
  }
}

/** From the engine's own stamp, by its clock, to now. */
function noteBatch(spans: BatchSpans, worker: string, bytes: Uint8Array): void {
  const { epoch, seq, engineTimeMs } = readKvBatchHeader(bytes);
  const nowMs = Date.now();
  spans.handled({ worker, epoch, seq }, engineTimeMs > 0 && engineTimeMs < nowMs ? engineTimeMs : nowMs);
}

const signatureOf = (worker: WorkerSpec, pool: PoolSpec | undefined): string =>
  JSON.stringify([worker.pool, worker.kvEvents, pool?.tokenizer ?? null]);

function addCounts(totals: BridgeTotals, counts: BridgeTotals): void {
  for (const name of Object.keys(totals) as (keyof BridgeTotals)[]) totals[name] += counts[name];
}
