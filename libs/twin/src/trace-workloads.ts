import { seededRng } from '@sluice/numerics';
import type { SimulatedRequest } from './api.ts';

/** One row of a Mooncake trace (FAST'25 release). */
export interface MooncakeRow {
  readonly timestampMs: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** Ids of the prompt's 512-token blocks; the last one may be cut short by `inputTokens`. */
  readonly hashIds: readonly number[];
}

/** One row of an Azure LLM inference trace. */
export interface AzureRow {
  readonly timestampMs: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
}

export interface TraceOptions {
  /** Timestamps are divided by it. */
  readonly speed: number;
}

export interface MooncakeOptions extends TraceOptions {
  /** Of the U(0, 3 s) added to each timestamp, which the trace quantises to 3 s. */
  readonly jitterSeed: number;
  /** KV tokens of one engine: prompts are capped at 90 % of them. */
  readonly kvTokens: number;
}

const MOONCAKE_BLOCK_TOKENS = 512;
const QUANTUM_MS = 3000;
const LONGEST_PROMPT = 0.9;

/** A Mooncake trace as requests, in order of arrival. Rows without input or output get one token: an engine needs it. */
export function fromMooncake(rows: readonly MooncakeRow[], options: MooncakeOptions): SimulatedRequest[] {
  const rng = seededRng(options.jitterSeed);
  const longest = Math.floor(LONGEST_PROMPT * options.kvTokens);
  const requests = rows.map((row) => {
    const promptTokens = Math.min(longest, Math.max(1, row.inputTokens));
    return {
      arrivalMs: (row.timestampMs + QUANTUM_MS * rng()) / options.speed,
      blocks: row.hashIds,
      blockTokens: MOONCAKE_BLOCK_TOKENS,
      promptTokens,
      outputTokens: Math.max(1, row.outputTokens),
      session: null,
    };
  });
  return requests.sort((a, b) => a.arrivalMs - b.arrivalMs);
}

/** An Azure trace as requests without shared blocks, the first one at 0. Rows as in {@link fromMooncake}. */
export function fromAzure(rows: readonly AzureRow[], { speed }: TraceOptions): SimulatedRequest[] {
  let startMs = Infinity;
  for (const { timestampMs } of rows) startMs = Math.min(startMs, timestampMs);
  const requests = rows.map((row) => ({
    arrivalMs: (row.timestampMs - startMs) / speed,
    blocks: [],
    blockTokens: 16,
    promptTokens: Math.max(1, row.inputTokens),
    outputTokens: Math.max(1, row.outputTokens),
    session: null,
  }));
  return requests.sort((a, b) => a.arrivalMs - b.arrivalMs);
}
