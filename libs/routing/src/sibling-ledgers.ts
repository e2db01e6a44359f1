import type { InFlight, LedgerMessage, LedgerRow, WorkerId } from '@sluice/model';
import type { FleetTable, WorkerSlot } from './fleet-table.ts';

/** A router says its whole state so often. */
export const SIBLING_HEARTBEAT_MS = 1000;
/** A sibling not heard for so long, three heartbeats, is taken for dead. */
export const SIBLING_EXPIRY_MS = 3 * SIBLING_HEARTBEAT_MS;

/**
 * What became of a message: `joined` when the sibling was not known before, and so does not know this router either;
 * `stale` when it is a repeat or was overtaken by a later one.
 */
export type Applied = 'applied' | 'joined' | 'left' | 'stale';

/** One sibling, for people. */
export interface SiblingView {
  readonly router: string;
  readonly joinedAtMs: number;
  readonly heardAtMs: number;
  /** Messages that never came, by gaps in their numbers. */
  readonly lostMessages: number;
  /** Workers with something of it in flight. */
  readonly workers: number;
  /** Sum over the workers. */
  readonly inFlight: InFlight;
}

interface Share {
  readonly slot: WorkerSlot;
  inFlight: InFlight;
  /** Message that named it last. */
  seq: number;
}

interface Sibling {
  readonly router: string;
  readonly joinedAtMs: number;
  heardAtMs: number;
  epoch: number;
  seq: number;
  lostMessages: number;
  readonly shares: Map<WorkerId, Share>;
}

/**
 * What the other routers of a pool have in flight on each worker, added to the ledger columns of the table, so that
 * whoever reads them sees the sum. O(rows of the message) per message, nothing per decision. Rows are absolute, so a
 * lost message costs accuracy until the next one about the worker, at the latest the next `state`, and nothing more.
 * Workers that the table does not know are kept for when it does.
 */
export class SiblingLedgers {
  private readonly table: FleetTable;
  private readonly siblings = new Map<string, Sibling>();

  constructor(table: FleetTable) {
    this.table = table;
  }

  get count(): number {
    return this.siblings.size;
  }

  /** @param nowMs of the receiver's own clock, as for {@link expire} */
  apply(message: LedgerMessage, nowMs: number): Applied {
    const known = this.siblings.get(message.router);
    if (known !== undefined && isOlder(message, known)) return 'stale';
    if (message.kind === 'leave') return this.forget(message.router) ? 'left' : 'stale';
    const sibling = known ?? this.join(message, nowMs);
    sibling.heardAtMs = nowMs;
    if (known !== undefined && message.epoch > known.epoch) this.dropShares(known);
    else if (known !== undefined) known.lostMessages += message.seq - known.seq - 1;
    // What is seen of a history for the first time happened before; the engines' own signals show it already.
    const isOld = known === undefined || message.epoch !== known.epoch;
    sibling.epoch = message.epoch;
    sibling.seq = message.seq;
    for (const row of message.rows) this.setShare(sibling, row, isOld);
    if (message.kind === 'state') {
      for (const share of sibling.shares.values()) {
        if (share.seq !== message.seq) this.dropShare(sibling, share, false);
      }
    }
    return known === undefined ? 'joined' : 'applied';
  }

  /** Takes out what `router` had in flight; false when it was not known. */
  forget(router: string): boolean {
    const sibling = this.siblings.get(router);
    if (sibling === undefined) return false;
    this.siblings.delete(router);
    this.dropShares(sibling);
    return true;
  }

  /** Forgets the siblings not heard for `afterMs`; returns their names. */
  expire(nowMs: number, afterMs: number = SIBLING_EXPIRY_MS): string[] {
    const dead = [...this.siblings.values()].filter(({ heardAtMs }) => nowMs - heardAtMs >= afterMs);
    for (const { router } of dead) this.forget(router);
    return dead.map(({ router }) => router);
  }

  views(): SiblingView[] {
    return [...this.siblings.values()].map(({ router, joinedAtMs, heardAtMs, lostMessages, shares }) => {
      const rows = [...shares.values()];
      const sum = (name: keyof InFlight): number => rows.reduce((total, { inFlight }) => total + inFlight[name], 0);
      const inFlight = {
        requests: sum('requests'),
        queuedPrefillTokens: sum('queuedPrefillTokens'),
        decodes: sum('decodes'),
        decodeContextTokens: sum('decodeContextTokens'),
        heldKvTokens: sum('heldKvTokens'),
        growthTokens: sum('growthTokens'),
      };
      return { router, joinedAtMs, heardAtMs, lostMessages, workers: rows.length, inFlight };
    });
  }

  private join({ router, epoch, seq }: LedgerMessage, nowMs: number): Sibling {
    const sibling = { router, joinedAtMs: nowMs, heardAtMs: nowMs, epoch, seq, lostMessages: 0, shares: new Map() };
    this.siblings.set(router, sibling);
    return sibling;
  }

  private setShare(sibling: Sibling, { worker, inFlight }: LedgerRow, isOld: boolean): void {
    const share = sibling.shares.get(worker);
    if (isNothing(inFlight)) {
      if (share !== undefined) this.dropShare(sibling, share, isOld);
      return;
    }
    const slot = share?.slot ?? this.table.slotOf(worker);
    this.table.replaceSiblingShare(slot, share?.inFlight ?? null, inFlight, isOld);
    if (share === undefined) {
      sibling.shares.set(worker, { slot, inFlight, seq: sibling.seq });
    } else {
      share.inFlight = inFlight;
      share.seq = sibling.seq;
    }
  }

  private dropShares(sibling: Sibling): void {
    // A dead router's requests died with it, and the engines' signals have shown that since.
    for (const share of sibling.shares.values()) this.dropShare(sibling, share, true);
  }

  private dropShare(sibling: Sibling, { slot, inFlight }: Share, isOld: boolean): void {
    sibling.shares.delete(slot.id);
    this.table.replaceSiblingShare(slot, inFlight, null, isOld);
  }
}

const isOlder = (message: LedgerMessage, known: Sibling): boolean =>
  message.epoch < known.epoch || (message.epoch === known.epoch && message.seq <= known.seq);

function isNothing(inFlight: InFlight): boolean {
  const { requests, queuedPrefillTokens, decodes, decodeContextTokens, heldKvTokens, growthTokens } = inFlight;
  return requests + queuedPrefillTokens + decodes + decodeContextTokens + heldKvTokens + growthTokens === 0;
}
