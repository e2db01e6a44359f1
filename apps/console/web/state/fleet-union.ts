import type { LiveColumn, LiveWorker } from '@sluice/contracts';
import { DIFFERS } from './workers.ts';
import type { Fleet, ToldOf, Workers } from './workers.ts';

/** What one router tells of the fleet. */
export interface ToldFleet {
  readonly router: string;
  readonly workers: Workers;
}

type Combine = (before: number, next: number) => number;
const most: Combine = (before, next) => Math.max(before, next);
const least: Combine = (before, next) => Math.min(before, next);
const sum: Combine = (before, next) => before + next;
const same: Combine = (before, next) => (before === next ? before : DIFFERS);

/** How what several routers say of one worker becomes one number. */
const COMBINE: Readonly<Record<LiveColumn, Combine>> = {
  state: same,
  up: least,
  inflightRequests: most,
  siblingRequests: sum,
  queuedPrefillTokens: most,
  decodesRunning: most,
  runningRequests: most,
  waitingRequests: most,
  heldRequests: sum,
  kvUsage: most,
  kvCapacityTokens: most,
  cachedTokens: most,
  prefixes: least,
  silentS: most,
};
const COLUMNS = Object.keys(COMBINE) as LiveColumn[];

/**
 * The fleet as several routers see it, every worker once: with its state where they agree, the largest of what they read of
 * its engine, and what is in flight counted once, whether the routers share their ledgers or not.
 */
export class FleetUnion implements Fleet {
  readonly list: readonly LiveWorker[];
  readonly #told: readonly ToldFleet[];
  readonly #rows = new Map<string, number>();
  /** By router: row of each worker with it, or -1. */
  readonly #places: readonly Int32Array[];
  readonly #columns: ReadonlyMap<LiveColumn, Float64Array>;

  constructor(told: readonly ToldFleet[]) {
    this.#told = told;
    const list: LiveWorker[] = [];
    for (const worker of told.flatMap(({ workers }) => workers.list)) {
      if (this.#rows.has(worker.worker)) continue;
      this.#rows.set(worker.worker, list.length);
      list.push(worker);
    }
    this.list = list;
    this.#places = told.map(({ workers }) => Int32Array.from(list, ({ worker }) => workers.row(worker)));
    this.#columns = new Map(COLUMNS.map((name) => [name, new Float64Array(list.length)]));
    this.refresh();
  }

  /** Takes in what the routers said since. */
  refresh(): void {
    for (const [name, into] of this.#columns) this.#combine(name, into);
    // Each counts those of its siblings too, as far as it hears them: without, every request is somebody's own.
    const inFlight = this.#columns.get('inflightRequests')!;
    const ofSiblings = this.#columns.get('siblingRequests')!;
    const own = new Float64Array(inFlight.length);
    this.#told.forEach(({ workers }, at) => {
      this.#places[at]!.forEach((place, row) => {
        if (place >= 0) own[row]! += workers.value('inflightRequests', place) - workers.value('siblingRequests', place);
      });
    });
    own.forEach((requests, row) => {
      inFlight[row] = Math.max(inFlight[row]!, requests);
      ofSiblings[row] = inFlight[row]! - requests;
    });
  }

  row(worker: string): number {
    return this.#rows.get(worker) ?? -1;
  }

  value(column: LiveColumn, row: number): number {
    return this.#columns.get(column)![row] ?? 0;
  }

  reasonOf(row: number): string | null {
    return this.toldOf(row).find(({ reason }) => reason !== null)?.reason ?? null;
  }

  toldOf(row: number): readonly ToldOf[] {
    return this.#told.flatMap(({ router, workers }, at) => {
      const place = this.#places[at]![row]!;
      return place < 0 ? [] : [{ router, workers, row: place, reason: workers.reasonOf(place) }];
    });
  }

  #combine(name: LiveColumn, into: Float64Array): void {
    const combine = COMBINE[name];
    for (let row = 0; row < into.length; row++) {
      let value: number | null = null;
      for (let at = 0; at < this.#told.length; at++) {
        const place = this.#places[at]![row]!;
        if (place < 0) continue;
        const next = this.#told[at]!.workers.value(name, place);
        value = value === null ? next : combine(value, next);
      }
      into[row] = value!;
    }
  }
}
