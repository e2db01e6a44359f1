import type { Candidates, RouteQuery, Signal, StepParameters } from '@sluice/model';
import type { DecisionTerms } from '../decision-terms.ts';
import type { Policy } from '../policy.ts';
import { cheapest, picked } from './pick.ts';
import { uncachedTokens } from './token-load.ts';

export interface StickyOptions {
  /** A worker with at least this share of the prompt cached is sticky. */
  readonly affinityThreshold: number;
  /** Sticky workers are given up when the best of them is this much slower than the best other. */
  readonly maxTtftPenaltyMs: number;
}

/** llm-d's defaults. */
export const STICKY_DEFAULTS: StickyOptions = { affinityThreshold: 0.8, maxTtftPenaltyMs: 18_000 };

const TERMS = ['queuedPrefillTokens', 'uncachedTokens', 'sticky', 'prefillWaitMs'] as const;
const NEEDS = ['cachedTokens', 'queuedPrefillTokens', 'prefilledTokens', 'step'] as const satisfies readonly Signal[];
/** Where throughput peaks: vLLM's default token budget of a step. */
const PEAK_CHUNK_TOKENS = 8192;
/** `queueThresholdTokens` of the scorer: loads above it all score 0. */
const MOST_TOKENS = 4_194_304;

/**
 * llm-d's "sticky until saturated": `prefix-cache-affinity-filter`, then `token-load-scorer`, ties at random. Formulas
 * and source in README.md. A worker that the filter dropped costs Infinity.
 */
export function stickyUntilSaturated(options: Partial<StickyOptions> = {}): Policy {
  const { affinityThreshold, maxTtftPenaltyMs } = { ...STICKY_DEFAULTS, ...options };
  return {
    id: 'sticky-until-saturated',
    needs: NEEDS,
    choose(candidates, query, rng, out) {
      const { size, up } = candidates;
      writeTerms(candidates, query, affinityThreshold, out);
      const [queued, uncached, sticky, wait] = out.values as [Float64Array, Float64Array, Float64Array, Float64Array];
      let bestSticky = Infinity;
      let bestOther = Infinity;
      for (let row = 0; row < size; row++) {
        if (up[row] !== 1) continue;
        if (sticky[row] === 1) bestSticky = Math.min(bestSticky, wait[row]!);
        else bestOther = Math.min(bestOther, wait[row]!);
      }
      const stick = bestSticky < Infinity && !(bestSticky - bestOther > maxTtftPenaltyMs);
      for (let row = 0; row < size; row++) {
        const kept = up[row] === 1 && (!stick || sticky[row] === 1);
        out.cost[row] = kept ? Math.min(MOST_TOKENS, queued[row]! + uncached[row]!) : Infinity;
      }
      return picked(cheapest(out.cost, size, rng), candidates);
    },
  };
}

function writeTerms(candidates: Candidates, query: RouteQuery, affinityThreshold: number, out: DecisionTerms): void {
  const { size, queuedPrefillTokens, prefilledTokens, cachedTokens, step } = candidates;
  out.layout('sticky-until-saturated', 'tokens', TERMS, size);
  const [queued, uncached, sticky, wait] = out.values as [Float64Array, Float64Array, Float64Array, Float64Array];
  for (let row = 0; row < size; row++) {
    queued[row] = queuedPrefillTokens[row]! + prefilledTokens[row]!;
    uncached[row] = uncachedTokens(candidates, row, query);
    sticky[row] = cachedTokens[row]! >= affinityThreshold * query.promptTokens ? 1 : 0;
    wait[row] = queued[row]! / peakPrefillTokensPerMs(step[row]!);
  }
}

/** Prompt tokens per millisecond of a step that is full of one prompt's first chunk. */
export function peakPrefillTokensPerMs(step: StepParameters): number {
  const chunk = PEAK_CHUNK_TOKENS;
  return chunk / (step.t0Ms + Math.max(step.twMs, step.aMsPerToken * chunk) + (step.kAttMs * chunk * chunk) / 2);
}
