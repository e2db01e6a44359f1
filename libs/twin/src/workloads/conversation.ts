import type { Rng } from '@sluice/model';
import { seededRng } from '@sluice/numerics';
import type { SimulatedRequest } from '../api.ts';
import { steadyArrivals } from './arrivals.ts';
import type { Schedule } from './arrivals.ts';
import { blockRun, createBlockIds } from './block-ids.ts';
import { exponential, geometric, logNormalCount } from './distributions.ts';
import type { LogNormalCount } from './distributions.ts';

/** Requests whose prompt is all that was said before. */
export interface ConversationShape {
  /** Of the runs that prompts are made of; what is left of the history goes on as text of its own. */
  readonly blockTokens: number;
  /** Opening texts that conversations share, one drawn for each. */
  readonly openings: number;
  readonly openingTokens: number;
  /** What a conversation puts after its opening before the first turn. */
  readonly ownContext: LogNormalCount | null;
  /** Mean number of turns; geometric. */
  readonly turns: number;
  /** New text of a turn: a question, or what tools answered. */
  readonly input: LogNormalCount;
  readonly output: LogNormalCount;
  /** Mean time from the end of an answer to the next turn; exponential. */
  readonly pauseMs: number;
  /** A conversation ends before its prompt exceeds this. */
  readonly mostPromptTokens: number;
}

/** The answer is taken to last this long, so that arrivals do not depend on the policy. */
const NOMINAL_FIRST_TOKEN_MS = 500;
const NOMINAL_TOKEN_MS = 30;

/**
 * Conversations that start as the schedule says, with `qps` the rate of *turns* in the long run. Arrivals are fixed in
 * advance (open loop): an answer is taken to last 0.5 s + 30 ms a token. Later prompts contain earlier answers as text
 * that the engine has only seen as output, so an answer is computed once more when the next turn comes.
 */
export function conversations(schedule: Schedule, shape: ConversationShape): SimulatedRequest[] {
  const rng = seededRng(schedule.seed);
  const ids = createBlockIds();
  const opening = Array.from({ length: shape.openings }, () =>
    ids(Math.floor(shape.openingTokens / shape.blockTokens)),
  );
  const starts = steadyArrivals({ ...schedule, qps: schedule.qps / shape.turns }, rng);
  const endMs = 1000 * ((schedule.warmUpS ?? 100) + (schedule.measuredS ?? 400));
  const requests = starts.flatMap((startMs, session) => {
    const own = ids(Math.ceil(shape.mostPromptTokens / shape.blockTokens));
    return turnsOf(startMs, session, opening[Math.floor(rng() * shape.openings)]!, own, shape, rng);
  });
  return requests.filter(({ arrivalMs }) => arrivalMs < endMs).sort((a, b) => a.arrivalMs - b.arrivalMs);
}

function turnsOf(
  startMs: number,
  session: number,
  opening: number,
  own: number,
  shape: ConversationShape,
  rng: Rng,
): SimulatedRequest[] {
  const { blockTokens } = shape;
  const openingBlocks = Math.floor(shape.openingTokens / blockTokens);
  const shared = blockRun(opening, openingBlocks);
  const requests: SimulatedRequest[] = [];
  let arrivalMs = startMs;
  let ownTokens = shape.ownContext === null ? 0 : logNormalCount(rng, shape.ownContext);
  for (let left = geometric(rng, shape.turns); left > 0; left--) {
    ownTokens += logNormalCount(rng, shape.input);
    const promptTokens = openingBlocks * blockTokens + ownTokens;
    if (promptTokens > shape.mostPromptTokens && requests.length > 0) break;
    const outputTokens = logNormalCount(rng, shape.output);
    const blocks = [...shared, ...blockRun(own, Math.floor(ownTokens / blockTokens))];
    requests.push({ arrivalMs, blocks, blockTokens, promptTokens, outputTokens, session });
    ownTokens += outputTokens;
    arrivalMs += NOMINAL_FIRST_TOKEN_MS + NOMINAL_TOKEN_MS * outputTokens + shape.pauseMs * exponential(rng);
  }
  return requests;
}

/**
 * People in a chat: 20 applications with a system prompt of 1,000 tokens, 5 turns, half a minute to read and type.
 * Questions and answers are of the size of ShareGPT's. Choices of ours, no published load.
 */
export const CHAT: ConversationShape = {
  blockTokens: 16,
  openings: 20,
  openingTokens: 1000,
  ownContext: null,
  turns: 5,
  input: { median: 100, sigma: 1, least: 5, most: 4000 },
  output: { median: 250, sigma: 0.8, least: 5, most: 2000 },
  pauseMs: 30_000,
  mostPromptTokens: 32_000,
};

/**
 * Coding agents: a long prompt of instructions and tools that all sessions of a product share, files of the repository, then
 * many short turns with what the tools answered. As in published traces of such agents, prompts are hundreds of times as
 * long as answers (median 195k in, 317 out there) and nearly all of a prompt was there a turn ago; scaled down to 16k to
 * 100k tokens to fit an engine of 300k.
 */
export const CODING_AGENT: ConversationShape = {
  blockTokens: 64,
  openings: 3,
  openingTokens: 12_000,
  ownContext: { median: 6000, sigma: 0.8, least: 500, most: 30_000 },
  turns: 20,
  input: { median: 800, sigma: 1.1, least: 20, most: 12_000 },
  output: { median: 200, sigma: 0.9, least: 20, most: 2000 },
  pauseMs: 4000,
  mostPromptTokens: 100_000,
};

/** Multi-turn chat with think time, see {@link CHAT}. */
export const chatWorkload = (schedule: Schedule): SimulatedRequest[] => conversations(schedule, CHAT);

/** Agentic code generation, see {@link CODING_AGENT}. */
export const codingAgentWorkload = (schedule: Schedule): SimulatedRequest[] => conversations(schedule, CODING_AGENT);
