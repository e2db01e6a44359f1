import type { Rng } from '@sluice/model';
import type { KvEvent } from './kv-event.ts';
import type { EngineProfile } from './profiles.ts';
import type { StepWork } from './step-time.ts';

/** What a caller submits. The very object comes back in {@link StepResult}, so it may carry the caller's own fields. */
export interface EngineRequest {
  /** Token ids of the prompt; never empty. */
  readonly promptTokens: Uint32Array;
  /** Output tokens after which the request ends with `length`; at least 1. */
  readonly maxTokens: number;
  /** The token that ends the output with `stop`, or null to go on to `maxTokens`. */
  readonly stopToken: number | null;
  readonly loraName: string | null;
  readonly cacheSalt: string | null;
  /** Output token number `index`, from 0: what a real engine would sample. */
  nextToken(index: number): number;
}

/** How far a submitted request is; live, owned by the engine. */
export interface RequestProgress {
  readonly submittedMs: number;
  /** Start of the first step that computed something for it. */
  readonly scheduledMs: number | null;
  readonly promptTokens: number;
  readonly outputTokens: number;
  /** Prompt tokens found in the prefix cache when it was first scheduled. */
  readonly cachedTokens: number;
  readonly preemptions: number;
}

export type Submission =
  | { readonly kind: 'accepted'; readonly progress: RequestProgress }
  /** Prompt and output could never fit in the KV cache, which has room for `capacityTokens`. */
  | { readonly kind: 'rejected'; readonly reason: 'exceeds-kv-capacity'; readonly capacityTokens: number };

export type FinishReason = 'stop' | 'length';

/**
 * One step. It starts at `startMs`, lasts `durationMs`, and its tokens and events appear at its end. The object and its
 * arrays are reused: they are valid until the next call of `step`.
 */
export interface StepResult<R> extends Readonly<StepWork> {
  readonly startMs: number;
  readonly durationMs: number;
  /** Requests that got a token, and in the same order the token and why the request ended with it (null: it goes on). */
  readonly requests: readonly R[];
  readonly tokens: readonly number[];
  readonly finished: readonly (FinishReason | null)[];
  /** Changes of the prefix cache, in order. */
  readonly events: readonly KvEvent[];
}

export interface EngineStats {
  readonly runningRequests: number;
  readonly waitingRequests: number;
  /** Blocks that a request can use, one less than configured: vLLM keeps one as a placeholder. */
  readonly totalBlocks: number;
  /** Blocks that running requests reference. */
  readonly usedBlocks: number;
  /** Blocks in the prefix cache, referenced or not; copies count each. */
  readonly cachedBlocks: number;
  /** `usedBlocks / totalBlocks`. */
  readonly kvUsage: number;
  /** Tokens looked up in the prefix cache, and how many of them were found (first scheduling of each request). */
  readonly prefixQueryTokens: number;
  readonly prefixHitTokens: number;
  readonly preemptions: number;
  readonly steps: number;
}

export interface EngineOptions {
  readonly profile: EngineProfile;
  /** Defaults: the profile's. */
  readonly blockSize?: number;
  readonly kvBlocks?: number;
  readonly maxBatchTokens?: number;
  readonly maxSeqs?: number;
  /** Multiplies each step's duration by a log-normal factor of mean 1 and this sigma of the logarithm. */
  readonly jitter?: { readonly sigma: number; readonly rng: Rng };
}

/** A continuous-batching engine in virtual time: the caller advances the clock by each step's duration. */
export interface Engine<R extends EngineRequest> {
  /** Tokens of KV that requests can use. */
  readonly capacityTokens: number;
  /** Queues a request. `nowMs` may lie inside a step; the request is seen by the next one. */
  submit(request: R, nowMs: number): Submission;
  /** Drops a request and frees its blocks. False when it is not here (unknown, finished or dropped before). */
  abort(request: R): boolean;
  /**
   * Runs the next step from `nowMs`, which must not lie before the end of the step before it. Null: nothing to do, and
   * nothing will be until a request is submitted.
   * @throws RangeError when `nowMs` lies before the end of the previous step.
   */
  step(nowMs: number): StepResult<R> | null;
  /** Whether {@link step} would have something to do. */
  hasWork(): boolean;
  /** Empties the prefix cache, announced with the next step; false (and nothing done) while a request holds blocks. */
  resetPrefixCache(): boolean;
  stats(): EngineStats;
}
