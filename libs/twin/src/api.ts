import type { EngineProfile } from '@sluice/engine-model';
import type { Outcome } from '@sluice/latency-model';
import type { FlowControlOptions } from '@sluice/flow-control';
import type { PolicyId, PolicyOptions } from '@sluice/routing';

/** One request of a workload. Equal block ids at equal places mean equal text; everything else is unique. */
export interface SimulatedRequest {
  /** When the client sends it, fixed in advance (open loop). */
  readonly arrivalMs: number;
  /** Ids (whole numbers from 0 to 2^31 - 1) of the runs of `blockTokens` tokens that the prompt starts with. */
  readonly blocks: readonly number[];
  readonly blockTokens: number;
  /** Length of the prompt: cuts the last run short, or goes on after it with tokens that no other request has. */
  readonly promptTokens: number;
  /** Output tokens after which it ends; the router does not know them. */
  readonly outputTokens: number;
  /** Limit on its output that the request names, which the router reads; default: it names none. */
  readonly outputLimit?: number;
  /** Stable number of the client's session, or null. */
  readonly session: number | null;
  /** Whose share of a contended fleet it takes; default: all requests are one tenant's. */
  readonly tenant?: string;
  /** Larger goes first; default 0. */
  readonly priority?: number;
  /** Milliseconds from its arrival in which its first token is wanted; default: whenever. */
  readonly ttftSloMs?: number;
  /** Milliseconds per output token after the first that are wanted; default: whatever. */
  readonly tpotSloMs?: number;
  /** Milliseconds from its arrival after which its client gives up waiting for its turn; default: never. */
  readonly deadlineMs?: number;
}

/** One replica. */
export interface EngineSetup {
  readonly profile: EngineProfile;
  /** KV tokens of the replica; default: the profile's. */
  readonly kvTokens?: number;
  /** Tokens of a KV block; default: the profile's. */
  readonly blockSize?: number;
  /** How many times as slow as the profile it computes and reads memory; default 1. */
  readonly slowdown?: number;
  /** Replicas of one variant are believed to be alike while latency is learned; default: the profile's id. */
  readonly variant?: string;
  /** When it joins the fleet, empty; default: it is there from the start. */
  readonly joinsMs?: number;
}

/** An engine dies (its memory is lost, its connections break) or comes back empty. */
export interface FleetChange {
  readonly atMs: number;
  /** Its place in `engines`. */
  readonly engine: number;
  readonly kind: 'kill' | 'return';
}

/** Several routers in front of one fleet; requests are spread over them at random. */
export interface RoutersSetup {
  readonly count: number;
  /** Whether each learns what its siblings have in flight. */
  readonly shared: 'none' | 'ledgers';
  /** Until a change of one router's ledger is known to the others; default 5. */
  readonly shareLagMs?: number;
}

/** Requests that wait until all before them have ended, as those of load generators that run in stages do. */
export interface Stage {
  /** Number of its first request. */
  readonly firstRequest: number;
  /** From the last end before it until it starts. The `arrivalMs` of its requests count from there. */
  readonly pauseMs: number;
}

/** Service level: both must be met for a request to count as good. */
export interface Slo {
  readonly ttftMs: number;
  readonly tpotMs: number;
}

