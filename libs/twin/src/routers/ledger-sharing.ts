import type { LedgerMessage } from '@sluice/model';
import { LedgerOutbox, SiblingLedgers } from '@sluice/routing';
import type { FleetTable } from '@sluice/routing';
import type { Timeline } from '../clock/timeline.ts';

/**
 * Carries what each router has in flight to the others: bookings at once, everything with every heartbeat. It arrives
 * `lagMs` later.
 */
export class LedgerSharing {
  private readonly timeline: Timeline;
  private readonly lagMs: number;
  private readonly outboxes: readonly LedgerOutbox[];
  private readonly siblings: readonly SiblingLedgers[];
  /** Routers that will say something as soon as what happens now is over. */
  private readonly aboutToSend = new Set<LedgerOutbox>();

  constructor(tables: readonly FleetTable[], lagMs: number, timeline: Timeline, startMs: number) {
    this.timeline = timeline;
    this.lagMs = lagMs;
    this.siblings = tables.map((table) => new SiblingLedgers(table));
    this.outboxes = tables.map((table, number) => {
      const outbox = new LedgerOutbox(table, `router-${number}`, 0, () => this.sendSoon(outbox));
      return outbox;
    });
    for (const outbox of this.outboxes) this.deliver(outbox.state(startMs), startMs);
  }

  heartbeat(nowMs: number): void {
    for (const outbox of this.outboxes) this.send(outbox.state(nowMs), nowMs);
  }

  private sendSoon(outbox: LedgerOutbox): void {
    if (this.aboutToSend.has(outbox)) return;
    this.aboutToSend.add(outbox);
    this.timeline.push(this.timeline.nowMs, {
      fire: (nowMs) => {
        this.aboutToSend.delete(outbox);
        const message = outbox.changes('bookings', nowMs);
        if (message !== null) this.send(message, nowMs);
      },
    });
  }

  private send(message: LedgerMessage, nowMs: number): void {
    this.timeline.push(nowMs + this.lagMs, { fire: (atMs) => this.deliver(message, atMs) });
  }

  private deliver(message: LedgerMessage, nowMs: number): void {
    for (const [number, siblings] of this.siblings.entries()) {
      if (this.outboxes[number]!.router !== message.router) siblings.apply(message, nowMs);
    }
  }
}
