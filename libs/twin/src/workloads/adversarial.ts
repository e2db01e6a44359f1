import { seededRng } from '@sluice/numerics';
import type { SimulatedRequest } from '../api.ts';
import { steadyArrivals } from './arrivals.ts';
import type { Schedule } from './arrivals.ts';
import { blockRun } from './block-ids.ts';
import { logNormalCount, zipf } from './distributions.ts';

/** What herds policies that follow the longest match: all prompts begin alike, and nothing else of them is shared. */
const FIRST_BLOCK_TOKENS = 512;
const PROMPT = { median: 4000, sigma: 0.8, least: 600, most: 30_000 };
const OUTPUT = { median: 300, sigma: 0.6, least: 10, most: 2000 };

/** Every prompt starts with the same 512 tokens, as in Mooncake's conversation trace; the rest is its own. */
export function sharedFirstBlockWorkload(schedule: Schedule): SimulatedRequest[] {
  const rng = seededRng(schedule.seed);
  return steadyArrivals(schedule, rng).map((arrivalMs) => ({
    arrivalMs,
    blocks: [0],
    blockTokens: FIRST_BLOCK_TOKENS,
    promptTokens: logNormalCount(rng, PROMPT),
    outputTokens: logNormalCount(rng, OUTPUT),
    session: null,
  }));
}

const SYSTEM_BLOCK_TOKENS = 1200;
const SYSTEM_BLOCKS = 5;
const GROUPS = 150;
const EXPONENT = 1.2;

/** The shared-prefix workload with groups of very different size: the largest sends a quarter of all requests, more than one engine bears. */
export function hotPrefixWorkload(schedule: Schedule): SimulatedRequest[] {
  const rng = seededRng(schedule.seed);
  const draw = zipf(GROUPS, EXPONENT);
  return steadyArrivals(schedule, rng).map((arrivalMs) => {
    const group = draw(rng);
    return {
      arrivalMs,
      blocks: blockRun(group * SYSTEM_BLOCKS, SYSTEM_BLOCKS),
      blockTokens: SYSTEM_BLOCK_TOKENS,
      promptTokens: (SYSTEM_BLOCKS + 1) * SYSTEM_BLOCK_TOKENS,
      outputTokens: 1000,
      session: group,
    };
  });
}
