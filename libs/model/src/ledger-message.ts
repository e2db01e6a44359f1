import type { WorkerId } from './ids.ts';

/** What is in flight on one worker, in whole requests and tokens, so that sums return to exactly zero. */
export interface InFlight {
  readonly requests: number;
  /** Uncached prompt tokens sent and not yet prefilled. */
  readonly queuedPrefillTokens: number;
  /** Requests past their first token. */
  readonly decodes: number;
  /** Prompt and output so far of the decodes running. */
  readonly decodeContextTokens: number;
  /** KV that the decodes running took for themselves: uncached prompt and output so far. */
  readonly heldKvTokens: number;
  /** Output tokens still expected from all requests in flight. */
  readonly growthTokens: number;
}

/** The counts by name, in the order in which they cross the wire. */
export const IN_FLIGHT_COUNTS = [
  'requests',
  'queuedPrefillTokens',
  'decodes',
  'decodeContextTokens',
  'heldKvTokens',
  'growthTokens',
] as const satisfies readonly (keyof InFlight)[];

/** One router's own requests on one worker. */
export interface LedgerRow {
  readonly worker: WorkerId;
  readonly inFlight: InFlight;
}

/**
 * What one router tells the others about its own ledger of one pool. Rows are absolute, never differences: whatever is
 * lost, the next message about the worker makes good.
 */
export interface LedgerMessage {
  /** `changes`: the workers that changed; `state`: every worker with something in flight, and no other has; `leave`: the router is gone. */
  readonly kind: 'changes' | 'state' | 'leave';
  /** Names one life of one router process. */
  readonly router: string;
  /** Names one continuous history of the pool in that router, in milliseconds: larger is newer. */
  readonly epoch: number;
  /** Counts the messages of an epoch from 0. */
  readonly seq: number;
  /** When it was sent, by the sender's clock, milliseconds since the Unix epoch. */
  readonly sentAtMs: number;
  readonly rows: readonly LedgerRow[];
}
