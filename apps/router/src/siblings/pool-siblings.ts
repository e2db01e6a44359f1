import type { LedgerMessage, PoolId } from '@sluice/model';
import { LedgerOutbox, SiblingLedgers } from '@sluice/routing';
import type { FleetTable, SiblingView } from '@sluice/routing';

/** The siblings of one pool, for people. */
export interface PoolSiblingsView {
  readonly pool: PoolId;
  readonly siblings: readonly SiblingView[];
}

/** One pool's part in the sharing: what is to be said about it, and what was heard. */
export class PoolSiblings {
  readonly pool: PoolId;
  readonly table: FleetTable;
  readonly ledgers: SiblingLedgers;
  readonly #outbox: LedgerOutbox;
  #stateIsDue = true;

  /** @param onBooking called when siblings should be told something at once */
  constructor(pool: PoolId, table: FleetTable, router: string, epoch: number, onBooking: () => void) {
    this.pool = pool;
    this.table = table;
    this.ledgers = new SiblingLedgers(table);
    this.#outbox = new LedgerOutbox(table, router, epoch, () => {
      if (this.ledgers.count > 0) onBooking();
    });
  }

  /** The next message has to be the whole state: a heartbeat, or somebody new listens. */
  dueState(): void {
    this.#stateIsDue = true;
  }

  /** What siblings should hear now, or null. With nobody there, only the state has somebody to say it to: whoever joins. */
  next(which: 'bookings' | 'all', nowMs: number): LedgerMessage | null {
    if (this.#stateIsDue) {
      this.#stateIsDue = false;
      return this.#outbox.state(nowMs);
    }
    return this.ledgers.count === 0 ? null : this.#outbox.changes(which, nowMs);
  }

  leave(nowMs: number): LedgerMessage {
    return this.#outbox.leave(nowMs);
  }

  view(): PoolSiblingsView {
    return { pool: this.pool, siblings: this.ledgers.views() };
  }
}
