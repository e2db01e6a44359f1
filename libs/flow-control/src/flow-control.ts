import type { FleetColumns } from '@sluice/model';
import { DecayingRate } from './decaying-rate.ts';
import { Floods } from './floods.ts';
import { Flows } from './flows.ts';
import type { Flow } from './flows.ts';
import { HeldQueue } from './held-queue.ts';
import { Line } from './line.ts';
import { checkOptions, FLOW_CONTROL_DEFAULTS } from './options.ts';
import type { FlowControlOptions } from './options.ts';
import { OvertakenView } from './overtaken.ts';
import { countUp, ReservedWorkers } from './reserved-workers.ts';
import { fits } from './room.ts';
import type { Reserve } from './room.ts';
import { costOf, Ticket, whole } from './ticket.ts';
import type { FlowRequest, Placement, Room, TicketState } from './ticket.ts';

/** Why a request was turned away. */
export type ShedReason =
  /** The queue holds as many requests as it may. */
  | 'queue-full'
  /** It holds as many bytes as it may. */
  | 'queue-bytes'
  /** The wait would be longer than the TTFT that was asked for. */
  | 'ttft-slo'
  /** The wait would be longer than the client's patience. */
  | 'deadline'
  /** It was held, and had to make room for a request of a higher band or of a tenant with less held. */
  | 'displaced'
  /** It was held until its deadline. */
  | 'expired';

export interface Shed {
  readonly kind: 'shed';
  readonly reason: ShedReason;
  /** When to try again: until what is held in its band and above has gone, as far as is known. */
  readonly retryAfterMs: number;
}
/** Held requests that had to make room, and when to try again. */
export interface Displaced<T> extends Shed {
  readonly ticket: Ticket<T>;
}
export type Offered<T> =
  /** To be sent to the worker now. */
  | { readonly kind: 'dispatch' }
  /** It waits for the worker; `displaced` were turned away for it. */
  | { readonly kind: 'held'; readonly displaced: readonly Displaced<T>[] }
  | Shed;

/** What {@link FlowControl.pump} asks of the one who routes. All of it is synchronous. */
export interface FlowHost<T> {
  /**
   * Takes a held request's booking out of the ledger and picks again, as the request will meet the pool: its worker
   * again unless another is better. Null when no worker can be picked; the request has then ended.
   */
  pickAgain(ticket: Ticket<T>): Placement<T> | null;
  /** It waits on, for the worker just picked: to be booked there. */
  hold(ticket: Ticket<T>): void;
  /** Its turn has come, at the worker just picked: to be booked and sent. */
  dispatch(ticket: Ticket<T>): void;
}

/** Bounds of what is told as Retry-After. */
const RETRY_MS = { least: 1000, most: 60_000 };

/**
 * Whose turn it is among the requests of one pool. A request is placed on a worker as always; it is sent only while the
 * worker has room, and waits *for that worker* otherwise. Each time the worker frees something its first one is picked
 * again. Order in a line: bands by priority, tenants of a band by service received, requests of a tenant by arrival.
 * Single-threaded and synchronous; see README.md.
 */
export class FlowControl<T> {
  options: FlowControlOptions;
  private readonly flows: Flows<T>;
  private readonly floods: Floods<T>;
  private readonly view: OvertakenView<T>;
  private readonly queue: HeldQueue<T>;
  private readonly reserved = new ReservedWorkers();
  private readonly drain = new DecayingRate(DRAIN_HALF_LIFE_MS);
  private readonly rank: (flow: Flow<T>) => number;
  private noReserve: Reserve;
  /** Sent and not ended. */
  private readonly running = new Set<Ticket<T>>();
  private arrivals = 0;
  private meanNeedTokens = 0;

  /** @throws RangeError when an option makes no sense */
  constructor(options: FlowControlOptions) {
    checkOptions(options);
    this.options = options;
    this.flows = new Flows(options);
    this.floods = new Floods(this.flows);
    this.queue = new HeldQueue(options.maxRequests, options.maxBytes);
    this.view = new OvertakenView(this.flows);
    this.noReserve = { backlogTokens: 0, memoryTokens: 0, growthShare: options.growthShare };
    this.rank = (flow) => this.flows.rank(flow);
  }

  /**
   * Goes by other options from now on; what is held stays held and may be picked again. Where the bands are others, every
   * request is in the band of its priority from now on. Not between {@link arrive} and {@link offer}.
   * @throws RangeError when an option makes no sense
   */
  reconfigure(options: FlowControlOptions): void {
    checkOptions(options);
    this.options = options;
    if (this.flows.hasBands(options.bands)) this.flows.reconfigure(options);
    else this.moveToBands(options);
    this.queue.limit(options.maxRequests, options.maxBytes);
    this.noReserve = { ...this.noReserve, growthShare: options.growthShare };
  }

