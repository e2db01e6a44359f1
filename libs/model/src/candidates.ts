import type { WorkerId } from './ids.ts';
import type { StepParameters } from './step-parameters.ts';

/**
 * What the router knows about every worker of one pool at one instant: a struct of arrays, one row per worker.
 * Written by the router alone; policies only read it.
 */
export interface FleetColumns {
  /** Number of rows in use; arrays may be longer. */
  readonly size: number;
  readonly ids: readonly WorkerId[];
  /** 1: may be sent to (answered lately, not draining). 0: must not be chosen. */
  readonly up: Uint8Array;

  // scraped from the engine
  readonly waitingRequests: Float64Array;
  readonly runningRequests: Float64Array;
  /** Used share of the KV cache, 0 to 1. */
  readonly kvUsage: Float64Array;
  readonly kvCapacityTokens: Float64Array;
  /** Age of the scraped columns; Infinity when never scraped. */
  readonly signalAgeMs: Float64Array;

  // the ledger: what this router and its siblings have in flight there, in sum
  readonly inflightRequests: Float64Array;
  /** Uncached prompt tokens sent and not yet prefilled, as far as can be told: {@link prefilledTokens} are not in it. */
  readonly queuedPrefillTokens: Float64Array;
  /**
   * Of the requests without a first token, the uncached tokens that are predicted to be prefilled by now, whole. With
   * `queuedPrefillTokens` they are all that was sent and has not been answered yet.
   */
  readonly prefilledTokens: Float64Array;
  /** Requests past their first token. */
  readonly decodesRunning: Float64Array;
  /** Context (prompt and output so far) held by the decodes running. */
  readonly decodeContextTokens: Float64Array;
  /**
   * KV that the decodes running took for themselves (uncached prompt and output so far), and `prefilledTokens`. A shared
   * prefix is not in it.
   */
  readonly heldKvTokens: Float64Array;
  /** `heldKvTokens` when the scraped columns were read: what happened since is the difference. */
  readonly heldKvTokensAtScrape: Float64Array;
  /** Output tokens still expected from all requests in flight. */
  readonly expectedGrowthTokens: Float64Array;
  /** Of `inflightRequests`, those of sibling routers. */
  readonly siblingRequests: Float64Array;
  /** What sibling routers have booked of `queuedPrefillTokens` and `prefilledTokens`. */
  readonly siblingQueuedPrefillTokens: Float64Array;

  /** Step-model parameters in force for the worker's variant, worker bias applied. */
  readonly step: readonly StepParameters[];
}

/** Columns filled for one request. */
export interface RequestColumns {
  /** Prompt tokens that the worker need not compute again, whatever the tier. */
  readonly cachedTokens: Float64Array;
  /**
   * Prompt tokens of this router's requests in flight with this one among them, in whole blocks, text that several share
   * counted once. Filled only where a policy needs it.
   */
  readonly activePromptTokens: Float64Array;
  /** Predicted milliseconds to the first token, KV load included. NaN when there is no usable prediction. */
  readonly predictedTtftMs: Float64Array;
  /** Predicted milliseconds per output token. NaN when there is no usable prediction. */
  readonly predictedTpotMs: Float64Array;
}

export type Candidates = FleetColumns & RequestColumns;
/** Name of a column that a policy may declare as needed. */
export type Signal = Exclude<keyof Candidates, 'size' | 'ids' | 'up'>;

/** What a policy is told about the request. */
export interface RouteQuery {
  /** Exact where the prefix matched, estimated for the rest. */
  readonly promptTokens: number;
  /** Expected output tokens (learned mean, capped by the request's own limit). */
  readonly expectedOutputTokens: number;
  /** Stable hash of the client's session, or null when it named none. */
  readonly sessionHash: number | null;
  /** Milliseconds from the decision in which the first token is wanted; null or absent: unconstrained, as all below. */
  readonly ttftSloMs?: number | null;
  /** Wanted milliseconds per output token after the first. */
  readonly tpotSloMs?: number | null;
  /** Milliseconds from the decision until the client gives up. */
  readonly deadlineMs?: number | null;
  /** Larger goes first; absent: 0. */
  readonly priority?: number;
}
