import type { DecisionOutcome, DecisionRecord } from './decision.ts';

/**
 * What `GET /live` of a router sends as server-sent events: one {@link LiveSnapshot} first (and again when the fleet
 * changed or the reader fell behind), then a {@link LiveTick} a second with what changed. Times are milliseconds since the
 * Unix epoch by the router's clock.
 */
export type LiveMessage = LiveSnapshot | LiveTick;

/** What `GET /live` of a console in front of several routers sends: what each of them tells, or why one tells nothing. */
export type LiveRouterEvent = LiveRouterMessage | LiveRouterLost;

export interface LiveRouterMessage {
  /** As the console calls it. */
  readonly router: string;
  readonly message: LiveMessage;
}

export interface LiveRouterLost {
  readonly router: string;
  /** Why its stream cannot be had; it is asked again. */
  readonly lost: string;
  /** HTTP status that it answered, or null. */
  readonly status: number | null;
}

/**
 * A number of a worker. As in the worker's view of `GET /workers`, but for: `state` 0 unknown, 1 up, 2 down; `up` 1 when it
 * is sent requests; `heldRequests` that the router holds until it has room; `cachedTokens` in its KV cache as far as the
 * index knows; `prefixes` 0 approximate, 1 incomplete, 2 live; `silentS` whole seconds since its engine was last read, 0
 * when that is as it should be, -1 never.
 */
export type LiveColumn =
  | 'state'
  | 'up'
  | 'inflightRequests'
  | 'siblingRequests'
  | 'queuedPrefillTokens'
  | 'decodesRunning'
  | 'runningRequests'
  | 'waitingRequests'
  | 'heldRequests'
  | 'kvUsage'
  | 'kvCapacityTokens'
  | 'cachedTokens'
  | 'prefixes'
  | 'silentS';

/** What does not change about a worker while the fleet is what it is. */
export interface LiveWorker {
  readonly worker: string;
  readonly pool: string;
  readonly url: string;
  readonly dpRank: number | null;
  readonly role: string;
  readonly variant: string;
}

/** Why a worker is not up; empty when it is. */
export type LiveReason = readonly [row: number, reason: string];

export interface LiveTotals {
  readonly policy: string;
  /** Requests of the data plane being handled. */
  readonly inFlight: number;
  /** Of those, held in the router until a worker has room. */
  readonly held: number;
  /** Decisions made since the router started. */
  readonly decisions: number;
  readonly busConnected: boolean;
  readonly index: {
    readonly nodes: number;
    readonly memberships: number;
    readonly speculative: number;
    readonly evictedNodes: number;
    readonly bytes: number;
  };
}

/** A decision without its candidates; the latest of one id replaces those before. */
export type LiveRequest = Pick<
  DecisionRecord,
  'id' | 'atMs' | 'pool' | 'model' | 'policy' | 'worker' | 'promptTokens' | 'retryOf' | 'movedFrom' | 'followedBy'
> & {
  /** Of the chosen worker, as the next. */
  readonly cachedTokens: number | null;
  readonly predictedTtftMs: number | null;
  readonly outcome: Pick<
    DecisionOutcome,
    'result' | 'status' | 'cachedTokens' | 'outputTokens' | 'ttftMs' | 'tpotMs' | 'e2eMs' | 'heldMs'
  > | null;
};

/** Milliseconds that so many of 100 took at most: 50, 90, 95, 99. Buckets are 7.5 % apart. Null when there was none. */
export type LiveQuantiles = readonly [p50: number, p90: number, p95: number, p99: number] | null;

/** Attempts that ended in a stretch of time. Failed, shed and abandoned ones are in `failed`, and in no quantile. */
export interface LiveLatency {
  readonly startMs: number;
  readonly durationMs: number;
  readonly completed: number;
  readonly failed: number;
  /** Arrival to first content of streamed answers, time in the queue included. */
  readonly ttftMs: LiveQuantiles;
  readonly tpotMs: LiveQuantiles;
  readonly e2eMs: LiveQuantiles;
}

/** Latencies of one pool; an empty name stands for all. */
export interface LivePoolLatency {
  readonly pool: string;
  /** Closed slots, oldest first: all that are kept in a snapshot, those closed since in a tick. */
  readonly slots: readonly LiveLatency[];
  /** The last minute, five minutes, and all that is kept. */
  readonly windows: readonly LiveLatency[];
}

export interface LiveSnapshot {
  readonly kind: 'snapshot';
  readonly nowMs: number;
  /** Names this life of this router. */
  readonly router: string;
  readonly tickMs: number;
  readonly fleetVersion: number;
  readonly columns: readonly LiveColumn[];
  /** Rows of the columns. */
  readonly workers: readonly LiveWorker[];
  /** By column, then by row. */
  readonly values: readonly (readonly number[])[];
  readonly reasons: readonly LiveReason[];
  readonly totals: LiveTotals;
  /** Newest first. */
  readonly requests: readonly LiveRequest[];
  readonly latency: readonly LivePoolLatency[];
}

export interface LiveTick {
  readonly kind: 'tick';
  readonly nowMs: number;
  readonly totals: LiveTotals;
  /** Column, rows that changed, and what they are now. */
  readonly changes: readonly (readonly [column: number, rows: readonly number[], values: readonly number[]])[];
  readonly reasons: readonly LiveReason[];
  /** New or changed, newest first. */
  readonly requests: readonly LiveRequest[];
  /** Decisions that were too many for one tick. */
  readonly skipped: number;
  /** Ids of requests that left the router's log before they ended. */
  readonly forgotten: readonly string[];
  /** Empty unless a slot was closed. */
  readonly latency: readonly LivePoolLatency[];
}
