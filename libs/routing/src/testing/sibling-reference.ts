import type { InFlight, LedgerMessage, WorkerId } from '@sluice/model';

interface Heard {
  epoch: number;
  seq: number;
  atMs: number;
  rows: Map<WorkerId, InFlight>;
}

/** The siblings' ledgers as their definition reads: what each said last, summed up from scratch at every question. */
export class SiblingReference {
  private readonly heard = new Map<string, Heard>();

  apply(message: LedgerMessage, nowMs: number): void {
    const before = this.heard.get(message.router);
    if (before !== undefined) {
      if (message.epoch < before.epoch) return;
      if (message.epoch === before.epoch && message.seq <= before.seq) return;
    }
    if (message.kind === 'leave') {
      this.heard.delete(message.router);
      return;
    }
    const continues = message.kind === 'changes' && before?.epoch === message.epoch;
    const rows = new Map(continues ? before.rows : []);
    for (const { worker, inFlight } of message.rows) rows.set(worker, inFlight);
    this.heard.set(message.router, { epoch: message.epoch, seq: message.seq, atMs: nowMs, rows });
  }

  expire(nowMs: number, afterMs: number): void {
    for (const [router, { atMs }] of this.heard) if (nowMs - atMs >= afterMs) this.heard.delete(router);
  }

  get routers(): string[] {
    return [...this.heard.keys()].sort();
  }

  /** Sum over the siblings of one number of one worker. */
  sum(worker: WorkerId, name: keyof InFlight): number {
    let total = 0;
    for (const { rows } of this.heard.values()) total += rows.get(worker)?.[name] ?? 0;
    return total;
  }
}
