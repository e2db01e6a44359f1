import type { Placement, Ticket } from './ticket.ts';

/** Why a request was turned away. */
export type ShedReason =
  /** The queue holds as many requests as it may. */
  | 'queue-full'
  /** It holds as many bytes as it may. */
  | 'queue-bytes'
  /** The wait would be longer than the TTFT that was asked for. */
  | 'ttft-slo'
  /** The wait would be longer than the client's patience. */
  | 'deadline'
  /** It was held, and had to make room for a request of a higher band or of a tenant with less held. */
  | 'displaced'
  /** It was held until its deadline. */
  | 'expired';

/** What a request that was turned away ran into, in requests, bytes or milliseconds since its arrival, as the reason says. */
export interface Bound {
  /** Requests held; bytes held and its own; how long it would have waited, or has. */
  readonly reached: number;
  readonly limit: number;
}

export interface Shed {
  readonly kind: 'shed';
  readonly reason: ShedReason;
  /** Null for one that made room: it ran into none of its own. */
  readonly bound: Bound | null;
  /** When to try again: until what is held in its band and above has gone, as far as is known. */
  readonly retryAfterMs: number;
}
/** A held request that had to make room, and when to try again. */
export interface Displaced<T> extends Shed {
  readonly ticket: Ticket<T>;
}
export type Offered<T> =
  /** To be sent to the worker now. */
  | { readonly kind: 'dispatch' }
  /** It waits for the worker; `displaced` were turned away for it. */
  | { readonly kind: 'held'; readonly displaced: readonly Displaced<T>[] }
  | Shed;

/** What flow control asks of the one who routes when it picks again. All of it is synchronous. */
export interface FlowHost<T> {
  /**
   * Takes a held request's booking out of the ledger and picks again, as the request will meet the pool: its worker
   * again unless another is better. Null when no worker can be picked; the request has then ended.
   */
  pickAgain(ticket: Ticket<T>): Placement<T> | null;
  /** It waits on, for the worker just picked: to be booked there. */
  hold(ticket: Ticket<T>): void;
  /** Its turn has come, at the worker just picked: to be booked and sent. */
  dispatch(ticket: Ticket<T>): void;
}
