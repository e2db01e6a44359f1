import type { FleetColumns } from '@sluice/model';
import type { Flows } from './flows.ts';
import type { Line, Tally } from './line.ts';
import type { Room, Ticket } from './ticket.ts';

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
    const rank = (flow: Ticket<T>['flow']): number => this.flows.rank(flow);
    for (let row = 0; row < lines.length; row++) {
      taken.fill(0, 3 * row, 3 * row + 3);
      if (lines[row]!.held === 0) continue;
      lines[row]!.behind(ticket, rank, tally);
      taken[3 * row] = tally.requests;
      taken[3 * row + 1] = tally.uncachedTokens;
      taken[3 * row + 2] = tally.growthTokens;
    }
    this.add(-1);
  }

  /** `room` as it is for the first of the line, whoever that is: without those held there that would go before `ticket`. */
  asFirst(ticket: Ticket<T>, line: Line<T>, room: Room): Room {
    if (line.held === 0) return room;
    const { tally } = this;
    line.behind(ticket, (flow) => this.flows.rank(flow), tally);
    const uncachedAhead = line.heldUncachedTokens - tally.uncachedTokens;
    return {
      kvCapacityTokens: room.kvCapacityTokens,
      usedKvTokens: room.usedKvTokens - uncachedAhead,
      growthTokens: room.growthTokens - (line.heldGrowthTokens - tally.growthTokens),
      queuedPrefillTokens: room.queuedPrefillTokens - uncachedAhead,
    };
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
