import { normal, seededRng } from '@sluice/numerics';
import type { SimulatedRequest } from '../api.ts';
import { steadyArrivals } from './arrivals.ts';
import type { Schedule } from './arrivals.ts';
import { uniformInt } from './distributions.ts';

/** Short prompts, long answers of very different length: 200 + U(0, 800) tokens in, exp(N(7.2, 0.9)) within 50 to 12,000 out. */
export function reasoningWorkload(options: Schedule): SimulatedRequest[] {
  const rng = seededRng(options.seed);
  return steadyArrivals(options, rng).map((arrivalMs) => ({
    arrivalMs,
    blocks: [],
    blockTokens: 16,
    promptTokens: 200 + uniformInt(rng, 801),
    outputTokens: Math.min(12_000, Math.max(50, Math.round(Math.exp(7.2 + 0.9 * normal(rng))))),
    session: null,
  }));
}
