import type { InFlight, LedgerMessage, LedgerRow } from '@sluice/model';
import type { FleetTable, WorkerSlot } from './fleet-table.ts';

/**
 * What this router tells its siblings about its own ledger of one pool. A request that was booked, got its first token or
 * ended is worth a message at once; output that grows can wait for the next one.
 */
export class LedgerOutbox {
  readonly router: string;
  readonly epoch: number;
  private readonly table: FleetTable;
  /** Changed since it was last told. */
  private readonly changed = new Set<WorkerSlot>();
  /** What the siblings were told last; absent means nothing in flight. */
  private readonly told = new Map<WorkerSlot, InFlight>();
  private seq = 0;

  /**
   * @param router names this life of this router; no other may have it
   * @param epoch milliseconds, larger than that of any earlier outbox of the same router and pool
   * @param onBooking called when there is something that siblings should know at once, possibly many times before it is taken
   */
  constructor(table: FleetTable, router: string, epoch: number, onBooking: () => void = () => undefined) {
    this.table = table;
    this.router = router;
    this.epoch = epoch;
    table.onOwnChange((slot) => {
      this.changed.add(slot);
      if (this.isUrgent(slot)) onBooking();
    });
  }

  /** The workers that changed since they were last told, with `bookings` only those where requests came, went or began to decode; null when there are none. */
  changes(which: 'bookings' | 'all', nowMs: number): LedgerMessage | null {
    const rows: LedgerRow[] = [];
    for (const slot of this.changed) {
      if (which === 'bookings' && !this.isUrgent(slot)) continue;
      this.changed.delete(slot);
      rows.push(this.tell(slot));
    }
    return rows.length === 0 ? null : this.message('changes', rows, nowMs);
  }

  /** Everything in flight: sent as heartbeat and to whoever joins, it makes good whatever was lost. */
  state(nowMs: number): LedgerMessage {
    this.changed.clear();
    this.told.clear();
    const rows: LedgerRow[] = [];
    for (const slot of this.table.slotsInUse()) rows.push(this.tell(slot));
    return this.message('state', rows, nowMs);
  }

  /** The last word: siblings forget this router at once. */
  leave(nowMs: number): LedgerMessage {
    return this.message('leave', [], nowMs);
  }

  private isUrgent(slot: WorkerSlot): boolean {
    const told = this.told.get(slot);
    const { requests, decodes } = slot.inFlight;
    return told === undefined ? requests !== 0 : requests !== told.requests || decodes !== told.decodes;
  }

  private tell(slot: WorkerSlot): LedgerRow {
    const inFlight = { ...slot.inFlight };
    if (inFlight.requests === 0) this.told.delete(slot);
    else this.told.set(slot, inFlight);
    return { worker: slot.id, inFlight };
  }

  private message(kind: LedgerMessage['kind'], rows: readonly LedgerRow[], sentAtMs: number): LedgerMessage {
    return { kind, router: this.router, epoch: this.epoch, seq: this.seq++, sentAtMs, rows };
  }
}
