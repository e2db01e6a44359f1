import type { ServerResponse } from 'node:http';
import type { Shed, Ticket } from '@sluice/flow-control';
import type { PrefillBeside, WorkerId } from '@sluice/model';
import type { Booking } from '@sluice/routing';
import type { ForwardOutcome, Forwarding } from '@sluice/upstream';
import type { Plan, PlanResult } from '../decision/plan.ts';
import type { Pool } from '../fleet/pool.ts';
import type { Prompt } from '../prefix/prefix-view.ts';
import type { InferenceRequest } from '../request/parse-request.ts';
import type { RequestTrace } from '../tracing/request-trace.ts';
import type { FlowGate } from './flow-gate.ts';
import type { ServiceLevel } from './service-level.ts';

/** How the wait for a turn ends: with the plan to be carried out now, or without one. */
export type Due = PlanResult | Shed | { readonly kind: 'left' };

/** A request as its turns know it: the same for every attempt. */
export interface Waiting {
  readonly pool: Pool;
  readonly request: InferenceRequest;
  readonly prompt: Prompt;
  readonly level: ServiceLevel;
  /** Workers that have failed it, with their decisions; grows from attempt to attempt. */
  readonly tried: ReadonlyMap<WorkerId, string>;
  readonly client: ServerResponse;
  readonly trace: RequestTrace;
}

/**
 * One attempt's turn, from its first pick to its end. It is told of the answer's tokens and passes them to the ledger,
 * because what frees a place at a worker may be the turn of another.
 */
export class Turn implements Waiting {
  readonly pool: Pool;
  readonly request: InferenceRequest;
  readonly prompt: Prompt;
  readonly level: ServiceLevel;
  readonly tried: ReadonlyMap<WorkerId, string>;
  readonly client: ServerResponse;
  readonly trace: RequestTrace;
  readonly ticket: Ticket<Turn>;
  /** The latest pick; null before the first. */
  plan: Plan | null = null;
  /** Where it counts in the ledger, held or sent. */
  booking: Booking | null = null;
  /** When it was held, or null. Milliseconds of performance.now. */
  heldAtMs: number | null = null;
  readonly #gate: FlowGate;
  #resolve: ((due: Due) => void) | null = null;

  constructor(gate: FlowGate, waiting: Waiting, ticketOf: (turn: Turn) => Ticket<Turn>) {
    this.#gate = gate;
    this.pool = waiting.pool;
    this.request = waiting.request;
    this.prompt = waiting.prompt;
    this.level = waiting.level;
    this.tried = waiting.tried;
    this.client = waiting.client;
    this.trace = waiting.trace;
    this.ticket = ticketOf(this);
  }

  /** Resolves when the wait of a held request is over; at once with `left` when its client hangs up. */
  wait(): Promise<Due> {
    const due = new Promise<Due>((resolve) => (this.#resolve = resolve));
    if (this.client.destroyed) this.#onClose();
    else this.client.once('close', this.#onClose);
    return due;
  }

  /** For the gate: the wait is over. */
  settle(due: Due): void {
    this.client.off('close', this.#onClose);
    this.#resolve?.(due);
    this.#resolve = null;
  }

  firstToken(): void {
    this.booking!.firstToken(this.#gate.now());
    this.pool.flow.firstToken(this.ticket, this.#gate.now());
    this.#gate.freed(this);
  }

  tokens(count: number): void {
    this.booking!.tokens(count);
    this.pool.flow.wrote(this.ticket, count);
  }

  /** What its worker prefilled of others meanwhile; null when no first token was seen. */
  get beside(): PrefillBeside | null {
    return this.booking!.beside();
  }

  /** The attempt has ended. */
  end(outcome: ForwardOutcome, { usage }: Forwarding['tap']): void {
    this.booking!.release(this.#gate.now());
    this.#gate.ended(this, servedBy(outcome, usage, this.plan!));
  }

  readonly #onClose = (): void => this.#gate.left(this);
}

type Usage = Forwarding['tap']['usage'];

/** What the engine computed for it; null when that is not known. */
function servedBy(outcome: ForwardOutcome, usage: Usage, plan: Plan) {
  if (outcome.kind === 'connect-failed') return { uncachedTokens: 0, outputTokens: 0 };
  if (usage === null) return null;
  const uncachedTokens = Math.max(0, usage.promptTokens - (usage.cachedTokens ?? plan.cachedTokens));
  return { uncachedTokens, outputTokens: usage.completionTokens };
}
