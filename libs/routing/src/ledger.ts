import { wholeTokens } from '@sluice/model';
import type { PrefillBeside } from '@sluice/model';
import type { FleetTable, WorkerSlot } from './fleet-table.ts';
import { pairsOf } from './prefill-queue.ts';
import type { Prefilled, QueuedPrefill } from './prefill-queue.ts';

/** What a request is expected to do on the worker it goes to. Fractions are rounded: the ledger counts whole tokens. */
export interface BookedRequest {
  readonly promptTokens: number;
  /** Prompt tokens that the worker must compute. */
  readonly uncachedTokens: number;
  readonly expectedOutputTokens: number;
}

/**
 * One request in flight. Every call may come late, twice or after {@link release}: it then does nothing. `nowMs` is by
 * the clock of the table; without it, the latest time that the table was told.
 */
export interface Booking {
  /** Prefill is over: the request leaves the queue and decodes. */
  firstToken(nowMs?: number): void;
  /** `count` more output tokens, after the first. Before {@link firstToken} it stands for that one too. */
  tokens(count: number): void;
  /** The request ended, in whatever way. */
  release(nowMs?: number): void;
  /** What its worker prefilled of others since it was booked; null before the first token. */
  beside(): PrefillBeside | null;
}

/**
 * What this router has in flight on each worker of a pool. Writes the ledger columns of its table, O(1) per event.
 * A request's uncached tokens count as queued until they are predicted to be prefilled, all at the first token at the
 * latest, then as held memory with its output.
 */
export class Ledger {
  private readonly table: FleetTable;

  constructor(table: FleetTable) {
    this.table = table;
  }

  /** Books `request`, sent to the worker in `row` at the time of the decision; must happen before the next one. */
  book(row: number, request: BookedRequest): Booking {
    return new LedgerBooking(this.table, this.table.slot(row), request, true);
  }

  /** Books `request`, kept for the worker in `row` and not sent: it counts there, but nothing of it is under way. */
  hold(row: number, request: BookedRequest): Booking {
    return new LedgerBooking(this.table, this.table.slot(row), request, false);
  }
}

/** The ledger of one pool's table. */
export const createLedger = (table: FleetTable): Ledger => new Ledger(table);

class LedgerBooking implements Booking, QueuedPrefill {
  // what every token touches comes first, to be in one cache line
  private state: 'queued' | 'decoding' | 'released' = 'queued';
  private readonly slot: WorkerSlot;
  private readonly table: FleetTable;
  private outputTokens = 0;
  private growthTokens: number;
  readonly promptTokens: number;
  readonly uncachedTokens: number;
  readonly sentAtMs: number;
  before: QueuedPrefill | null = null;
  after: QueuedPrefill | null = null;
  private readonly sent: boolean;
  /** Of its worker when it was booked: all it had prefilled, and what was done of the first in the queue. */
  private readonly tokensAtBooking: number;
  private readonly pairsAtBooking: number;
  private readonly underWayAtBooking: number;
  /** Of the step of its first token. */
  private ownStep: Prefilled | null = null;

  constructor(table: FleetTable, slot: WorkerSlot, request: BookedRequest, sent: boolean) {
    this.table = table;
    this.slot = slot;
    this.sent = sent;
    this.sentAtMs = table.nowMs;
    this.promptTokens = wholeTokens(request.promptTokens);
    this.uncachedTokens = Math.min(wholeTokens(request.uncachedTokens), this.promptTokens);
    this.growthTokens = wholeTokens(request.expectedOutputTokens);
    const { inFlight } = slot;
    const { tokens, pairs } = slot.queue.prefilled;
    this.tokensAtBooking = tokens;
    this.pairsAtBooking = pairs;
    this.underWayAtBooking = slot.prefilledTokens;
    if (sent) slot.queue.append(this);
    inFlight.requests += 1;
    inFlight.queuedPrefillTokens += this.uncachedTokens;
    inFlight.growthTokens += this.growthTokens;
    table.mirror(slot);
  }

  firstToken(nowMs = this.table.nowMs): void {
    if (this.state !== 'queued') return;
    this.table.told(nowMs);
    this.startDecoding();
    this.grow(1);
    this.table.mirror(this.slot);
  }

  tokens(count: number): void {
    if (this.state === 'decoding') {
      this.grow(wholeTokens(count));
      this.table.mirrorGrowth(this.slot);
    } else if (this.state === 'queued') {
      this.startDecoding();
      this.grow(wholeTokens(count));
      this.table.mirror(this.slot);
    }
  }

  release(nowMs = this.table.nowMs): void {
    if (this.state === 'released') return;
    this.table.told(nowMs);
    const { inFlight } = this.slot;
    if (this.state === 'queued') {
      this.leaveQueue(false);
      inFlight.queuedPrefillTokens -= this.uncachedTokens;
    } else {
      inFlight.decodes -= 1;
      inFlight.decodeContextTokens -= this.promptTokens + this.outputTokens;
      inFlight.heldKvTokens -= this.uncachedTokens + this.outputTokens;
    }
    inFlight.growthTokens -= this.growthTokens;
    inFlight.requests -= 1;
    this.state = 'released';
    this.table.mirror(this.slot);
  }

  beside(): PrefillBeside | null {
    const { ownStep, promptTokens, uncachedTokens, underWayAtBooking } = this;
    if (ownStep === null) return null;
    const others = ownStep.tokens - this.tokensAtBooking - uncachedTokens;
    const tokensBefore = Math.max(0, others - underWayAtBooking);
    const pairs = ownStep.pairs - this.pairsAtBooking - pairsOf(promptTokens, uncachedTokens);
    const now = this.slot.queue.prefilled;
    return {
      tokensBefore,
      // what was under way is taken out by its share of the tokens
      pairsBefore: others > 0 ? (Math.max(0, pairs) * tokensBefore) / others : 0,
      tokensAfter: now.tokens - ownStep.tokens,
      pairsAfter: now.pairs - ownStep.pairs,
      stepsAfter: now.steps - ownStep.steps,
    };
  }

  private startDecoding(): void {
    const { inFlight } = this.slot;
    this.leaveQueue(true);
    inFlight.queuedPrefillTokens -= this.uncachedTokens;
    inFlight.decodes += 1;
    inFlight.decodeContextTokens += this.promptTokens;
    inFlight.heldKvTokens += this.uncachedTokens;
    this.state = 'decoding';
  }

  /** @param done its prompt is computed, not given up */
  private leaveQueue(done: boolean): void {
    if (!this.sent) return;
    const { slot, table } = this;
    const { queue } = slot;
    const wasHead = queue.remove(this);
    if (done) {
      queue.completed(this.promptTokens, this.uncachedTokens, table.nowMs);
      this.ownStep = queue.prefilled;
    } else if (wasHead) {
      queue.cleared(table.nowMs);
    }
    if (done || wasHead) slot.prefilledTokens = 0;
  }

  private grow(count: number): void {
    const { inFlight } = this.slot;
    const expected = Math.min(count, this.growthTokens);
    this.outputTokens += count;
    this.growthTokens -= expected;
    inFlight.decodeContextTokens += count;
    inFlight.heldKvTokens += count;
    inFlight.growthTokens -= expected;
  }
}
