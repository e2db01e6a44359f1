import type { Signal } from '@sluice/model';
import type { Policy } from '../policy.ts';
import { cheapest, picked } from './pick.ts';

const TERMS = ['prefix', 'queue', 'freeKv'] as const;
const NEEDS = ['cachedTokens', 'waitingRequests', 'kvUsage', 'signalAgeMs'] as const satisfies readonly Signal[];

export interface WeightedOptions {
  readonly prefixWeight: number;
  readonly queueWeight: number;
  readonly freeKvWeight: number;
}

/** llm-d's default profile. */
export const WEIGHTED_DEFAULTS: WeightedOptions = { prefixWeight: 3, queueWeight: 2, freeKvWeight: 2 };

/**
 * llm-d's default profile, for comparison: 3 x prefix ratio + 2 x relative queue + 2 x free KV (unless given other
 * weights), the best score wins, ties at random. Formulas and source in README.md. `values` are the weighted scores, `cost` is minus their sum.
 */
export function weighted322(options: Partial<WeightedOptions> = {}): Policy {
  const { prefixWeight, queueWeight, freeKvWeight } = { ...WEIGHTED_DEFAULTS, ...options };
  return {
    id: 'weighted-3-2-2',
    needs: NEEDS,
    choose(candidates, query, rng, out) {
      const { size, up, waitingRequests, kvUsage, cachedTokens, signalAgeMs } = candidates;
      out.layout('weighted-3-2-2', 'score', TERMS, size);
      const { cost } = out;
      const [prefix, queue, freeKv] = out.values as [Float64Array, Float64Array, Float64Array];
      let least = Infinity;
      let most = -Infinity;
      for (let row = 0; row < size; row++) {
        if (up[row] !== 1 || signalAgeMs[row] === Infinity) continue;
        least = Math.min(least, waitingRequests[row]!);
        most = Math.max(most, waitingRequests[row]!);
      }
      for (let row = 0; row < size; row++) {
        // As in llm-d, a scorer without an answer for a worker scores it 0: one never scraped does not look idle.
        const scraped = signalAgeMs[row] !== Infinity;
        prefix[row] = prefixWeight * clamp01(cachedTokens[row]! / query.promptTokens);
        const relativeQueue = most > least ? (most - waitingRequests[row]!) / (most - least) : 1;
        queue[row] = scraped ? queueWeight * clamp01(relativeQueue) : 0;
        freeKv[row] = scraped ? freeKvWeight * clamp01(1 - kvUsage[row]!) : 0;
        cost[row] = up[row] === 1 ? -(prefix[row]! + queue[row]! + freeKv[row]!) : Infinity;
      }
      return picked(cheapest(cost, size, rng), candidates);
    },
  };
}

/** NaN scores 0, so one broken signal cannot poison the sum. */
const clamp01 = (x: number): number => (x > 1 ? 1 : x > 0 ? x : 0);
