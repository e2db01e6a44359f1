import { seededRng } from '@sluice/numerics';
import type { SimulatedRequest } from './api.ts';
import { normal, poissonArrivals, uniformInt } from './arrivals.ts';

/** When requests come. What is measured starts after the warm-up. */
export interface Schedule {
  readonly qps: number;
  /** Default 100. */
  readonly warmUpS?: number;
  /** Default 400. */
  readonly measuredS?: number;
  readonly seed: number;
}

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

const arrivalsOf = ({ qps, warmUpS = 100, measuredS = 400 }: Schedule, rng: () => number): number[] =>
  poissonArrivals(qps, 1000 * (warmUpS + measuredS), rng);

const greatestDivisor = (a: number, b: number): number => (b === 0 ? a : greatestDivisor(b, a % b));

/** llm-d's shared-prefix benchmark as a steady Poisson stream: group and user uniform, session = user. */
export function b2bWorkload(options: B2bOptions): SimulatedRequest[] {
  const { groups = 150, usersPerGroup = 5, systemTokens = 6000, questionTokens = 1200, outputTokens = 1000 } = options;
  const rng = seededRng(options.seed);
  const blockTokens = greatestDivisor(systemTokens, questionTokens);
  const systemBlocks = systemTokens / blockTokens;
  const questionBlocks = questionTokens / blockTokens;
  const run = (first: number, length: number): number[] => Array.from({ length }, (_, i) => first + i);
  return arrivalsOf(options, rng).map((arrivalMs) => {
    const group = uniformInt(rng, groups);
    const session = group * usersPerGroup + uniformInt(rng, usersPerGroup);
    const system = run(group * systemBlocks, systemBlocks);
    const question = run(groups * systemBlocks + session * questionBlocks, questionBlocks);
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

/** Short prompts, long answers of very different length: 200 + U(0, 800) tokens in, exp(N(7.2, 0.9)) within 50 to 12,000 out. */
export function reasoningWorkload(options: Schedule): SimulatedRequest[] {
  const rng = seededRng(options.seed);
  return arrivalsOf(options, rng).map((arrivalMs) => ({
    arrivalMs,
    blocks: [],
    blockTokens: 16,
    promptTokens: 200 + uniformInt(rng, 801),
    outputTokens: Math.min(12_000, Math.max(50, Math.round(Math.exp(7.2 + 0.9 * normal(rng))))),
    session: null,
  }));
}
