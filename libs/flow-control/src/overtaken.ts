import type { FleetColumns } from '@sluice/model';
import type { Flows } from './flows.ts';
import type { Line, Tally } from './line.ts';
import type { Ticket } from './ticket.ts';

/**
 * The ledger columns as one request will meet them. Held requests count in the ledger of the worker that they wait for;
 * those that the request goes before are no load to it. They are taken out of the columns for one decision and put back:
 * synchronous, whole numbers, so the columns are what they were to the last bit.
 */
export class OvertakenView<T> {
  private readonly flows: Flows<T>;
  private readonly tally: Tally = { requests: 0, uncachedTokens: 0, growthTokens: 0 };
  private lines: readonly Line<T>[] = [];
  private columns: FleetColumns | null = null;
  private taken = new Float64Array(0);

  constructor(flows: Flows<T>) {
    this.flows = flows;
  }

  /** @param lines by row of `columns` */
  takeOut(ticket: Ticket<T>, lines: readonly Line<T>[], columns: FleetColumns): void {
    if (this.taken.length < 3 * lines.length) this.taken = new Float64Array(6 * lines.length);
    this.lines = lines;
    this.columns = columns;
    const { taken, tally } = this;
    const key = (flow: Ticket<T>['flow']): number => this.flows.key(flow);
    for (let row = 0; row < lines.length; row++) {
      taken.fill(0, 3 * row, 3 * row + 3);
      if (lines[row]!.held === 0) continue;
      lines[row]!.behind(ticket, key, tally);
      taken[3 * row] = tally.requests;
      taken[3 * row + 1] = tally.uncachedTokens;
      taken[3 * row + 2] = tally.growthTokens;
    }
    this.add(-1);
  }

  putBack(): void {
    this.add(1);
    this.columns = null;
  }

  private add(sign: 1 | -1): void {
    const { columns, taken } = this;
    if (columns === null) return;
    for (let row = 0; row < this.lines.length; row++) {
      columns.inflightRequests[row]! += sign * taken[3 * row]!;
      columns.queuedPrefillTokens[row]! += sign * taken[3 * row + 1]!;
      columns.expectedGrowthTokens[row]! += sign * taken[3 * row + 2]!;
    }
  }
}
