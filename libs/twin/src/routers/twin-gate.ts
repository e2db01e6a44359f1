import { createFlowControl } from '@sluice/flow-control';
import type { FlowControl, FlowControlOptions, FlowHost, Line, Placement, Room, Ticket } from '@sluice/flow-control';
import type { FleetColumns } from '@sluice/model';
import { usedKvTokens } from '@sluice/routing';
import type { Booking, DecisionTerms } from '@sluice/routing';
import type { Flight } from '../clients/flight.ts';
import type { Timeline } from '../clock/timeline.ts';
import type { TwinPlan, TwinRouter } from './twin-router.ts';

/** What becomes of a request that a router is given: `held` ends in a call of the sender. */
export type Routed = 'sent' | 'held' | 'nowhere';

/** Is told when the wait of a held request is over. */
export interface FlightSender {
  /** `flight.dispatch` is set. */
  send(flight: Flight, nowMs: number): void;
  /** It was shed, or (not `shed`) has no worker left to go to. */
  turnedAway(flight: Flight, shed: boolean, nowMs: number): void;
}

const ALL_ONE_TENANT = 'default';
/** No prompt is held in memory as bytes here: the bound on bytes is that of some four bytes a token. */
const BYTES_PER_TOKEN = 4;
const ALWAYS_ROOM: Room = { kvCapacityTokens: 0, usedKvTokens: 0, growthTokens: 0, queuedPrefillTokens: 0 };

/** The flow control of one router in virtual time: what `FlowGate` and `planRequest` of apps/router do with it. */
export class TwinGate implements FlowHost<Flight> {
  private readonly flow: FlowControl<Flight>;
  private readonly router: TwinRouter;
  private readonly sender: FlightSender;
  private readonly timeline: Timeline;
  /** By row of the table: rows never change here. */
  private readonly lines: Line<Flight>[] = [];
  /** Latest plan and booking of those that wait. */
  private readonly waiting = new Map<Flight, { plan: TwinPlan; booking: Booking }>();
  private readonly freedRows = new Set<number>();
  private nowMs = 0;

  constructor(options: Partial<FlowControlOptions>, router: TwinRouter, sender: FlightSender, timeline: Timeline) {
    this.flow = createFlowControl(options);
    this.router = router;
    this.sender = sender;
    this.timeline = timeline;
  }

  /** A request, or a further attempt of it. */
  enter(flight: Flight, nowMs: number): Routed {
    this.nowMs = nowMs;
    const { tenant = ALL_ONE_TENANT, priority = 0, deadlineMs, ttftSloMs = null } = flight.request;
    const { arrivalMs: arrivedAtMs } = flight;
    const deadlineAtMs = deadlineMs === undefined ? null : arrivedAtMs + deadlineMs;
    const bytes = BYTES_PER_TOKEN * flight.promptTokens;
    const isRetry = flight.tried.length > 0;
    const request = { tenant, priority, bytes, arrivedAtMs, deadlineAtMs, ttftSloMs, isRetry };
    flight.ticket = this.flow.arrive(flight, request);
    const plan = this.router.plan(flight, nowMs);
    if (plan === null) return 'nowhere';
    const offered = this.flow.offer(flight.ticket, this.placement(plan), nowMs);
    switch (offered.kind) {
      case 'dispatch':
        this.router.send(flight, plan, nowMs);
        return 'sent';
      case 'shed':
        this.sender.turnedAway(flight, true, nowMs);
        return 'held';
      case 'held':
        this.waiting.set(flight, { plan, booking: this.router.hold(plan) });
        for (const { ticket } of offered.displaced) this.leave(ticket.ref);
        return 'held';
    }
  }

  /** For a pick: see the flow control. */
  takeOutOvertaken({ ticket }: Flight): void {
    const { columns } = this.router.table;
    while (this.lines.length < columns.size) this.lines.push(this.flow.createLine());
    this.flow.takeOutOvertaken(ticket!, this.lines, columns, this.nowMs);
  }

