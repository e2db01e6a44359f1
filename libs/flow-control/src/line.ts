import type { Flow } from './flow.ts';
import type { Ticket } from './ticket.ts';

/** Held requests of one flow in one line, oldest first. */
interface Queue<T> {
  readonly flow: Flow<T>;
  readonly tickets: Ticket<T>[];
  uncachedTokens: number;
  growthTokens: number;
}

/** Requests with their tokens, summed up. */
export interface Tally {
  requests: number;
  uncachedTokens: number;
  growthTokens: number;
}

/** Those that wait for one worker. Made by the flow control, kept beside the worker. */
export class Line<T> {
  /** Requests sent to the worker and not ended. */
  running = 0;
  /** Requests that wait for it. */
  held = 0;
  heldUncachedTokens = 0;
  heldGrowthTokens = 0;
  /** Dispatches since a lower band was let ahead. */
  turns = 0;
  /** By index of the band; as many as were needed so far. */
  private readonly bands: Queue<T>[][] = [];

  add(ticket: Ticket<T>): void {
    const { index } = ticket.flow.band;
    while (this.bands.length <= index) this.bands.push([]);
    const queues = this.bands[index]!;
    let queue = queues.find(({ flow }) => flow === ticket.flow);
    if (queue === undefined) {
      queue = { flow: ticket.flow, tickets: [], uncachedTokens: 0, growthTokens: 0 };
      queues.push(queue);
    }
    insertInOrder(queue.tickets, ticket);
    this.count(queue, ticket, 1);
  }

  remove(ticket: Ticket<T>): void {
    const queues = this.bands[ticket.flow.band.index]!;
    const at = queues.findIndex(({ flow }) => flow === ticket.flow);
    const queue = queues[at]!;
    queue.tickets.splice(queue.tickets.indexOf(ticket), 1);
    this.count(queue, ticket, -1);
    if (queue.tickets.length === 0) queues.splice(at, 1);
  }

  /** Index of the highest band that waits here; -1: none. */
  topBand(): number {
    let top = this.bands.length - 1;
    while (top >= 0 && this.bands[top]!.length === 0) top--;
    return top;
  }

  /** Every held request, in no order that means anything. */
  *tickets(): IterableIterator<Ticket<T>> {
    for (const queues of this.bands) for (const { tickets } of queues) yield* tickets;
  }

  /**
   * The request whose turn it is, by `rank` of its flow within the highest band; every `yieldEvery`-th turn the oldest
   * one of a lower band that arrived before `starvedBeforeMs`, if there is one.
   */
  first(rank: (flow: Flow<T>) => number, starvedBeforeMs: number, yieldEvery: number): Ticket<T> | null {
    const top = this.topBand();
    if (top < 0) return null;
    if (this.turns >= yieldEvery - 1) {
      const starved = this.starved(top, starvedBeforeMs);
      if (starved !== null) return starved;
    }
    let next: Ticket<T> | null = null;
    let least = Infinity;
    for (const { flow, tickets } of this.bands[top]!) {
      const ticket = tickets[0]!;
      const own = rank(flow);
      if (next !== null && (own > least || (own === least && ticket.sequence > next.sequence))) continue;
      next = ticket;
      least = own;
    }
    return next;
  }

  /** Sums up in `out` what waits here and, as things are now, goes after `ticket`. */
  behind(ticket: Ticket<T>, rank: (flow: Flow<T>) => number, out: Tally): void {
    out.requests = 0;
    out.uncachedTokens = 0;
    out.growthTokens = 0;
    const own = ticket.flow.band.index;
    for (let band = 0; band <= own && band < this.bands.length; band++) {
      for (const queue of this.bands[band]!) {
        if (band < own || (queue.flow !== ticket.flow && isBehind(queue, ticket, rank))) addQueue(out, queue);
        else if (queue.flow === ticket.flow) addLater(out, queue, ticket);
      }
    }
  }

  private starved(top: number, beforeMs: number): Ticket<T> | null {
    let oldest: Ticket<T> | null = null;
    for (let band = 0; band < top; band++) {
      for (const { tickets } of this.bands[band]!) {
        const ticket = tickets[0]!;
        if (ticket.request.arrivedAtMs >= beforeMs) continue;
        if (oldest === null || ticket.sequence < oldest.sequence) oldest = ticket;
      }
    }
    return oldest;
  }

  private count(queue: Queue<T>, ticket: Ticket<T>, sign: 1 | -1): void {
    queue.uncachedTokens += sign * ticket.uncachedTokens;
    queue.growthTokens += sign * ticket.growthTokens;
    this.held += sign;
    this.heldUncachedTokens += sign * ticket.uncachedTokens;
    this.heldGrowthTokens += sign * ticket.growthTokens;
  }
}

/** Puts a ticket where its arrival belongs. Most arrive in order; one that moves from another line is older than most. */
export function insertInOrder<T>(tickets: Ticket<T>[], ticket: Ticket<T>): void {
  let at = tickets.length;
  while (at > 0 && tickets[at - 1]!.sequence > ticket.sequence) at--;
  tickets.splice(at, 0, ticket);
}

const isBehind = <T>(queue: Queue<T>, ticket: Ticket<T>, rank: (flow: Flow<T>) => number): boolean =>
  rank(queue.flow) > rank(ticket.flow);

function addQueue<T>(tally: Tally, queue: Queue<T>): void {
  tally.requests += queue.tickets.length;
  tally.uncachedTokens += queue.uncachedTokens;
  tally.growthTokens += queue.growthTokens;
}

function addLater<T>(tally: Tally, { tickets }: Queue<T>, ticket: Ticket<T>): void {
  for (let i = tickets.length - 1; i >= 0 && tickets[i]!.sequence > ticket.sequence; i--) {
    tally.requests++;
    tally.uncachedTokens += tickets[i]!.uncachedTokens;
    tally.growthTokens += tickets[i]!.growthTokens;
  }
}