  /** Requests held, in all lines. */
  get held(): number {
    return this.queue.requests;
  }

  get heldBytes(): number {
    return this.queue.bytes;
  }

  /** A line for a new worker. */
  createLine(): Line<T> {
    return new Line();
  }

  /** A request arrives. Nothing is kept of it until it is offered. */
  arrive(ref: T, request: FlowRequest): Ticket<T> {
    return new Ticket(
      ref,
      request,
      this.flows.arrival(request.tenant, request.priority, request.arrivedAtMs),
      this.arrivals++,
    );
  }

  /**
   * For a pick: takes out of the ledger columns the held requests that `ticket` goes before, and workers that are kept for
   * others. To be put back after it.
   */
  takeOutOvertaken(ticket: Ticket<T>, lines: readonly Line<T>[], columns: FleetColumns, nowMs: number): void {
    if (this.held > 0) this.view.takeOut(ticket, lines, columns);
    const { flow, request } = ticket;
    ticket.reservedWorkers = 0;
    if (request.isRetry || !this.floods.isFlooding(flow, nowMs)) return;
    ticket.reservedWorkers = this.floods.reservedFrom(flow, countUp(columns), nowMs);
    if (ticket.reservedWorkers > 0) this.reserved.hide(columns, ticket.reservedWorkers);
  }

  /** Rows of the workers that are kept for others, between {@link takeOutOvertaken} and {@link putBackOvertaken}. */
  get keptRows(): readonly number[] {
    return this.reserved.rows;
  }

  putBackOvertaken(): void {
    this.view.putBack();
    this.reserved.putBack();
  }

  /** The request was placed on a worker: it is to be sent now, to be booked and held, or turned away. */
  offer(ticket: Ticket<T>, placement: Placement<T>, nowMs: number): Offered<T> {
    place(ticket, placement);
    this.meanNeedTokens += (needOf(ticket) - this.meanNeedTokens) * NEED_FORGETTING;
    if (this.mayGo(ticket, placement, nowMs)) {
      this.start(ticket, nowMs);
      return DISPATCH;
    }
    const late = this.wouldBeLate(ticket, nowMs);
    if (late !== null) return this.shed(ticket, late);
    const room = this.queue.makeRoom(ticket, this.flows.bands);
    if (room.kind === 'full') return this.shed(ticket, room.reason);
    const displaced = room.displaced.map((victim) => ({ ticket: victim, ...this.shed(victim, 'displaced') }));
    this.hold(ticket, nowMs);
    return { kind: 'held', displaced };
  }

  /**
   * The worker of `line` has freed something: its first ones are picked again, and sent while there is room. Returns how
   * many were.
   */
  pump(line: Line<T>, host: FlowHost<T>, nowMs: number): number {
    let sent = 0;
    for (let ticket = this.first(line, nowMs); ticket !== null; ticket = this.first(line, nowMs)) {
      const now = this.again(ticket, host, nowMs);
      if (now === 'running') sent++;
      if (now === 'held' && ticket.line === line) break;
    }
    return sent;
  }

  /** The worker of `line` is gone: whoever waited for it is picked again, in order of arrival. */
  abandon(line: Line<T>, host: FlowHost<T>, nowMs: number): void {
    const stranded = [...line.tickets()].sort((a, b) => a.sequence - b.sequence);
    for (const ticket of stranded) this.again(ticket, host, nowMs);
  }

  /** Takes out what was held until its deadline. */
  expire(nowMs: number): Displaced<T>[] {
    return this.queue.due(this.flows.all(), nowMs).map((ticket) => {
      this.unhold(ticket, nowMs);
      return { ticket, ...this.shed(ticket, 'expired') };
    });
  }

  /** A request that was sent has its first token. */
  firstToken(ticket: Ticket<T>, nowMs: number): void {
    this.waited(ticket, nowMs);
    this.wrote(ticket, 1);
  }

  /** A request that was sent has written further output. */
  wrote(ticket: Ticket<T>, outputTokens: number): void {
    if (ticket.state === 'running') this.charge(ticket, costOf(0, outputTokens));
  }

  /**
   * A request has ended, whatever its state; further calls do nothing.
   * @param served what it did cost the engine, where that is known: takes the place of what was charged so far
   */
  end(ticket: Ticket<T>, nowMs: number, served: { uncachedTokens: number; outputTokens: number } | null): void {
    if (ticket.state === 'held') this.unhold(ticket, nowMs);
    if (ticket.state === 'running') {
      this.waited(ticket, nowMs);
      this.running.delete(ticket);
      ticket.line!.running--;
      this.flows.use(ticket.flow, -1, needOf(ticket));
      if (served !== null) this.charge(ticket, costOf(served.uncachedTokens, served.outputTokens) - ticket.charged);
      ticket.flow.servedTokens += ticket.charged;
    }
    ticket.state = 'ended';
  }

