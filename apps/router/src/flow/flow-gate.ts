import { createFlowControl } from '@sluice/flow-control';
import type { Displaced, FlowControl, FlowControlOptions, FlowHost, Placement, Ticket } from '@sluice/flow-control';
import type { Plan, PlanResult } from '../decision/plan.ts';
import type { Pool } from '../fleet/pool.ts';
import type { Engine, Worker } from '../fleet/worker.ts';
import type { FlowMetrics } from './flow-metrics.ts';
import { Turn } from './turn.ts';
import type { Due, Waiting } from './turn.ts';

export interface FlowGateOptions {
  /** In force now. */
  readonly limits: () => FlowControlOptions;
  readonly metrics: FlowMetrics;
  /** Decides again for a turn whose plan is out of date. */
  readonly pick: (turn: Turn) => PlanResult;
  readonly now: () => number;
}

/** How often deadlines of held requests are looked at. */
const EXPIRY_MS = 50;

/**
 * Where requests wait for their turn: the flow control of every pool, driven by what happens in this router. A request
 * that can go at once passes through without a timer or a promise.
 */
export class FlowGate implements FlowHost<Turn> {
  readonly #options: FlowGateOptions;
  /** Workers that have freed something, or are gone, since requests were last picked for them again. */
  readonly #freed = new Set<Worker>();
  #scheduled: NodeJS.Immediate | null = null;
  #expiry: NodeJS.Timeout | null = null;
  /** Turns of held requests. */
  readonly #waiting = new Set<Turn>();

  constructor(options: FlowGateOptions) {
    this.#options = options;
  }

  /** For a new pool. */
  createControl(): FlowControl<Turn> {
    return createFlowControl<Turn>(this.#options.limits());
  }

  /** Other limits are in force: pools go by them, and whoever waits may have room now. */
  limitsChanged(pools: Iterable<Pool>): void {
    for (const pool of pools) {
      pool.flow.reconfigure(this.#options.limits());
      for (const worker of pool.workers.values()) this.#pickAgainSoon(worker);
    }
  }

  /** A request, or a further attempt of it, that is about to be planned. */
  arrive(waiting: Waiting, arrivedAtMs: number): Turn {
    const { tenant, priority, deadlineMs, ttftSloMs } = waiting.level;
    const deadlineAtMs = deadlineMs === null ? null : arrivedAtMs + deadlineMs;
    const bytes = waiting.request.body.length;
    const isRetry = waiting.tried.size > 0;
    const request = { tenant, priority, bytes, arrivedAtMs, deadlineAtMs, ttftSloMs, isRetry };
    return new Turn(this, waiting, (turn) => waiting.pool.flow.arrive(turn, request));
  }

  /** A turn has its plan: it is booked, and due now unless this returns null; it then waits, see {@link Turn.wait}. */
  offer(turn: Turn, plan: Plan): Due | null {
    turn.plan = plan;
    const { pool, ticket } = turn;
    const offered = pool.flow.offer(ticket, plan, this.#options.now());
    switch (offered.kind) {
      case 'shed':
        this.#options.metrics.shed(pool, ticket, offered.reason);
        return offered;
      case 'dispatch':
        turn.booking = pool.ledger.book(plan.row, plan);
        this.#options.metrics.waited(pool, ticket, 0);
        return plan;
      case 'held':
        turn.booking = pool.ledger.hold(plan.row, plan);
        turn.heldAtMs = performance.now();
        this.#waiting.add(turn);
        for (const victim of offered.displaced) this.#turnAway(victim);
        this.#expiry ??= setInterval(() => this.#expire(), EXPIRY_MS);
        return null;
    }
  }

  /** By the clock of every table. */
  now(): number {
    return this.#options.now();
  }

  /** Something of the turn's worker came free. */
  freed(turn: Turn): void {
    this.#pickAgainSoon(turn.plan!.worker);
  }

  /** The attempt has ended; `served` as in the flow control. */
  ended(turn: Turn, served: Parameters<FlowControl<Turn>['end']>[2]): void {
    turn.pool.flow.end(turn.ticket, this.#options.now(), served);
    this.freed(turn);
  }

  /** The client of a held request hung up. */
  left(turn: Turn): void {
    turn.pool.flow.end(turn.ticket, this.#options.now(), null);
    turn.booking!.release();
    this.#over(turn, { kind: 'left' });
    this.freed(turn);
  }

  /** The engine was read, or is out: memory may have come free, or those who wait must go elsewhere. */
  looked(engine: Engine): void {
    for (const worker of engine.workers) this.#pickAgainSoon(worker);
  }

  /** The worker has left the fleet. */
  removed(worker: Worker): void {
    this.#pickAgainSoon(worker);
  }

  stop(): void {
    if (this.#scheduled !== null) clearImmediate(this.#scheduled);
    if (this.#expiry !== null) clearInterval(this.#expiry);
    this.#scheduled = null;
    this.#expiry = null;
  }

  pickAgain(ticket: Ticket<Turn>): Placement<Turn> | null {
    const turn = ticket.ref;
    turn.booking!.release();
    const plan = this.#options.pick(turn);
    if (plan.kind === 'no-worker') {
      this.#over(turn, plan);
      return null;
    }
    turn.plan = plan;
    return plan;
  }

  hold({ ref: turn }: Ticket<Turn>): void {
    turn.booking = turn.pool.ledger.hold(turn.plan!.row, turn.plan!);
  }

  dispatch(ticket: Ticket<Turn>): void {
    const turn = ticket.ref;
    turn.booking = turn.pool.ledger.book(turn.plan!.row, turn.plan!);
    this.#options.metrics.waited(turn.pool, ticket, performance.now() - turn.heldAtMs!);
    this.#over(turn, turn.plan!);
  }

  /**
   * Picks again for whoever waits for the worker, but not within whatever has just told us: answers must not wait for
   * decisions about others.
   */
  #pickAgainSoon(worker: Worker): void {
    if (worker.line.held === 0) return;
    this.#freed.add(worker);
    this.#scheduled ??= setImmediate(() => {
      this.#scheduled = null;
      const workers = [...this.#freed];
      this.#freed.clear();
      for (const freed of workers) this.#pump(freed);
    });
  }

  #pump(worker: Worker): void {
    const { table, flow } = worker.pool;
    const row = table.row(worker.spec.id);
    const usable = row >= 0 && table.columns.up[row] === 1 && worker.pool.workers.get(worker.spec.id) === worker;
    if (usable) flow.pump(worker.line, this, this.#options.now());
    else flow.abandon(worker.line, this, this.#options.now());
  }

  #expire(): void {
    const pools = new Set([...this.#waiting].map(({ pool }) => pool));
    for (const pool of pools) for (const victim of pool.flow.expire(this.#options.now())) this.#turnAway(victim);
  }

  #turnAway({ ticket, ...shed }: Displaced<Turn>): void {
    const turn = ticket.ref;
    turn.booking!.release();
    this.#options.metrics.shed(turn.pool, ticket, shed.reason);
    this.#over(turn, shed);
    this.freed(turn);
  }

  #over(turn: Turn, due: Due): void {
    this.#waiting.delete(turn);
    if (this.#waiting.size === 0 && this.#expiry !== null) {
      clearInterval(this.#expiry);
      this.#expiry = null;
    }
    turn.settle(due);
  }
}