  putBackOvertaken(): void {
    this.flow.putBackOvertaken();
  }

  /** Whoever is held stays where it is when that costs as good as nothing. */
  stayedFor(flight: Flight, chosen: number, { up }: FleetColumns, { tieCost, cost }: DecisionTerms): number {
    const row = this.waiting.get(flight)?.plan.row;
    if (row === undefined || up[row] !== 1) return chosen;
    return cost[row]! <= tieCost ? row : chosen;
  }

  roomOf(row: number, columns: FleetColumns, { unit }: DecisionTerms): Room {
    if (unit !== 'ms') return ALWAYS_ROOM;
    return {
      kvCapacityTokens: columns.kvCapacityTokens[row]!,
      usedKvTokens: usedKvTokens(columns, row),
      growthTokens: columns.expectedGrowthTokens[row]!,
      queuedPrefillTokens: columns.queuedPrefillTokens[row]!,
    };
  }

  /** The booking of a request that is sent, which tells the flow control of its tokens too. */
  metered({ ticket }: Flight, row: number, booking: Booking): Booking {
    return {
      firstToken: (nowMs) => {
        booking.firstToken(nowMs);
        this.flow.firstToken(ticket!, this.timeline.nowMs);
        this.freed(row);
      },
      tokens: (count) => {
        booking.tokens(count);
        this.flow.wrote(ticket!, count);
      },
      release: (nowMs) => booking.release(nowMs),
      beside: () => booking.beside(),
    };
  }

  /** The request was answered, or its attempt failed. */
  ended({ ticket, dispatch }: Flight, nowMs: number): void {
    this.flow.end(ticket!, nowMs, null);
    this.freed(dispatch!.row);
  }

  /** The metrics of a worker were read. */
  looked(row: number, nowMs: number): void {
    this.freed(row);
    for (const { ticket } of this.flow.expire(nowMs)) this.leave(ticket.ref);
  }

  /** The worker has freed something, or is gone: those who wait for it are looked at once this moment is over. */
  freed(row: number): void {
    if ((this.lines[row]?.held ?? 0) === 0 || this.freedRows.has(row)) return;
    this.freedRows.add(row);
    this.timeline.push(this.timeline.nowMs, {
      fire: (nowMs) => {
        this.freedRows.delete(row);
        this.nowMs = nowMs;
        const line = this.lines[row]!;
        if (this.router.table.columns.up[row] === 1) this.flow.pump(line, this, nowMs);
        else this.flow.abandon(line, this, nowMs);
      },
    });
  }

  pickAgain({ ref: flight }: Ticket<Flight>): Placement<Flight> | null {
    const held = this.waiting.get(flight)!;
    held.booking.release();
    const plan = this.router.plan(flight, this.nowMs);
    if (plan === null) {
      this.waiting.delete(flight);
      this.sender.turnedAway(flight, false, this.nowMs);
      return null;
    }
    held.plan = plan;
    return this.placement(plan);
  }

  hold({ ref: flight }: Ticket<Flight>): void {
    const held = this.waiting.get(flight)!;
    held.booking = this.router.hold(held.plan);
  }

  dispatch({ ref: flight }: Ticket<Flight>): void {
    const { plan } = this.waiting.get(flight)!;
    this.waiting.delete(flight);
    this.router.send(flight, plan, this.nowMs);
    this.sender.send(flight, this.nowMs);
  }

  private leave(flight: Flight): void {
    this.waiting.get(flight)!.booking.release();
    this.waiting.delete(flight);
    this.sender.turnedAway(flight, true, this.timeline.nowMs);
  }

  private placement({ row, uncachedTokens, expectedOutputTokens, room }: TwinPlan): Placement<Flight> {
    return { line: this.lines[row]!, uncachedTokens, expectedOutputTokens, room: room! };
  }
}
