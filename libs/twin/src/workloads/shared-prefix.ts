import { seededRng } from '@sluice/numerics';
import type { SimulatedRequest } from '../api.ts';
import { steadyArrivals } from './arrivals.ts';
import type { Schedule } from './arrivals.ts';
import { blockRun, greatestDivisor } from './block-ids.ts';
import { uniformInt } from './distributions.ts';

export interface B2bOptions extends Schedule {
  /** Groups of users that share a system prompt; default 150. */
  readonly groups?: number;
  /** Default 5. */
  readonly usersPerGroup?: number;
  /** Default 6,000. */
  readonly systemTokens?: number;
  /** Default 1,200. */
  readonly questionTokens?: number;
  /** Default 1,000, exactly that many. */
  readonly outputTokens?: number;
  /** Whether a user always asks the same question; else each is new. */
  readonly verbatim: boolean;
}

/** llm-d's shared-prefix benchmark as a steady Poisson stream: group and user uniform, session = user. */
export function b2bWorkload(options: B2bOptions): SimulatedRequest[] {
  const { groups = 150, usersPerGroup = 5, systemTokens = 6000, questionTokens = 1200, outputTokens = 1000 } = options;
  const rng = seededRng(options.seed);
  const blockTokens = greatestDivisor(systemTokens, questionTokens);
  const systemBlocks = systemTokens / blockTokens;
  const questionBlocks = questionTokens / blockTokens;
  return steadyArrivals(options, rng).map((arrivalMs) => {
    const group = uniformInt(rng, groups);
    const session = group * usersPerGroup + uniformInt(rng, usersPerGroup);
    const system = blockRun(group * systemBlocks, systemBlocks);
    const question = blockRun(groups * systemBlocks + session * questionBlocks, questionBlocks);
    return {
      arrivalMs,
      blocks: options.verbatim ? [...system, ...question] : system,
      blockTokens,
      promptTokens: systemTokens + questionTokens,
      outputTokens,
      session,
    };
  });
}
