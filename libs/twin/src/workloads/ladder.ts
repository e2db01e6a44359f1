import type { Rng } from '@sluice/model';
import { seededRng } from '@sluice/numerics';
import type { SimulatedRequest, Stage } from '../api.ts';
import { blockRun, greatestDivisor } from './block-ids.ts';
import { exponential, uniformInt } from './distributions.ts';

export interface LadderStage {
  readonly qps: number;
  readonly seconds: number;
}

/** A published load: shared prompts, sent in stages of rising rate. */
export interface Ladder {
  readonly groups: number;
  readonly promptsPerGroup: number;
  readonly systemTokens: number;
  readonly questionTokens: number;
  readonly outputTokens: number;
  readonly arrivals: 'poisson' | 'constant';
  /** Not measured; its requests come first. */
  readonly warmUp: LadderStage | null;
  readonly stages: readonly LadderStage[];
}

const stages = (...pairs: readonly (readonly [qps: number, seconds: number])[]): LadderStage[] =>
  pairs.map(([qps, seconds]) => ({ qps, seconds }));

/**
 * llm-d's B2B ladder (guides/optimized-baseline and 73-capacity): Qwen3-32B, 8 pods of 307,328 KV tokens. With the
 * warm-up 17,084 requests.
 */
const B2B: Ladder = {
  groups: 150,
  promptsPerGroup: 5,
  systemTokens: 6000,
  questionTokens: 1200,
  outputTokens: 1000,
  arrivals: 'poisson',
  warmUp: { qps: 15, seconds: 50 },
  stages: stages(
    [3, 20],
    [10, 20],
    [15, 20],
    [20, 38],
    [22, 34],
    [25, 30],
    [30, 25],
    [35, 21],
    [40, 38],
    [43, 36],
    [46, 33],
    [49, 30],
    [52, 29],
    [55, 27],
    [57, 26],
    [60, 25],
  ),
};

/** llm-d's tiered cache guide: prompts of 16k tokens, twice as many as HBM holds. No warm-up is published. */
const TIERED: Ladder = {
  groups: 250,
  promptsPerGroup: 5,
  systemTokens: 16_000,
  questionTokens: 256,
  outputTokens: 256,
  arrivals: 'poisson',
  warmUp: null,
  stages: stages([5, 60], [10, 60], [20, 60], [40, 60]),
};

/** llm-d's 37-capacity benchmark: Llama-3.1-70B, 4 pods of 461,376 KV tokens, a working set that fits. */
const LLAMA_70B: Ladder = {
  groups: 83,
  promptsPerGroup: 3,
  systemTokens: 8000,
  questionTokens: 1000,
  outputTokens: 1000,
  arrivals: 'constant',
  warmUp: { qps: 10, seconds: 25 },
  stages: stages([3, 210], [4, 180], [5, 120], [6, 120], [8, 90], [10, 70], [12, 60], [15, 50], [20, 50]),
};

export const LADDERS = { b2b: B2B, tiered: TIERED, 'llama-70b': LLAMA_70B } as const;

/** Requests of a ladder, for `runTwin`: what waits for what, and which request belongs to which stage. */
export interface LadderLoad {
  readonly requests: readonly SimulatedRequest[];
  readonly stages: readonly Stage[];
  /** Number in {@link Ladder.stages} of each request; -1: warm-up. */
  readonly stageOf: Int16Array;
}

const PAUSE_MS = 30_000;

/**
 * The load as inference-perf sends it: all prompts shuffled once and cycled from the first one in each stage, so after
 * one round they are known to the last token; rate x duration requests a stage; the next stage 30 s after the last answer.
 */
export function ladderLoad(ladder: Ladder, seed: number): LadderLoad {
  const rng = seededRng(seed);
  const prompts = shuffledPrompts(ladder, rng);
  const all = ladder.warmUp === null ? ladder.stages : [ladder.warmUp, ...ladder.stages];
  const requests: SimulatedRequest[] = [];
  const stages: Stage[] = [];
  const stageOf: number[] = [];
  for (const [number, { qps, seconds }] of all.entries()) {
    if (number > 0) stages.push({ firstRequest: requests.length, pauseMs: PAUSE_MS });
    const count = Math.round(qps * seconds);
    let arrivalMs = 0;
    for (let i = 0; i < count; i++) {
      requests.push({ ...prompts[i % prompts.length]!, arrivalMs });
      stageOf.push(ladder.warmUp === null ? number : number - 1);
      arrivalMs += (ladder.arrivals === 'poisson' ? exponential(rng) : 1) * (1000 / qps);
    }
  }
  return { requests, stages, stageOf: Int16Array.from(stageOf) };
}

function shuffledPrompts(ladder: Ladder, rng: Rng): Omit<SimulatedRequest, 'arrivalMs'>[] {
  const { groups, promptsPerGroup, systemTokens, questionTokens, outputTokens } = ladder;
  const blockTokens = greatestDivisor(systemTokens, questionTokens);
  const [systemBlocks, questionBlocks] = [systemTokens / blockTokens, questionTokens / blockTokens];
  const promptTokens = systemTokens + questionTokens;
  const prompts = Array.from({ length: groups * promptsPerGroup }, (_, session) => {
    const group = Math.floor(session / promptsPerGroup);
    const system = blockRun(group * systemBlocks, systemBlocks);
    const question = blockRun(groups * systemBlocks + session * questionBlocks, questionBlocks);
    return { blocks: [...system, ...question], blockTokens, promptTokens, outputTokens, session };
  });
  // Fisher and Yates
  for (let i = prompts.length - 1; i > 0; i--) {
    const j = uniformInt(rng, i + 1);
    [prompts[i], prompts[j]] = [prompts[j]!, prompts[i]!];
  }
  return prompts;
}
