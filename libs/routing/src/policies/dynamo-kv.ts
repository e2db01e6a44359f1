import type { Rng, Signal } from '@sluice/model';
import type { Policy } from '../policy.ts';
import { cheapest, picked } from './pick.ts';
import { uncachedTokens } from './token-load.ts';

export interface DynamoKvOptions {
  /** Weight of prefill against decode load (`--router-kv-overlap-score-weight`). */
  readonly overlapWeight: number;
  /** Of the softmax over the costs (`--router-temperature`); 0 takes the cheapest. */
  readonly temperature: number;
  /** Tokens of a block: the unit of the cost. */
  readonly blockTokens: number;
}

/** Dynamo's defaults. */
export const DYNAMO_KV_DEFAULTS: DynamoKvOptions = { overlapWeight: 1, temperature: 0, blockTokens: 16 };

const TERMS = ['prefillBlocks', 'activeBlocks'] as const;
const NEEDS = [
  'cachedTokens',
  'activePromptTokens',
  'queuedPrefillTokens',
  'prefilledTokens',
] as const satisfies readonly Signal[];

/**
 * The cost of NVIDIA Dynamo's KV router, in blocks: `overlapWeight x (prefill tokens in flight + own uncached) / block +
 * prompt blocks in flight with this request's, each once`. Source, and where this differs, in README.md.
 */
export function dynamoKv(options: Partial<DynamoKvOptions> = {}): Policy {
  const { overlapWeight, temperature, blockTokens } = { ...DYNAMO_KV_DEFAULTS, ...options };
  return {
    id: 'dynamo-kv',
    needs: NEEDS,
    choose(candidates, query, rng, out) {
      const { size, up, queuedPrefillTokens, prefilledTokens, activePromptTokens } = candidates;
      out.layout('dynamo-kv', 'blocks', TERMS, size);
      const { cost } = out;
      const [prefill, active] = out.values as [Float64Array, Float64Array];
      for (let row = 0; row < size; row++) {
        // A prompt counts whole until its first token, as it does there.
        const queued = queuedPrefillTokens[row]! + prefilledTokens[row]!;
        prefill[row] = (overlapWeight * (queued + uncachedTokens(candidates, row, query))) / blockTokens;
        active[row] = activePromptTokens[row]! / blockTokens;
        cost[row] = up[row] === 1 ? prefill[row]! + active[row]! : Infinity;
      }
      const row = temperature > 0 ? drawSoftmax(cost, size, temperature, rng) : cheapest(cost, size, rng);
      return picked(row, candidates);
    },
  };
}

/** A row drawn with weight `exp(-(cost - least) / ((most - least) x temperature))`; -1 when no cost is finite. */
function drawSoftmax(cost: Float64Array, size: number, temperature: number, rng: Rng): number {
  let least = Infinity;
  let most = -Infinity;
  for (let row = 0; row < size; row++) {
    if (cost[row] === Infinity) continue;
    least = Math.min(least, cost[row]!);
    most = Math.max(most, cost[row]!);
  }
  if (!(most > least)) return cheapest(cost, size, rng);
  const scale = 1 / ((most - least) * temperature);
  let sum = 0;
  for (let row = 0; row < size; row++) sum += Math.exp((least - cost[row]!) * scale);
  let left = rng() * sum;
  let drawn = -1;
  for (let row = 0; row < size && left >= 0; row++) {
    if (cost[row] === Infinity) continue;
    drawn = row;
    left -= Math.exp((least - cost[row]!) * scale);
  }
  return drawn;
}
