import type { Band, Flow } from './flow.ts';
import { insertInOrder } from './line.ts';
import type { Ticket } from './ticket.ts';

/** Which bound of the queue is in the way. */
export type FullReason = 'queue-full' | 'queue-bytes';
export type RoomInQueue<T> =
  | { readonly kind: 'room'; readonly displaced: readonly Ticket<T>[] }
  | { readonly kind: 'full'; readonly reason: FullReason };

/** All held requests of a pool, in their lines and flows at once, within bounds of number and bytes. */
export class HeldQueue<T> {
  requests = 0;
  bytes = 0;
  private maxRequests: number;
  private maxBytes: number;
  private withDeadline = 0;

  constructor(maxRequests: number, maxBytes: number) {
    this.maxRequests = maxRequests;
    this.maxBytes = maxBytes;
  }

  /** Other bounds from now on; what is above them leaves in its turn. */
  limit(maxRequests: number, maxBytes: number): void {
    this.maxRequests = maxRequests;
    this.maxBytes = maxBytes;
  }

  add(ticket: Ticket<T>): void {
    const { flow } = ticket;
    ticket.line!.add(ticket);
    insertInOrder(flow.held, ticket);
    if (flow.held.length === 1) flow.band.backlogged.add(flow);
    this.count(ticket, 1);
  }

  remove(ticket: Ticket<T>): void {
    const { flow } = ticket;
    ticket.line!.remove(ticket);
    flow.held.splice(flow.held.indexOf(ticket), 1);
    if (flow.held.length === 0) flow.band.backlogged.delete(flow);
    this.count(ticket, -1);
  }

  /** Requests whose deadline has come, oldest flows first. */
  due(flows: Iterable<Flow<T>>, nowMs: number): Ticket<T>[] {
    const due: Ticket<T>[] = [];
    if (this.withDeadline === 0) return due;
    for (const flow of flows) {
      for (const ticket of flow.held) if ((ticket.request.deadlineAtMs ?? Infinity) <= nowMs) due.push(ticket);
    }
    return due;
  }

  /**
   * Takes held requests out until `ticket` can be added: of the lowest band, of the tenant with most held per weight, its
   * newest; of the ticket's own band only of a tenant that has more held than its own would have. All of them or none.
   */
  makeRoom(ticket: Ticket<T>, bands: readonly Band<T>[]): RoomInQueue<T> {
    const { bytes } = ticket.request;
    if (this.maxRequests === 0) return { kind: 'full', reason: 'queue-full' };
    if (bytes > this.maxBytes) return { kind: 'full', reason: 'queue-bytes' };
    const displaced: Ticket<T>[] = [];
    for (let reason = this.inTheWay(bytes); reason !== null; reason = this.inTheWay(bytes)) {
      const victim = victimFor(ticket, bands, reason === 'queue-full' ? requestsOf : bytesOf);
      if (victim === null) {
        for (const spared of displaced) this.add(spared);
        return { kind: 'full', reason };
      }
      this.remove(victim);
      displaced.push(victim);
    }
    return { kind: 'room', displaced };
  }

  private inTheWay(bytes: number): FullReason | null {
    if (this.requests >= this.maxRequests) return 'queue-full';
    return this.bytes + bytes > this.maxBytes ? 'queue-bytes' : null;
  }

  private count({ flow, request, cost }: Ticket<T>, sign: 1 | -1): void {
    flow.heldCost += sign * cost;
    flow.heldBytes += sign * request.bytes;
    flow.band.held += sign;
    flow.band.heldBytes += sign * request.bytes;
    flow.band.heldCost += sign * cost;
    this.requests += sign;
    this.bytes += sign * request.bytes;
    if (request.deadlineAtMs !== null) this.withDeadline += sign;
  }
}

type Size = <T>(flow: Flow<T>) => number;
const requestsOf: Size = (flow) => flow.held.length;
const bytesOf: Size = (flow) => flow.heldBytes;

function victimFor<T>(ticket: Ticket<T>, bands: readonly Band<T>[], size: Size): Ticket<T> | null {
  const band = bands.find(({ held }) => held > 0);
  if (band === undefined || band.index > ticket.flow.band.index) return null;
  const perWeight = (flow: Flow<T>): number => size(flow) / flow.weight;
  let worst: Flow<T> | null = null;
  for (const flow of band.backlogged) if (worst === null || perWeight(flow) > perWeight(worst)) worst = flow;
  if (worst === null) return null;
  if (band === ticket.flow.band) {
    const own = size(ticket.flow) + (size === bytesOf ? ticket.request.bytes : 1);
    if (perWeight(worst) <= own / ticket.flow.weight) return null;
  }
  return worst.held.at(-1)!;
}
