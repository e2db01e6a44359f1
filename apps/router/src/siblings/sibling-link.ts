import type { Bus } from '@sluice/bus';
import { decodeLedgerMessage, encodeLedgerMessage, ledgerMessages } from '@sluice/contracts';
import type { LedgerMessage, PoolId } from '@sluice/model';
import { SIBLING_EXPIRY_MS, SIBLING_HEARTBEAT_MS } from '@sluice/routing';
import type { FleetTable } from '@sluice/routing';
import type { Logger, Metrics } from '@sluice/telemetry';
import { PoolSiblings } from './pool-siblings.ts';
import type { PoolSiblingsView } from './pool-siblings.ts';
import { createSiblingMetrics } from './sibling-metrics.ts';
import type { SiblingMetrics } from './sibling-metrics.ts';

/** Bookings of a moment share a message: at most one per pool in so many milliseconds. */
const LEAST_GAP_MS = 2;
/** Output that grows may be so old at the siblings. */
const GROWTH_MS = 100;

export interface SiblingLinkOptions {
  readonly bus: Bus;
  /** Names this life of this router: no other may have it. */
  readonly router: string;
  readonly pools: () => Iterable<{ readonly id: PoolId; readonly table: FleetTable }>;
  readonly metrics: Metrics;
  readonly logger: Logger;
  /** Milliseconds since the Unix epoch that never go back. */
  readonly now: () => number;
  readonly heartbeatMs?: number;
  readonly expiryMs?: number;
}

/**
 * Shares the ledgers of this router's pools with the other routers of the fleet over the bus, see README.md. Routing
 * never waits for it: without a bus the siblings expire and the own ledger is all there is.
 */
export class SiblingLink {
  readonly router: string;
  readonly #options: SiblingLinkOptions;
  readonly #metrics: SiblingMetrics;
  readonly #pools = new Map<string, PoolSiblings>();
  readonly #ends: (() => void)[] = [];
  readonly #expiryMs: number;
  readonly #heartbeatMs: number;
  #isRunning = false;
  #flushIsDue = false;
  #flushedAtMs = 0;
  #tickedAtMs = 0;
  #heartbeatAtMs = 0;
  #warnedOfInvalid = false;

  constructor(options: SiblingLinkOptions) {
    this.#options = options;
    this.router = options.router;
    this.#heartbeatMs = options.heartbeatMs ?? SIBLING_HEARTBEAT_MS;
    this.#expiryMs = options.expiryMs ?? SIBLING_EXPIRY_MS;
    this.#metrics = createSiblingMetrics(options.metrics, () => this.views(), options.now);
  }

  /** Says hello; whoever is there answers with its state. */
  start(): void {
    const { bus, now } = this.#options;
    this.#isRunning = true;
    this.#tickedAtMs = this.#heartbeatAtMs = now();
    const ticks = setInterval(() => this.#tick(), Math.min(GROWTH_MS, this.#heartbeatMs));
    this.#ends.push(
      bus.receive(ledgerMessages, ([pool], bytes) => this.#received(pool!, bytes)),
      bus.onState((state) => {
        if (state === 'connected') this.#sayState();
      }),
      () => clearInterval(ticks),
    );
    this.poolsChanged();
  }

  /** To be called after pools came or went. */
  poolsChanged(): void {
    if (!this.#isRunning) return;
    const gone = new Set(this.#pools.keys());
    for (const { id, table } of this.#options.pools()) {
      gone.delete(id);
      if (this.#pools.get(id)?.table === table) continue;
      const { router, now } = this.#options;
      this.#pools.set(id, new PoolSiblings(id, table, router, now(), this.#flushSoon));
    }
    for (const id of gone) {
      this.#say(this.#pools.get(id)!, 'leave');
      this.#pools.delete(id);
    }
    this.#flush();
  }

  /** Siblings forget this router at once; what they had in flight stays in the tables. */
  stop(): void {
    for (const end of this.#ends.splice(0)) end();
    for (const pool of this.#pools.values()) this.#say(pool, 'leave');
    this.#isRunning = false;
    this.#pools.clear();
  }

  views(): PoolSiblingsView[] {
    return [...this.#pools.values()].map((pool) => pool.view());
  }

  #received(poolId: string, bytes: Uint8Array): void {
    const pool = this.#pools.get(poolId);
    if (pool === undefined) return;
    const message = this.#decode(bytes);
    if (message === null || message.router === this.router) return;
    const nowMs = this.#options.now();
    const applied = pool.ledgers.apply(message, nowMs);
    if (applied === 'stale') {
      this.#metrics.stale.inc();
      return;
    }
    this.#metrics.applied.inc();
    this.#metrics.delay.observe(Math.max(0, nowMs - message.sentAtMs) / 1000);
    if (applied === 'applied') return;
    this.#options.logger.info({ pool: poolId, sibling: message.router }, `sibling router ${applied}`);
    if (applied === 'joined') {
      pool.dueState();
      this.#flushSoon();
    }
  }

  #decode(bytes: Uint8Array): LedgerMessage | null {
    try {
      return decodeLedgerMessage(bytes);
    } catch (error) {
      this.#metrics.invalid.inc();
      if (!this.#warnedOfInvalid) this.#options.logger.warn({ err: error }, 'a ledger message cannot be read');
      this.#warnedOfInvalid = true;
      return null;
    }
  }

  /** Something was booked: it is told at the end of this turn of the event loop, with all else that is booked until then. */
  readonly #flushSoon = (): void => {
    if (this.#flushIsDue || !this.#isRunning) return;
    this.#flushIsDue = true;
    const waitMs = this.#flushedAtMs + LEAST_GAP_MS - this.#options.now();
    if (waitMs > 0) setTimeout(this.#flush, waitMs);
    else setImmediate(this.#flush);
  };

  readonly #flush = (): void => {
    this.#flushIsDue = false;
    this.#flushedAtMs = this.#options.now();
    for (const pool of this.#pools.values()) this.#say(pool, 'bookings');
  };

  #tick(): void {
    const nowMs = this.#options.now();
    // After a pause of this process what siblings said meanwhile is still to be read.
    const wasHeldUp = nowMs - this.#tickedAtMs > this.#heartbeatMs / 2 + GROWTH_MS;
    this.#tickedAtMs = nowMs;
    if (!wasHeldUp) this.#expire(nowMs);
    if (nowMs - this.#heartbeatAtMs >= this.#heartbeatMs) {
      this.#heartbeatAtMs = nowMs;
      this.#sayState();
    } else {
      for (const pool of this.#pools.values()) this.#say(pool, 'all');
    }
  }

  #expire(nowMs: number): void {
    for (const { pool, ledgers } of this.#pools.values()) {
      for (const sibling of ledgers.expire(nowMs, this.#expiryMs)) {
        this.#metrics.expired.inc();
        this.#options.logger.warn({ pool, sibling }, 'sibling router fell silent: its requests are taken for ended');
      }
    }
  }

  #sayState(): void {
    for (const pool of this.#pools.values()) {
      pool.dueState();
      this.#say(pool, 'all');
    }
  }

  #say(pool: PoolSiblings, what: 'bookings' | 'all' | 'leave'): void {
    const { bus, now } = this.#options;
    if (bus.state() !== 'connected') return;
    const message = what === 'leave' ? pool.leave(now()) : pool.next(what, now());
    if (message === null) return;
    bus.send(ledgerMessages, [pool.pool], encodeLedgerMessage(message));
    this.#metrics.sent.inc();
  }
}