  /** Milliseconds that `ticket` would wait in the queue if it were held now; null while too little is known. */
  predictedWaitMs(ticket: Ticket<T>): number | null {
    const perMs = this.drain.perMs();
    if (perMs === null) return this.held === 0 ? 0 : null;
    return this.ahead(ticket) / perMs;
  }

  /** Milliseconds until what is held in the bands from `priority` on has gone, within the bounds of a Retry-After. */
  retryAfterMs(priority: number): number {
    const perMs = this.drain.perMs();
    if (perMs === null) return RETRY_MS.least;
    const own = this.flows.bandOf(priority).index;
    let cost = 0;
    for (const band of this.flows.bands) if (band.index >= own) cost += band.heldCost;
    return Math.min(RETRY_MS.most, Math.max(RETRY_MS.least, cost / perMs));
  }

  /** What is held, for people and metrics: bands from the lowest, and in each the tenants that were seen lately. */
  queues(): BandView[] {
    return this.flows.bands.map((band) => ({
      priority: band.priority,
      requests: band.held,
      bytes: band.heldBytes,
      tenants: [...this.flows.all()]
        .filter((flow) => flow.band === band)
        .map(({ tenant, weight, held, running, servedTokens }) => ({
          tenant,
          weight,
          held: held.length,
          running,
          servedTokens,
        })),
    }));
  }

  /** Other bands: every request that is held or runs goes where its priority belongs, in the order of arrival. */
  private moveToBands(options: FlowControlOptions): void {
    const held = [...this.flows.all()].flatMap((flow) => flow.held).sort((a, b) => a.sequence - b.sequence);
    this.flows.reconfigure(options);
    for (const ticket of this.running) {
      ticket.flow = this.flows.join(ticket.flow.tenant, ticket.request);
      this.flows.use(ticket.flow, 1, needOf(ticket));
    }
    for (const ticket of held) {
      this.queue.remove(ticket);
      ticket.flow = this.flows.join(ticket.flow.tenant, ticket.request);
      this.queue.add(ticket);
    }
  }

  private first(line: Line<T>, nowMs: number): Ticket<T> | null {
    if (line.held === 0) return null;
    const { starvationMs, yieldEvery } = this.options;
    return line.first(this.rank, nowMs - starvationMs, yieldEvery);
  }

  /** Picks again for a held request, which may be sent, held somewhere, or have nowhere to go. */
  private again(ticket: Ticket<T>, host: FlowHost<T>, nowMs: number): TicketState {
    this.unhold(ticket, nowMs);
    const placement = host.pickAgain(ticket);
    if (placement === null) {
      ticket.state = 'ended';
      return 'ended';
    }
    place(ticket, placement);
    if (this.mayGo(ticket, placement, nowMs)) {
      this.start(ticket, nowMs);
      host.dispatch(ticket);
      return 'running';
    }
    this.hold(ticket, nowMs);
    host.hold(ticket);
    return 'held';
  }

  /** Whether it is first in its line (in which it is not) and the worker has room. */
  private mayGo(ticket: Ticket<T>, { line, uncachedTokens, room }: Placement<T>, nowMs: number): boolean {
    if (line.running === 0 && line.held === 0) return true;
    const first = this.view.asFirst(ticket, line, room);
    if (!fits(line, uncachedTokens, first, this.options, this.noReserve)) return false;
    if (line.held > 0) {
      line.add(ticket);
      const isFirst = this.first(line, nowMs) === ticket;
      line.remove(ticket);
      if (!isFirst) return false;
    }
    // a starved request does not leave room for those that it is let ahead of
    return letsAhead(line, ticket) || this.leavesRoom(ticket, line, first, nowMs);
  }

  /** Whether enough stays free for those who come next, where somebody is to be expected and has no workers kept. */
  private leavesRoom(ticket: Ticket<T>, line: Line<T>, room: Room, nowMs: number): boolean {
    const { backlogTokens, backlogShare, reserveRequests, reserveGrowthShare, reserveMs } = this.options;
    const hasWorkers = ticket.reservedWorkers > 0;
    const reserve = {
      backlogTokens: (1 - backlogShare) * backlogTokens,
      memoryTokens: hasWorkers ? 0 : reserveRequests * this.meanNeedTokens,
      growthShare: hasWorkers ? this.noReserve.growthShare : reserveGrowthShare,
    };
    if (fits(line, ticket.uncachedTokens, room, this.options, reserve)) return true;
    return !hasWorkers && !this.flows.mustLeaveRoom(ticket.flow, nowMs - reserveMs);
  }

