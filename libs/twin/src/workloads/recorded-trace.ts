import type { RecordedTrace } from '@sluice/model';
import { seededRng } from '@sluice/numerics';
import type { SimulatedRequest } from '../api.ts';

/** How a recorded trace is played. */
export interface PlayOptions {
  /** Times as fast as it was recorded. */
  readonly speed: number;
  /** Of the uniform jitter that spreads rounded timestamps over their quantum. */
  readonly seed: number;
  /** KV tokens of one engine: prompts are capped at 90 % of them. */
  readonly kvTokens: number;
}

const LONGEST_PROMPT = 0.9;

/** A recorded trace as requests, in order of arrival from 0 on. Those without prompt or output get one token: an engine needs it. */
export function playTrace(trace: RecordedTrace, { speed, seed, kvTokens }: PlayOptions): SimulatedRequest[] {
  const { blockTokens, quantumMs } = trace;
  const rng = seededRng(seed);
  const longest = Math.floor(LONGEST_PROMPT * kvTokens);
  let startMs = Infinity;
  for (const { timestampMs } of trace.requests) startMs = Math.min(startMs, timestampMs);
  const requests = trace.requests.map(({ timestampMs, blocks, promptTokens, outputTokens }) => ({
    arrivalMs: (timestampMs - startMs + quantumMs * rng()) / speed,
    blocks,
    blockTokens,
    promptTokens: Math.min(longest, Math.max(1, promptTokens)),
    outputTokens: Math.max(1, outputTokens),
    session: null,
  }));
  return requests.sort((a, b) => a.arrivalMs - b.arrivalMs);
}
