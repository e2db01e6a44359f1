import { workerId } from '@sluice/model';
import type { FleetColumns } from '@sluice/model';
import { createFlowControl } from '../flow-control.ts';
import type { FlowControl } from '../flow-control.ts';
import type { Line } from '../line.ts';
import type { FlowControlOptions } from '../options.ts';
import type { FlowHost } from '../outcomes.ts';
import type { FlowRequest, Placement, Room, Ticket } from '../ticket.ts';

/** What a spec knows a request by. */
export interface Job {
  readonly id: number;
  uncachedTokens: number;
  outputTokens: number;
  /** Worker that it is placed on whenever it is picked for. */
  worker: number;
  fate: 'waiting' | 'sent' | 'shed' | 'expired' | 'cancelled' | 'ended' | 'lost';
  ticket: Ticket<Job> | null;
}

/** For workers whose slots are all there is: jobs are small, and small ones may else go to a full worker. */
export const slotFlowControl = (options: Partial<FlowControlOptions> = {}): FlowControl<Job> =>
  createFlowControl<Job>({ overcommitShare: 0, ...options });

/** Workers that each have room for so many requests; a stand-in for ledger, policy and engines. */
export class SlotPool implements FlowHost<Job> {
  readonly flow: FlowControl<Job>;
  readonly lines: Line<Job>[];
  readonly slots: number[];
  readonly sent: Job[] = [];
  down = new Set<number>();
  /** When something last happened. */
  private nowMs = 0;
  /** Where a job goes when it is picked for; default: its own worker. */
  place: (job: Job) => number = (job) => job.worker;

  constructor(flow: FlowControl<Job>, slots: readonly number[]) {
    this.flow = flow;
    this.slots = [...slots];
    this.lines = slots.map(() => flow.createLine());
  }

  request(tenant: string, rest: Partial<FlowRequest> = {}): FlowRequest {
    return {
      tenant,
      priority: 0,
      bytes: 100,
      arrivedAtMs: 0,
      deadlineAtMs: null,
      ttftSloMs: null,
      isRetry: false,
      ...rest,
    };
  }

  /** Offers a job and enters what became of it, and of those that had to make room. */
  offer(job: Job, request: FlowRequest, nowMs: number) {
    this.nowMs = nowMs;
    job.ticket = this.flow.arrive(job, request);
    const offered = this.flow.offer(job.ticket, this.placement(job), nowMs);
    if (offered.kind === 'dispatch') this.send(job);
    if (offered.kind === 'shed') job.fate = 'shed';
    if (offered.kind === 'held') for (const { ticket } of offered.displaced) ticket.ref.fate = 'shed';
    return offered;
  }

  /** A running job has written its output, ends and frees its slot. */
  finish(job: Job, nowMs: number): void {
    this.nowMs = nowMs;
    job.fate = 'ended';
    this.flow.wrote(job.ticket!, job.outputTokens);
    this.flow.end(job.ticket!, nowMs, null);
    this.flow.pump(this.lines[job.worker]!, this, nowMs);
  }

  cancel(job: Job, nowMs: number): void {
    job.fate = 'cancelled';
    this.flow.end(job.ticket!, nowMs, null);
  }

  expire(nowMs: number): void {
    for (const { ticket } of this.flow.expire(nowMs)) ticket.ref.fate = 'expired';
  }

  pickAgain({ ref: job }: Ticket<Job>): Placement<Job> | null {
    if (this.down.size === this.lines.length) {
      job.fate = 'lost';
      return null;
    }
    job.worker = this.place(job);
    while (this.down.has(job.worker)) job.worker = (job.worker + 1) % this.lines.length;
    return this.placement(job);
  }

  hold(): void {
    // a spec's jobs are in no ledger
  }

  dispatch({ ref: job }: Ticket<Job>): void {
    this.send(job);
  }

  private send(job: Job): void {
    job.fate = 'sent';
    this.sent.push(job);
  }

  private placement(job: Job): Placement<Job> {
    const { uncachedTokens, outputTokens, worker } = job;
    const line = this.lines[worker]!;
    return { line, uncachedTokens, expectedOutputTokens: outputTokens, room: this.asLedgerSays(job) };
  }

  /** Those held for the worker count in its ledger, but not those that the job goes before. */
  private asLedgerSays({ worker, ticket }: Job): Room {
    const held = (of: (line: Line<Job>) => number): Float64Array => Float64Array.from(this.lines, of);
    const columns = {
      size: this.lines.length,
      ids: this.lines.map((_, row) => workerId(`w${row}`)),
      up: Uint8Array.from(this.lines, (_, row) => (this.down.has(row) ? 0 : 1)),
      inflightRequests: held((line) => line.held),
      queuedPrefillTokens: held((line) => line.heldUncachedTokens),
      expectedGrowthTokens: held((line) => line.heldGrowthTokens),
    };
    this.flow.takeOutOvertaken(ticket!, this.lines, columns as unknown as FleetColumns, this.nowMs);
    const ahead = columns.queuedPrefillTokens[worker]!;
    const growthAhead = columns.expectedGrowthTokens[worker]!;
    this.flow.putBackOvertaken();
    const room = this.roomOf(worker);
    return {
      kvCapacityTokens: room.kvCapacityTokens,
      usedKvTokens: room.usedKvTokens + ahead,
      growthTokens: room.growthTokens + growthAhead,
      queuedPrefillTokens: room.queuedPrefillTokens + ahead,
    };
  }

  /** Memory that is full, but for a worker with nothing in flight, says the same as slots that are. */
  protected roomOf(worker: number): Room {
    const line = this.lines[worker]!;
    const full = line.running >= this.slots[worker]!;
    return { kvCapacityTokens: 1_000_000, usedKvTokens: full ? 1_000_001 : 0, growthTokens: 0, queuedPrefillTokens: 0 };
  }
}

export const job = (id: number, rest: Partial<Job> = {}): Job => ({
  id,
  uncachedTokens: 100,
  outputTokens: 50,
  worker: 0,
  fate: 'waiting',
  ticket: null,
  ...rest,
});
