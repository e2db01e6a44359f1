import type { Candidates, WorkerId } from '@sluice/model';
import type { KvBatch } from '../kv-events/kv-batch.ts';
import type { RequestText } from '../text/request-text.ts';

/** No prefill takes longer, as in the router; only entries whose request never settles get this old. */
export const SPECULATION_MS = 600_000;
/** A speculation outlives its request by this much, as in the router, unless the worker's events came before. */
export const GRACE_MS = 250;

/** Number of a routed prompt that a view takes the worker to hold, until the worker's own events say so. */
export type Speculation = number;

/**
 * Which worker holds which prefix as a router believes: fed by delayed events and by what was routed, in the order of
 * the router's own view. Rows are the fleet table's.
 */
export interface PrefixView {
  /** Fills `cachedTokens` of every row, by the rules of the router's `fillCachedTokens`. */
  fillCachedTokens(candidates: Candidates, prompt: RequestText, nowMs: number): void;
  /** The prompt was routed to the worker. */
  speculate(row: number, prompt: RequestText, nowMs: number): Speculation;
  /** The request ended that was sent to `row` then. `computed`: the worker has computed the prompt. */
  settle(speculation: Speculation, row: number, sentAtMs: number, computed: boolean, nowMs: number): void;
  /** The worker's events have arrived. Copies of a block are counted, as the event bridge does: the last one to go counts. */
  apply(row: number, batch: KvBatch, nowMs: number): void;
  /** The worker's events have a gap: what they said is dropped, and what was routed there stands in, up to its capacity. */
  distrust(row: number, capacityTokens: number): void;
  /** An opening batch of the worker: it says all that it holds. Routed prompts stay. */
  reopen(row: number, batch: KvBatch, nowMs: number): void;
}

/** One worker of a view. */
export interface ViewedWorker {
  readonly id: WorkerId;
  /** Tokens of its KV blocks. */
  readonly blockSize: number;
}
