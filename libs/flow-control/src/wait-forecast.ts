import { DecayingRate } from './decaying-rate.ts';
import type { Flows } from './flows.ts';
import type { HeldQueue } from './held-queue.ts';
import type { Ticket } from './ticket.ts';

/** Of how fast the queue drains. */
const DRAIN_HALF_LIFE_MS = 5000;
/** Bounds of what is told as Retry-After. */
const RETRY_MS = { least: 1000, most: 60_000 };

/** How long requests would wait: the service that is due before them over how fast the queue drains of late. */
export class WaitForecast<T> {
  private readonly flows: Flows<T>;
  private readonly queue: HeldQueue<T>;
  /** Service that is sent out while something waits. */
  private readonly drain = new DecayingRate(DRAIN_HALF_LIFE_MS);

  constructor(flows: Flows<T>, queue: HeldQueue<T>) {
    this.flows = flows;
    this.queue = queue;
  }

  /** To be called before the queue changes and before anything is sent: with nothing held, time passes without a drain. */
  pass(nowMs: number): void {
    this.drain.pass(nowMs, this.queue.requests > 0);
  }

  /** A request of this cost was sent. */
  sent(cost: number): void {
    this.drain.add(cost);
  }

  /** Why the request would wait longer than it may if it were held now; null: it would not, as far as is known. */
  tooLate(ticket: Ticket<T>, nowMs: number): 'deadline' | 'ttft-slo' | null {
    const { deadlineAtMs, ttftSloMs, arrivedAtMs } = ticket.request;
    if (deadlineAtMs === null && ttftSloMs === null) return null;
    const waitMs = this.waitMs(ticket);
    if (waitMs === null) return null;
    if (deadlineAtMs !== null && nowMs + waitMs >= deadlineAtMs) return 'deadline';
    return ttftSloMs !== null && nowMs + waitMs - arrivedAtMs > ttftSloMs ? 'ttft-slo' : null;
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

  /** Milliseconds that `ticket` would wait in the queue if it were held now; null while too little is known. */
  waitMs(ticket: Ticket<T>): number | null {
    const perMs = this.drain.perMs();
    if (perMs === null) return this.queue.requests === 0 ? 0 : null;
    return this.costAhead(ticket) / perMs;
  }

  /** Service due before `ticket`: all of higher bands, and of its own what its tenants are due by then. */
  private costAhead(ticket: Ticket<T>): number {
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
