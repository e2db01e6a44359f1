import { countUp } from '@sluice/model';
import type { FleetColumns } from '@sluice/model';

/** More than any fleet has. */
const MOST_WORKERS = 1 << 16;

/**
 * How many workers `load` requests at a time keep busy so rarely all at once that at most a share of `loss` of the arrivals
 * finds none free, if each keeps one busy: Erlang's loss formula.
 */
export function workersFor(load: number, loss: number): number {
  let workers = 0;
  for (let blocked = 1; blocked > loss && workers < MOST_WORKERS;) {
    workers++;
    blocked = (load * blocked) / (workers + load * blocked);
  }
  return workers;
}

/**
 * Workers that a flooding tenant leaves to others: the first of those that are up by their names, so that further routers
 * leave the same ones, and the more are left the same are among them. They are taken for down in the columns for one
 * decision and put back.
 */
export class ReservedWorkers {
  /** Rows by the names of their workers, and the names by row that this was made of. */
  private order: number[] = [];
  private names: string[] = [];
  /** Rows that are hidden now. */
  private readonly hidden: number[] = [];
  private columns: FleetColumns | null = null;

  get rows(): readonly number[] {
    return this.hidden;
  }

  /** Hides `count` workers, at most all but one of those that are up. */
  hide(columns: FleetColumns, count: number): void {
    const { up } = columns;
    this.columns = columns;
    let spare = Math.min(count, countUp(columns) - 1);
    for (const row of this.byName(columns)) {
      if (spare <= 0) break;
      if (up[row] !== 1) continue;
      up[row] = 0;
      this.hidden.push(row);
      spare--;
    }
  }

  putBack(): void {
    for (const row of this.hidden) this.columns!.up[row] = 1;
    this.hidden.length = 0;
  }

  private byName({ ids, size }: FleetColumns): readonly number[] {
    const { names } = this;
    let same = names.length === size;
    for (let row = 0; same && row < size; row++) same = names[row] === ids[row];
    if (same) return this.order;
    this.names = ids.slice(0, size);
    this.order = Array.from({ length: size }, (_, row) => row).sort((a, b) => (ids[a]! < ids[b]! ? -1 : 1));
    return this.order;
  }
}
