import type { StepParameters } from '@sluice/model';

/** What one step computes, summed over its sequences. */
export interface StepWork {
  /** Tokens computed in the step, prefill and decode. */
  batchTokens: number;
  /** Sum over prefill chunks of `chunk x (context before it + chunk / 2)`: (query, key) pairs. */
  prefillPairs: number;
  /** Sum over decodes of the context each attends to, in tokens. */
  decodeContextTokens: number;
  /** Sequences in the step. */
  sequences: number;
}

/** Milliseconds that a step with this work takes, by the formula of {@link StepParameters}. */
export function stepTimeMs(step: StepParameters, work: Readonly<StepWork>): number {
  return (
    step.t0Ms +
    Math.max(step.twMs, step.aMsPerToken * work.batchTokens) +
    step.kAttMs * work.prefillPairs +
    step.kKvMs * work.decodeContextTokens +
    step.kSeqMs * work.sequences
  );
}

/** Milliseconds between the arrival of a request's bytes and its arrival in the engine's queue. */
export function apiTimeMs(step: StepParameters, promptTokens: number): number {
  return step.apiBaseMs + step.apiPerTokenMs * promptTokens;
}
