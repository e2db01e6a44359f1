import type { FinishReason, RequestProgress } from './engine-api.ts';
import type { StepWork } from './step-time.ts';

/** A request as scheduling needs it: lengths, and its text as an opaque chain of block keys. */
export interface CoreRequest {
  /** At least 1. */
  readonly promptTokens: number;
  /** Output tokens after which the request ends with `length`; at least 1. */
  readonly maxTokens: number;
  /**
   * Keys of the full blocks of prompt and output, at least the first `count`: two words each, low word first. Equal keys
   * mean equal text from the start to there, so keys of text that is unique differ. Asked only for blocks that are full.
   * Low words pick places in tables, so they should be spread well; those of consecutive blocks may be neighbours.
   */
  blockKeys(count: number): Int32Array;
  /**
   * Output token number `index`, from 0, is sampled; true when the output ends with it whatever `maxTokens` says. Absent:
   * nobody asks for tokens, and the output has `maxTokens` of them.
   */
  sample?(index: number): boolean;
}

/** Told of every change of the prefix cache as it happens. Words of keys are signed, as {@link CoreRequest.blockKeys} has them. */
export interface KvSink<R> {
  /** Blocks [first, end) of the request became cached; the words at `2 * (first - 1)` of `keys` are their parent's. */
  stored(request: R, keys: Int32Array, first: number, end: number): void;
  /** A block lost its content; a key held by several copies is removed once a copy. */
  removed(keyHi: number, keyLo: number): void;
  cleared(): void;
}

/**
 * One step, as `StepResult` of engine-api.ts. The object and its arrays are reused: they are valid until the next call
 * of `step`, and of the arrays the first `sampled` places.
 */
export interface CoreStep<R> extends Readonly<StepWork> {
  readonly startMs: number;
  readonly durationMs: number;
  /** Requests that got a token. */
  readonly sampled: number;
  readonly requests: readonly R[];
  /** Why the request ended with its token; null: it goes on. */
  readonly finished: readonly (FinishReason | null)[];
}

/** A request inside the core. */
export interface CoreHandle<R> extends RequestProgress {
  readonly request: R;
}

export type CoreSubmission<R> =
  | { readonly kind: 'accepted'; readonly handle: CoreHandle<R> }
  /** Prompt and output could never fit in the KV cache. */
  | { readonly kind: 'rejected' };
