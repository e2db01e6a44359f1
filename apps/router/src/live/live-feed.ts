import type { LiveRequest, LiveSnapshot, LiveTick, LiveTotals } from '@sluice/contracts';
import type { Router } from '../router.ts';
import { LIVE_COLUMNS, LiveWorkers } from './live-workers.ts';
import { SLOT_MS } from './recent-latency.ts';

/** Requests of a snapshot, and most of one tick. */
const MOST_REQUESTS = 200;

/** Turns the router's state into what listeners are sent: the same for all of them. */
export class LiveFeed {
  readonly tickMs: number;
  readonly #router: Router;
  readonly #workers: LiveWorkers;
  /** The next decision to tell. */
  #next = 0;
  /** Decisions that were told without an outcome. */
  #open = new Set<number>();
  /** Slots closed before then were told. */
  #latencyAtMs = 0;

  constructor(router: Router, tickMs: number) {
    this.#router = router;
    this.tickMs = tickMs;
    this.#workers = new LiveWorkers(router);
  }

  /** Begins anew, after a time in which nobody listened. */
  restart(): void {
    this.#workers.reload();
    const { decisions } = this.#router;
    this.#next = decisions.next;
    this.#open.clear();
    for (const { sequence, request } of decisions.lastLive(MOST_REQUESTS))
      if (isOpen(request)) this.#open.add(sequence);
    this.#latencyAtMs = this.#router.now();
  }

  /** What was told so far, for one who joins. Valid between ticks. */
  snapshot(): LiveSnapshot {
    const { siblings, now, decisions, recent } = this.#router;
    const nowMs = now();
    return {
      kind: 'snapshot',
      nowMs,
      router: siblings.router,
      tickMs: this.tickMs,
      fleetVersion: this.#workers.fleetVersion,
      columns: LIVE_COLUMNS,
      workers: this.#workers.workers(),
      values: this.#workers.values(),
      reasons: this.#workers.reasons(),
      totals: this.#totals(),
      requests: decisions.lastLive(MOST_REQUESTS).map(({ request }) => request),
      latency: recent.view(0, this.#latencyAtMs),
    };
  }

  /** What changed since the last tick; null when the fleet did, and everybody needs a snapshot. */
  tick(): LiveTick | null {
    if (this.#workers.isOutdated) {
      this.restart();
      return null;
    }
    const nowMs = this.#router.now();
    const { requests, skipped, forgotten } = this.#requests();
    return {
      kind: 'tick',
      nowMs,
      totals: this.#totals(),
      ...this.#workers.changes(),
      requests,
      skipped,
      forgotten,
      latency: this.#closedSlots(nowMs),
    };
  }

  #closedSlots(nowMs: number): LiveTick['latency'] {
    const sinceMs = this.#latencyAtMs;
    if (Math.floor(sinceMs / SLOT_MS) === Math.floor(nowMs / SLOT_MS)) return [];
    this.#latencyAtMs = nowMs;
    return this.#router.recent.view(sinceMs, nowMs);
  }

  /** Decisions that are new, or whose end was not told yet. */
  #requests(): Pick<LiveTick, 'requests' | 'skipped' | 'forgotten'> {
    const { decisions } = this.#router;
    const forgotten: string[] = [];
    const requests: LiveRequest[] = [];
    const first = Math.max(this.#next, decisions.next - MOST_REQUESTS);
    const skipped = first - this.#next;
    for (let sequence = decisions.next - 1; sequence >= first; sequence--) {
      const request = decisions.live(sequence);
      if (request === null) continue;
      if (isOpen(request)) this.#open.add(sequence);
      requests.push(request);
    }
    for (const sequence of this.#open) {
      if (sequence >= first) continue;
      const request = decisions.live(sequence);
      if (request !== null && isOpen(request)) continue;
      this.#open.delete(sequence);
      if (request === null) forgotten.push(decisions.idOf(sequence));
      else requests.push(request);
    }
    this.#next = decisions.next;
    return { requests, skipped, forgotten };
  }

  #totals(): LiveTotals {
    const { fleet, bus, prefix, decisions } = this.#router;
    const { nodes, memberships, speculative, evictedNodes, bytes } = prefix.stats();
    let held = 0;
    let inFlight = 0;
    for (const { flow, workers } of fleet.pools.values()) {
      held += flow.held;
      for (const { line } of workers.values()) inFlight += line.running;
    }
    return {
      policy: fleet.policyId,
      inFlight: inFlight + held,
      held,
      decisions: decisions.next,
      busConnected: bus.state() === 'connected',
      index: { nodes, memberships, speculative, evictedNodes, bytes },
    };
  }
}

/** Whether more is to come of it: a request that was moved on has no outcome of its own. */
const isOpen = ({ outcome, followedBy }: LiveRequest): boolean => outcome === null && followedBy === null;