  private start(ticket: Ticket<T>, nowMs: number): void {
    const line = ticket.line!;
    this.drain.pass(nowMs, this.queue.requests > 0);
    this.drain.add(ticket.cost);
    ticket.charged = costOf(ticket.uncachedTokens, 0);
    this.flows.send(ticket.flow, ticket.charged);
    line.turns = letsAhead(line, ticket) ? 0 : line.turns + 1;
    line.running++;
    this.flows.use(ticket.flow, 1, needOf(ticket));
    this.running.add(ticket);
    ticket.state = 'running';
  }

  private waited(ticket: Ticket<T>, nowMs: number): void {
    if (ticket.answered) return;
    ticket.answered = true;
    this.flows.waited(ticket.flow, nowMs - ticket.request.arrivedAtMs, nowMs);
  }

  private charge(ticket: Ticket<T>, cost: number): void {
    ticket.charged += cost;
    this.flows.charge(ticket.flow, cost);
  }

  private hold(ticket: Ticket<T>, nowMs: number): void {
    this.drain.pass(nowMs, this.queue.requests > 0);
    this.queue.add(ticket);
    ticket.state = 'held';
  }

  private unhold(ticket: Ticket<T>, nowMs: number): void {
    this.drain.pass(nowMs, this.queue.requests > 0);
    this.queue.remove(ticket);
    ticket.state = 'new';
  }

  private shed(ticket: Ticket<T>, reason: ShedReason): Shed {
    ticket.state = 'ended';
    return { kind: 'shed', reason, retryAfterMs: this.retryAfterMs(ticket.request.priority) };
  }

  /** Why the request would wait longer than it may, as far as is known. */
  private wouldBeLate(ticket: Ticket<T>, nowMs: number): ShedReason | null {
    const { deadlineAtMs, ttftSloMs, arrivedAtMs } = ticket.request;
    if (deadlineAtMs === null && ttftSloMs === null) return null;
    const waitMs = this.predictedWaitMs(ticket);
    if (waitMs === null) return null;
    if (deadlineAtMs !== null && nowMs + waitMs >= deadlineAtMs) return 'deadline';
    return ttftSloMs !== null && nowMs + waitMs - arrivedAtMs > ttftSloMs ? 'ttft-slo' : null;
  }

  /** Cost of what is served before `ticket`: all of higher bands, and of its own what its tenants are due by then. */
  private ahead(ticket: Ticket<T>): number {
    const { flow } = ticket;
    let cost = flow.heldCost;
    for (const band of this.flows.bands) if (band.index > flow.band.index) cost += band.heldCost;
    const finish = this.flows.key(flow) + (flow.heldCost + ticket.cost) / flow.weight;
    for (const other of flow.band.backlogged) {
      if (other === flow) continue;
      cost += Math.min(other.heldCost, Math.max(0, finish - this.flows.key(other)) * other.weight);
    }
    return cost;
  }
}

export interface BandView {
  readonly priority: number;
  readonly requests: number;
  readonly bytes: number;
  readonly tenants: readonly {
    readonly tenant: string;
    readonly weight: number;
    readonly held: number;
    readonly running: number;
    /** Service of its ended requests since the tenant was first seen, or seen again after it was forgotten. */
    readonly servedTokens: number;
  }[];
}

/** Flow control of one pool. @throws RangeError when an option makes no sense */
export const createFlowControl = <T>(options: Partial<FlowControlOptions> = {}): FlowControl<T> =>
  new FlowControl<T>({ ...FLOW_CONTROL_DEFAULTS, ...options });

/** Of how fast the queue drains. */
const DRAIN_HALF_LIFE_MS = 5000;
/** Weight of a new request in the mean need. */
const NEED_FORGETTING = 0.02;
/** KV tokens that the request is expected to need on its worker. */
const needOf = <T>({ uncachedTokens, growthTokens }: Ticket<T>): number => uncachedTokens + growthTokens;

const DISPATCH = { kind: 'dispatch' } as const;

/** Whether a dispatch of `ticket` lets it ahead of a higher band. */
const letsAhead = <T>(line: Line<T>, ticket: Ticket<T>): boolean => line.topBand() > ticket.flow.band.index;

function place<T>(ticket: Ticket<T>, { line, uncachedTokens, expectedOutputTokens }: Placement<T>): void {
  ticket.line = line;
  ticket.uncachedTokens = whole(uncachedTokens);
  ticket.growthTokens = whole(expectedOutputTokens);
}