export interface TwinOptions {
  /** In order of arrival, within a stage. */
  readonly requests: readonly SimulatedRequest[];
  /** In order of their first request; default: none, every arrival is fixed in advance. */
  readonly stages?: readonly Stage[];
  readonly engines: readonly EngineSetup[];
  readonly policy: PolicyId;
  readonly policyOptions?: PolicyOptions;
  /** Of the policy's randomness. */
  readonly seed: number;
  /**
   * How the policy draws: all decisions from one stream (`in-turn`, the default), or each from a stream of its own
   * (`by-decision`), as a router with `ROUTER_SEED` does: runs that differ a little then stay alike.
   */
  readonly draws?: 'in-turn' | 'by-decision';
  /** Between the end of a step and its KV events in the router's index; default 10. */
  readonly eventLagMs?: number;
  /** Between two readings of the engines' metrics; default 50. */
  readonly pollMs?: number;
  /** Between a request's arrival and its dispatch, the decision made at the end; default 0. */
  readonly routerLagMs?: number;
  /** Requests that arrive before are not measured; default 0. */
  readonly warmUpMs?: number;
  /**
   * What the router knows of the engines' speed: their own constants (`exact`, the default), or what a learner made of
   * the outcomes so far, from the unslowed profile on (`learned`).
   */
  readonly latency?: 'exact' | 'learned';
  /**
   * How the router's prefix index is kept: by block keys made from the ids of the prompts (`exact`, the default), or as
   * the production index over their bytes (`production`), several times as slow. Decisions are equal but for the rules in
   * README.md. Where events can be lost it is always the production index.
   */
  readonly index?: 'exact' | 'production';
  /** For goodput. */
  readonly slo?: Slo;
  /** Engines that die and come back, in order of time; default: none. */
  readonly failures?: readonly FleetChange[];
  /** Until the router notices a death by itself; a refused connection tells it earlier. Default 100. */
  readonly failureDetectMs?: number;
  /** Default: one. */
  readonly routers?: RoutersSetup;
  /**
   * Requests wait in the router for their turn while their engine has no room, as in production; default: they are sent
   * at once. Without effect under policies that do not decide in milliseconds.
   */
  readonly flowControl?: Partial<FlowControlOptions>;
  /** Share of KV event batches that never reach a router, 0 to 1; default 0. */
  readonly lostEventShare?: number;
  /** From noticing that a batch is missing until the engine's whole state is known again; default 1000. */
  readonly resyncMs?: number;
  /** Log-normal jitter of every step, mean 1, `sigma` of the logarithm; default: none. */
  readonly jitter?: { readonly sigma: number };
  /** Whether the result holds what became of every request. */
  readonly keepRecords?: boolean;
  /** Time between two samples of the result's timelines; default: none are taken. */
  readonly sampleMs?: number;
  /** Request number `index` goes to engine `row`; again when it is sent elsewhere. */
  readonly onDecision?: (index: number, row: number, nowMs: number) => void;
  /**
   * Where latency is learned: what the engine in `row` showed of a request that was sent there at `sentMs` and has just
   * ended.
   */
  readonly onOutcome?: (row: number, outcome: Outcome, sentMs: number, nowMs: number) => void;
  /** Called about a hundred times. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** Of all measured requests, a failed one as infinitely late; null where that makes the value infinite or nothing was measured. */
export interface LatencySummary {
  readonly mean: number | null;
  readonly p50: number | null;
  readonly p90: number | null;
  readonly p99: number | null;
  readonly p999: number | null;
}

/** Every request by its number, warm-up included. Infinite: it failed. */
export interface TwinRecords {
  readonly arrivalMs: Float64Array;
  readonly firstTokenMs: Float64Array;
  readonly endMs: Float64Array;
  /** From arrival, as `e2eMs`. */
  readonly ttftMs: Float64Array;
  readonly e2eMs: Float64Array;
  /** NaN for a request with one output token. */
  readonly tpotMs: Float64Array;
  readonly cachedTokens: Float64Array;
  /** Engine that it was sent to last; -1: none. */
  readonly engine: Int32Array;
}

/** One engine at the times of {@link TwinTimelines}. */
export interface EngineTimeline {
  readonly running: readonly number[];
  readonly waiting: readonly number[];
  /** 0 to 1. */
  readonly kvUsage: readonly number[];
  /** Share of the prompt tokens scheduled since the sample before that were found in the cache; null: there were none. */
  readonly cachedShare: readonly (number | null)[];
}

/** All zero, and null, while an engine is not there. */
export interface TwinTimelines {
  readonly timesMs: readonly number[];
  readonly engines: readonly EngineTimeline[];
}

/** What a run showed. Latencies are the client's: from `arrivalMs` on. */
export interface TwinResult {
  readonly policy: PolicyId;
  readonly seed: number;
  /** Measured requests, failed ones included. */
  readonly requests: number;
  readonly failed: number;
  /** With `flowControl`: of the failed, those that it turned away. */
  readonly shed?: number;
  readonly ttftMs: LatencySummary;
  /** Time per output token after the first; requests with one output token have none. */
  readonly tpotMs: LatencySummary;
  readonly e2eMs: LatencySummary;
  /** Output tokens of measured requests, over the time from the end of the warm-up until the last one ended. */
  readonly outputTokensPerS: number;
  /** Share of the measured prompt tokens that the engines found in their prefix caches. */
  readonly cachedTokenShare: number;
  /**
   * Those cached tokens over what one LRU cache with the KV memory of all engines would have found of the same requests
   * in order of arrival; null when that is nothing.
   */
  readonly capturedReuse: number | null;
  /** Most prompt tokens that one engine was sent, over the mean of all engines (measured requests); 1 is even. */
  readonly imbalance: number;
  /** Preemptions in the whole run. */
  readonly preemptions: number;
  /** Measured requests per second that met the service level; null without one. */
  readonly goodput: number | null;
  /** Steps of all engines in the whole run. */
  readonly engineSteps: number;
  /** Virtual time at which the last request ended. */
  readonly virtualMs: number;
  /** With `keepRecords`. */
  readonly records?: TwinRecords;
  /** With `sampleMs`. */
  readonly timelines?: TwinTimelines;
}
