import type { LiveColumn, LiveReason, LiveTick, LiveWorker } from '@sluice/contracts';
import type { Worker } from '../fleet/worker.ts';
import type { Router } from '../router.ts';

/** Order of a worker's numbers on the wire. */
export const LIVE_COLUMNS = [
  'state',
  'up',
  'inflightRequests',
  'siblingRequests',
  'queuedPrefillTokens',
  'decodesRunning',
  'runningRequests',
  'waitingRequests',
  'heldRequests',
  'kvUsage',
  'kvCapacityTokens',
  'cachedTokens',
  'prefixes',
  'silentS',
] as const satisfies readonly LiveColumn[];

const STATES = { unknown: 0, up: 1, down: 2 } as const;
const PREFIXES = { none: 0, incomplete: 1, live: 2 } as const;
/** Looks at an engine that may fail before its numbers are called old. */
const LATE_LOOKS = 4;
/** HBM: see TIERS. */
const HBM = 0;
const width = LIVE_COLUMNS.length;

/** The workers as listeners were last told, and what changed since. One copy for all listeners. */
export class LiveWorkers {
  readonly #router: Router;
  #workers: readonly Worker[] = [];
  #reasons: string[] = [];
  #values = new Float64Array(0);
  readonly #now = new Float64Array(width);
  fleetVersion = -1;

  constructor(router: Router) {
    this.#router = router;
  }

  /** Whether the rows are no longer those of the fleet: what is here must be told anew. */
  get isOutdated(): boolean {
    return this.fleetVersion !== this.#router.fleet.version;
  }

  /** Takes the fleet as it is, all of it. */
  reload(): void {
    this.fleetVersion = this.#router.fleet.version;
    this.#workers = [...this.#router.fleet.workers()];
    this.#reasons = this.#workers.map(() => '');
    this.#values = new Float64Array(this.#workers.length * width);
    this.changes();
  }

  /** Reads every worker; returns, by column, what is not as listeners were told. */
  changes(): Pick<LiveTick, 'changes' | 'reasons'> {
    const rows: number[][] = LIVE_COLUMNS.map(() => []);
    const values: number[][] = LIVE_COLUMNS.map(() => []);
    const reasons: LiveReason[] = [];
    const now = this.#now;
    for (const { table } of this.#router.fleet.pools.values()) table.ageSignals(this.#router.now());
    this.#workers.forEach((worker, row) => {
      this.#read(worker);
      const at = row * width;
      for (let column = 0; column < width; column++) {
        if (this.#values[at + column] === now[column]) continue;
        this.#values[at + column] = now[column]!;
        rows[column]!.push(row);
        values[column]!.push(now[column]!);
      }
      const { reason } = worker.engine.health;
      if (reason === this.#reasons[row]) return;
      this.#reasons[row] = reason;
      reasons.push([row, reason]);
    });
    const changed = LIVE_COLUMNS.map((_, column) => [column, rows[column]!, values[column]!] as const);
    return { changes: changed.filter(([, changedRows]) => changedRows.length > 0), reasons };
  }

  workers(): LiveWorker[] {
    return this.#workers.map(({ spec }) => ({
      worker: spec.id,
      pool: spec.pool,
      url: spec.url,
      dpRank: spec.dpRank,
      role: spec.role,
      variant: spec.variant,
    }));
  }

  /** As listeners were last told, by column. */
  values(): number[][] {
    return LIVE_COLUMNS.map((_, column) => this.#workers.map((__, row) => this.#values[row * width + column]!));
  }

  reasons(): LiveReason[] {
    return this.#reasons.flatMap((reason, row): LiveReason[] => (reason === '' ? [] : [[row, reason]]));
  }

  /** Writes the worker's numbers as they are; those of a worker that has just left the fleet stay. */
  #read(worker: Worker): void {
    const { spec, pool, engine, line, blockTokens } = worker;
    const { prefix, feed, config } = this.#router;
    const { columns } = pool.table;
    const row = pool.table.row(spec.id);
    if (row < 0) return;
    const now = this.#now;
    const ageMs = columns.signalAgeMs[row]!;
    const lateMs = Math.max(2000, LATE_LOOKS * config.scrapeMs);
    now[0] = STATES[engine.health.state];
    now[1] = columns.up[row]!;
    now[2] = columns.inflightRequests[row]!;
    now[3] = columns.siblingRequests[row]!;
    now[4] = Math.round(columns.queuedPrefillTokens[row]!);
    now[5] = columns.decodesRunning[row]!;
    now[6] = columns.runningRequests[row]!;
    now[7] = columns.waitingRequests[row]!;
    now[8] = line.held;
    now[9] = Math.round(columns.kvUsage[row]! * 1000) / 1000;
    now[10] = columns.kvCapacityTokens[row]!;
    now[11] = prefix.index.held(prefix.row(spec.id), HBM) * (blockTokens ?? 0);
    now[12] = prefix.hasEvents(worker) ? PREFIXES[feed.confidence(spec.id)] : PREFIXES.none;
    now[13] = !Number.isFinite(ageMs) ? -1 : ageMs > lateMs ? Math.floor(ageMs / 1000) : 0;
  }
}
