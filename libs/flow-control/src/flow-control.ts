import { countUp, wholeTokens } from '@sluice/model';
import type { FleetColumns } from '@sluice/model';
import { viewBands } from './band-view.ts';
import type { BandView } from './band-view.ts';
import { boundOf } from './bound-of.ts';
import { Floods } from './floods.ts';
import { Flows } from './flows.ts';
import { HeldQueue } from './held-queue.ts';
import { Line } from './line.ts';
import { checkOptions, FLOW_CONTROL_DEFAULTS } from './options.ts';
import type { FlowControlOptions } from './options.ts';
import type { Displaced, FlowHost, Offered, Shed, ShedReason } from './outcomes.ts';
import { OvertakenView } from './overtaken.ts';
import { ReservedWorkers } from './reserved-workers.ts';
import { letsAhead, SendRule } from './send-rule.ts';
import { costOf, Ticket } from './ticket.ts';
import type { FlowRequest, Placement, TicketState } from './ticket.ts';
import { WaitForecast } from './wait-forecast.ts';

/**
 * Whose turn it is among the requests of one pool. A request is placed on a worker as always; it is sent only while the
 * worker has room, and waits *for that worker* otherwise. Each time the worker frees something its first one is picked
 * again. Order in a line: bands by priority, tenants of a band by service received, requests of a tenant by arrival.
 * Single-threaded and synchronous; see README.md.
 */
export class FlowControl<T> {
  private readonly flows: Flows<T>;
  private readonly floods: Floods<T>;
  private readonly queue: HeldQueue<T>;
  private readonly view: OvertakenView<T>;
  private readonly rule: SendRule<T>;
  private readonly forecast: WaitForecast<T>;
  private readonly reserved = new ReservedWorkers();
  /** Sent and not ended. */
  private readonly running = new Set<Ticket<T>>();
  private arrivals = 0;

  /** @throws RangeError when an option makes no sense */
  constructor(options: FlowControlOptions) {
    checkOptions(options);
    this.flows = new Flows(options);
    this.floods = new Floods(this.flows);
    this.queue = new HeldQueue(options.maxRequests, options.maxBytes);
    this.view = new OvertakenView(this.flows);
    this.rule = new SendRule(this.flows, this.view);
    this.forecast = new WaitForecast(this.flows, this.queue);
  }

  /** In force now. */
  get options(): FlowControlOptions {
    return this.flows.options;
  }

  /**
   * Goes by other options from now on; what is held stays held and may be picked again. Where the bands are others, every
   * request is in the band of its priority from now on. Not between {@link arrive} and {@link offer}.
   * @throws RangeError when an option makes no sense
   */
  reconfigure(options: FlowControlOptions): void {
    checkOptions(options);
    if (this.flows.hasBands(options.bands)) this.flows.reconfigure(options);
    else this.moveToBands(options);
    this.queue.limit(options.maxRequests, options.maxBytes);
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
    this.rule.learnNeed(needOf(ticket));
    if (this.rule.mayGo(ticket, placement, nowMs)) {
      this.start(ticket, nowMs);
      return DISPATCH;
    }
    const late = this.forecast.tooLate(ticket, nowMs);
    if (late !== null) return this.shed(ticket, late, nowMs + (this.forecast.waitMs(ticket) ?? 0));
    const room = this.queue.makeRoom(ticket, this.flows.bands);
    if (room.kind === 'full') return this.shed(ticket, room.reason, nowMs);
    const displaced = room.displaced.map((victim) => ({ ticket: victim, ...this.shed(victim, 'displaced', nowMs) }));
    this.hold(ticket, nowMs);
    return { kind: 'held', displaced };
  }

  /**
   * The worker of `line` has freed something: its first ones are picked again, and sent while there is room. Returns how
   * many were.
   */
  pump(line: Line<T>, host: FlowHost<T>, nowMs: number): number {
    let sent = 0;
    for (let ticket = this.rule.first(line, nowMs); ticket !== null; ticket = this.rule.first(line, nowMs)) {
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
      return { ticket, ...this.shed(ticket, 'expired', nowMs) };
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
    return this.forecast.waitMs(ticket);
  }

  /** Milliseconds until what is held in the bands from `priority` on has gone, within the bounds of a Retry-After. */
  retryAfterMs(priority: number): number {
    return this.forecast.retryAfterMs(priority);
  }

  /** What is held, for people and metrics: bands from the lowest, and in each the tenants that were seen lately. */
  queues(): BandView[] {
    return viewBands(this.flows);
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

  /** Picks again for a held request, which may be sent, held somewhere, or have nowhere to go. */
  private again(ticket: Ticket<T>, host: FlowHost<T>, nowMs: number): TicketState {
    this.unhold(ticket, nowMs);
    const placement = host.pickAgain(ticket);
    if (placement === null) {
      ticket.state = 'ended';
      return 'ended';
    }
    place(ticket, placement);
    if (this.rule.mayGo(ticket, placement, nowMs)) {
      this.start(ticket, nowMs);
      host.dispatch(ticket);
      return 'running';
    }
    this.hold(ticket, nowMs);
    host.hold(ticket);
    return 'held';
  }

  private start(ticket: Ticket<T>, nowMs: number): void {
    const line = ticket.line!;
    this.forecast.pass(nowMs);
    this.forecast.sent(ticket.cost);
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
    this.forecast.pass(nowMs);
    this.queue.add(ticket);
    ticket.state = 'held';
  }

  private unhold(ticket: Ticket<T>, nowMs: number): void {
    this.forecast.pass(nowMs);
    this.queue.remove(ticket);
    ticket.state = 'new';
  }

  /** @param sentAtMs when it would be sent, or until when it has waited */
  private shed(ticket: Ticket<T>, reason: ShedReason, sentAtMs: number): Shed {
    ticket.state = 'ended';
    const { request } = ticket;
    const bound = boundOf(reason, request, this.queue, this.options, sentAtMs);
    return { kind: 'shed', reason, bound, retryAfterMs: this.retryAfterMs(request.priority) };
  }
}

/** Flow control of one pool. @throws RangeError when an option makes no sense */
export const createFlowControl = <T>(options: Partial<FlowControlOptions> = {}): FlowControl<T> =>
  new FlowControl<T>({ ...FLOW_CONTROL_DEFAULTS, ...options });

/** KV tokens that the request is expected to need on its worker. */
const needOf = <T>({ uncachedTokens, growthTokens }: Ticket<T>): number => uncachedTokens + growthTokens;

const DISPATCH = { kind: 'dispatch' } as const;

function place<T>(ticket: Ticket<T>, { line, uncachedTokens, expectedOutputTokens }: Placement<T>): void {
  ticket.line = line;
  ticket.uncachedTokens = wholeTokens(uncachedTokens);
  ticket.growthTokens = wholeTokens(expectedOutputTokens);
}
