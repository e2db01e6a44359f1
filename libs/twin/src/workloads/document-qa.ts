import { seededRng } from '@sluice/numerics';
import type { SimulatedRequest } from '../api.ts';
import { steadyArrivals } from './arrivals.ts';
import type { Schedule } from './arrivals.ts';
import { blockRun, greatestDivisor } from './block-ids.ts';
import { zipf } from './distributions.ts';

export interface DocumentQaOptions extends Schedule {
  /** Default 250, twice what the HBM of eight engines of 307,328 tokens holds. */
  readonly documents?: number;
  /** Default 16,000. */
  readonly documentTokens?: number;
  /** Default 256. */
  readonly questionTokens?: number;
  /** Default 256. */
  readonly outputTokens?: number;
  /** How unevenly documents are asked about: number k with weight 1 / k^exponent. Default 0, evenly. */
  readonly exponent?: number;
}

/** New questions about long documents, as llm-d's tiered cache guide asks them, as a steady stream. */
export function documentQaWorkload(options: DocumentQaOptions): SimulatedRequest[] {
  const { documents = 250, documentTokens = 16_000, questionTokens = 256, outputTokens = 256 } = options;
  const blockTokens = greatestDivisor(documentTokens, questionTokens);
  const rng = seededRng(options.seed);
  const draw = zipf(documents, options.exponent ?? 0);
  const documentBlocks = documentTokens / blockTokens;
  return steadyArrivals(options, rng).map((arrivalMs) => {
    const document = draw(rng);
    return {
      arrivalMs,
      blocks: blockRun(document * documentBlocks, documentBlocks),
      blockTokens,
      promptTokens: documentTokens + questionTokens,
      outputTokens,
      session: document,
    };
  });
}
