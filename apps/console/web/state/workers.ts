import type { LiveColumn, LiveSnapshot, LiveTick, LiveWorker } from '@sluice/contracts';

/** In the column of states: the routers do not agree. */
export const DIFFERS = 3;

/** What one router says of a worker. */
export interface ToldOf {
  readonly router: string;
  readonly workers: Fleet;
  readonly row: number;
  readonly reason: string | null;
}

/** Workers with their numbers, by row. */
export interface Fleet {
  readonly list: readonly LiveWorker[];
  /** Row of a worker, or -1. */
  row(worker: string): number;
  value(column: LiveColumn, row: number): number;
  /** Why it is not up; null: it is. */
  reasonOf(row: number): string | null;
  /** What each router says of a worker, where several are listened to; otherwise empty. */
  toldOf(row: number): readonly ToldOf[];
}

/** The fleet as the stream of one router tells it: a snapshot, then changes. Rows are those of the last snapshot. */
export class Workers implements Fleet {
  list: readonly LiveWorker[] = [];
  readonly #reasons = new Map<number, string>();
  #order: readonly LiveColumn[] = [];
  #columns = new Map<LiveColumn, Float64Array>();
  readonly #rows = new Map<string, number>();

  load({ workers, columns, values, reasons }: LiveSnapshot): void {
    this.list = workers;
    this.#order = columns;
    this.#columns = new Map(columns.map((name, i) => [name, Float64Array.from(values[i] ?? [])]));
    this.#rows.clear();
    workers.forEach(({ worker }, row) => this.#rows.set(worker, row));
    this.#reasons.clear();
    for (const [row, reason] of reasons) this.#reasons.set(row, reason);
  }

  apply({ changes, reasons }: Pick<LiveTick, 'changes' | 'reasons'>): void {
    for (const [at, rows, values] of changes) {
      const column = this.#columns.get(this.#order[at]!);
      if (column === undefined) continue;
      rows.forEach((row, i) => {
        column[row] = values[i]!;
      });
    }
    for (const [row, reason] of reasons) {
      if (reason === '') this.#reasons.delete(row);
      else this.#reasons.set(row, reason);
    }
  }

  row(worker: string): number {
    return this.#rows.get(worker) ?? -1;
  }

  /** 0 for a column that this router does not send. */
  value(column: LiveColumn, row: number): number {
    return this.#columns.get(column)?.[row] ?? 0;
  }

  reasonOf(row: number): string | null {
    return this.#reasons.get(row) ?? null;
  }

  toldOf(): readonly ToldOf[] {
    return [];
  }
}

/**
 * Requests that a worker has: by the routers' ledgers, or by the engine itself where that is more, because others send to
 * it too.
 */
export const loadOf = (workers: Fleet, row: number): number =>
  Math.max(
    workers.value('inflightRequests', row),
    workers.value('runningRequests', row) + workers.value('waitingRequests', row),
  );

/** Tokens in its cache by its own events; null where it sends none, and only what was routed to it is known. */
export const cachedTokensOf = (workers: Fleet, row: number): number | null =>
  workers.value('prefixes', row) === 0 ? null : workers.value('cachedTokens', row);

export type Condition = 'up' | 'late' | 'prefill' | 'differs' | 'unknown' | 'down';

/**
 * What an operator wants to know of a worker's health, in one word. `late`: up, but what it says is old; `differs`: some
 * routers reach it and others do not.
 */
export function conditionOf(workers: Fleet, row: number): Condition {
  const state = workers.value('state', row);
  if (state === 2) return 'down';
  if (state === 0) return 'unknown';
  if (state === DIFFERS) return 'differs';
  if (workers.value('silentS', row) !== 0) return 'late';
  return workers.value('up', row) === 1 ? 'up' : 'prefill';
}

/** Whether somebody should look at it. */
export const isTroubled = (condition: Condition): boolean => condition !== 'up' && condition !== 'prefill';

/** Rows that match every word of `filter` in name, pool, role, variant, address or state; `trouble` is any bad state. */
export function filteredRows(workers: Fleet, filter: string): number[] {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  const rows: number[] = [];
  workers.list.forEach((worker, row) => {
    const { pool, role, variant, url } = worker;
    const condition = conditionOf(workers, row);
    const state = isTroubled(condition) ? `${condition} trouble` : condition;
    const text = `${worker.worker} ${pool} ${role} ${variant} ${url} ${state}`.toLowerCase();
    if (words.every((word) => text.includes(word))) rows.push(row);
  });
  return rows;
}

export type SortKey = LiveColumn | 'worker' | 'role' | 'condition' | 'load';

const CONDITIONS: readonly Condition[] = ['down', 'unknown', 'differs', 'late', 'prefill', 'up'];
const byName = new Intl.Collator('en', { numeric: true }).compare;

/** Sorts in place; equals in the order of their names. */
export function sortRows(workers: Fleet, rows: number[], key: SortKey, descending: boolean): number[] {
  const name = (row: number): string => workers.list[row]!.worker;
  const ranks = new Map(CONDITIONS.map((condition, rank) => [condition, rank]));
  const compare = (a: number, b: number): number => {
    if (key === 'worker') return 0;
    if (key === 'role') return byName(workers.list[a]!.role, workers.list[b]!.role);
    if (key === 'condition') return ranks.get(conditionOf(workers, a))! - ranks.get(conditionOf(workers, b))!;
    if (key === 'load') return loadOf(workers, a) - loadOf(workers, b);
    return workers.value(key, a) - workers.value(key, b);
  };
  const sign = descending ? -1 : 1;
  return rows.sort((a, b) => {
    const order = sign * compare(a, b);
    if (order !== 0) return order;
    return key === 'worker' ? sign * byName(name(a), name(b)) : byName(name(a), name(b));
  });
}

export interface Group {
  readonly pool: string;
  readonly role: string;
  readonly variant: string;
  readonly rows: readonly number[];
}

/** Workers that are alike, in the order of pools and roles. */
export function groupsOf(workers: Fleet, rows: readonly number[]): Group[] {
  const groups = new Map<string, { pool: string; role: string; variant: string; rows: number[] }>();
  for (const row of rows) {
    const { pool, role, variant } = workers.list[row]!;
    const key = `${pool}\n${role}\n${variant}`;
    const group = groups.get(key) ?? { pool, role, variant, rows: [] };
    group.rows.push(row);
    groups.set(key, group);
  }
  return [...groups].sort(([a], [b]) => byName(a, b)).map(([, group]) => group);
}

export interface FleetSums {
  readonly total: number;
  readonly up: number;
  readonly troubled: number;
  readonly roles: ReadonlyMap<string, number>;
  readonly meanKvUsage: number | null;
  readonly maxKvUsage: number | null;
  /** Null where no worker says what it holds. */
  readonly cachedTokens: number | null;
  readonly waiting: number;
  readonly queuedTokens: number;
}

/** Of those that answer: how full, how busy. */
export function sumsOf(workers: Fleet): FleetSums {
  const roles = new Map<string, number>();
  let cachedTokens: number | null = null;
  let [up, troubled, kvSum, kvMax, read, waiting, queuedTokens] = [0, 0, 0, 0, 0, 0, 0];
  workers.list.forEach(({ role }, row) => {
    roles.set(role, (roles.get(role) ?? 0) + 1);
    const condition = conditionOf(workers, row);
    if (isTroubled(condition)) troubled++;
    else up++;
    if (workers.value('state', row) !== 1) return;
    read++;
    const kv = workers.value('kvUsage', row);
    kvSum += kv;
    kvMax = Math.max(kvMax, kv);
    const cached = cachedTokensOf(workers, row);
    if (cached !== null) cachedTokens = (cachedTokens ?? 0) + cached;
    waiting += workers.value('waitingRequests', row);
    queuedTokens += workers.value('queuedPrefillTokens', row);
  });
  return {
    total: workers.list.length,
    up,
    troubled,
    roles,
    meanKvUsage: read === 0 ? null : kvSum / read,
    maxKvUsage: read === 0 ? null : kvMax,
    cachedTokens,
    waiting,
    queuedTokens,
  };
}
