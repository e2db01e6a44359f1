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

/** What a column shows of a worker, which is in `row` of its pool's table. */
type Reader = (worker: Worker, row: number, router: Router) => number;

const STATES = { unknown: 0, up: 1, down: 2 } as const;
const PREFIXES = { none: 0, incomplete: 1, live: 2 } as const;
/** Looks at an engine that may fail before its numbers are called old, and how old they are then at the least. */
const LATE_LOOKS = 4;
const LEAST_LATE_MS = 2000;
/** HBM: see TIERS. */
const HBM = 0;
const width = LIVE_COLUMNS.length;

/** Rounded to what a page shows: a column that has not changed is not sent. */
const READERS: Readonly<Record<(typeof LIVE_COLUMNS)[number], Reader>> = {
  state: ({ engine }) => STATES[engine.health.state],
  up: ({ pool }, row) => pool.table.columns.up[row]!,
  inflightRequests: ({ pool }, row) => pool.table.columns.inflightRequests[row]!,
  siblingRequests: ({ pool }, row) => pool.table.columns.siblingRequests[row]!,
  queuedPrefillTokens: ({ pool }, row) => Math.round(pool.table.columns.queuedPrefillTokens[row]!),
  decodesRunning: ({ pool }, row) => pool.table.columns.decodesRunning[row]!,
  runningRequests: ({ pool }, row) => pool.table.columns.runningRequests[row]!,
  waitingRequests: ({ pool }, row) => pool.table.columns.waitingRequests[row]!,
  heldRequests: ({ line }) => line.held,
  kvUsage: ({ pool }, row) => Math.round(pool.table.columns.kvUsage[row]! * 1000) / 1000,
  kvCapacityTokens: ({ pool }, row) => pool.table.columns.kvCapacityTokens[row]!,
  cachedTokens: ({ spec, blockTokens }, _row, { prefix }) =>
    prefix.index.held(prefix.row(spec.id), HBM) * (blockTokens ?? 0),
  prefixes: (worker, _row, { prefix, feed }) =>
    prefix.hasEvents(worker) ? PREFIXES[feed.confidence(worker.spec.id)] : PREFIXES.none,
  silentS: ({ pool }, row, { config }) => silentS(pool.table.columns.signalAgeMs[row]!, config.scrapeMs),
};

/** Seconds since the engine last said its numbers: 0 while they are not old, -1 when it never has. */
function silentS(ageMs: number, scrapeMs: number): number {
  if (!Number.isFinite(ageMs)) return -1;
  return ageMs > Math.max(LEAST_LATE_MS, LATE_LOOKS * scrapeMs) ? Math.floor(ageMs / 1000) : 0;
}

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

  /** Reads the worker's numbers as they are; those of a worker that has just left the fleet stay. */
  #read(worker: Worker): void {
    const row = worker.pool.table.row(worker.spec.id);
    if (row < 0) return;
    for (let column = 0; column < width; column++) {
      this.#now[column] = READERS[LIVE_COLUMNS[column]!](worker, row, this.#router);
    }
  }
}
