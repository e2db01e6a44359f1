import type { Flow } from './flow.ts';
import type { Flows } from './flows.ts';
import type { Line } from './line.ts';
import type { OvertakenView } from './overtaken.ts';
import { fits } from './room.ts';
import type { Placement, Room, Ticket } from './ticket.ts';

/** Weight of a new request in the mean need. */
const NEED_FORGETTING = 0.02;

/**
 * Whether a request may be sent to its worker now: it is the first of the line, the worker has room, and what it leaves
 * there is enough for those who come next.
 */
export class SendRule<T> {
  private readonly flows: Flows<T>;
  private readonly view: OvertakenView<T>;
  private readonly rank: (flow: Flow<T>) => number;
  /** KV tokens that a request is expected to need, in the mean of late ones. */
  private meanNeedTokens = 0;

  constructor(flows: Flows<T>, view: OvertakenView<T>) {
    this.flows = flows;
    this.view = view;
    this.rank = (flow) => flows.rank(flow);
  }

  /** A new request was placed, which is expected to need so many KV tokens. */
  learnNeed(tokens: number): void {
    this.meanNeedTokens += (tokens - this.meanNeedTokens) * NEED_FORGETTING;
  }

  /** Whose turn it is in `line`; null when nobody waits there. */
  first(line: Line<T>, nowMs: number): Ticket<T> | null {
    if (line.held === 0) return null;
    const { starvationMs, yieldEvery } = this.flows.options;
    return line.first(this.rank, nowMs - starvationMs, yieldEvery);
  }

  /** Of a request that is in no line at present. */
  mayGo(ticket: Ticket<T>, { line, uncachedTokens, room }: Placement<T>, nowMs: number): boolean {
    if (line.running === 0 && line.held === 0) return true;
    const { options } = this.flows;
    const asFirst = this.view.asFirst(ticket, line, room);
    const nothingKept = { backlogTokens: 0, memoryTokens: 0, growthShare: options.growthShare };
    if (!fits(line, uncachedTokens, asFirst, options, nothingKept)) return false;
    if (line.held > 0 && !this.wouldBeFirst(ticket, line, nowMs)) return false;
    // a starved request does not leave room for those that it is let ahead of
    return letsAhead(line, ticket) || this.leavesRoom(ticket, line, asFirst, nowMs);
  }

  private wouldBeFirst(ticket: Ticket<T>, line: Line<T>, nowMs: number): boolean {
    line.add(ticket);
    const isFirst = this.first(line, nowMs) === ticket;
    line.remove(ticket);
    return isFirst;
  }

  /** Whether enough stays free for those who come next, where somebody is to be expected and has no workers kept. */
  private leavesRoom(ticket: Ticket<T>, line: Line<T>, room: Room, nowMs: number): boolean {
    const { options } = this.flows;
    const hasWorkers = ticket.reservedWorkers > 0;
    const reserve = {
      backlogTokens: (1 - options.backlogShare) * options.backlogTokens,
      memoryTokens: hasWorkers ? 0 : options.reserveRequests * this.meanNeedTokens,
      growthShare: hasWorkers ? options.growthShare : options.reserveGrowthShare,
    };
    if (fits(line, ticket.uncachedTokens, room, options, reserve)) return true;
    return !hasWorkers && !this.flows.mustLeaveRoom(ticket.flow, nowMs - options.reserveMs);
  }
}

/** Whether a dispatch of `ticket` lets it ahead of a higher band. */
export const letsAhead = <T>(line: Line<T>, ticket: Ticket<T>): boolean => line.topBand() > ticket.flow.band.index;
