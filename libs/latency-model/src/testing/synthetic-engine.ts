import type { StepParameters } from '@sluice/model';
import { normal } from '@sluice/numerics';
import type { Outcome } from '../outcome.ts';
import type { EngineShape, PromptShape } from '../work.ts';
import { referenceTpotMs, referenceTtftMs } from './step-reference.ts';

export interface SyntheticEngine {
  readonly step: StepParameters;
  readonly engine: EngineShape;
  /** Standard deviation of the log of the measured times. */
  readonly noise: number;
  readonly rng: () => number;
  readonly worker?: string;
  /** How much slower this worker is than its variant. */
  readonly slowness?: number;
  readonly streamed?: boolean;
}

/** The outcome of one request that meets a random load on an engine that obeys the step reference, measured with noise. */
export function syntheticOutcome(from: SyntheticEngine): Outcome {
  const { step, engine, rng, noise, slowness = 1, streamed = true } = from;
  const upTo = (most: number): number => 1 + Math.floor(rng() * most);
  const prompt = (): PromptShape => {
    const promptTokens = upTo(8000);
    return { promptTokens, cachedTokens: rng() < 0.5 ? 0 : Math.floor(promptTokens * rng()) };
  };
  const measured = (ms: number): number => ms * slowness * Math.exp(noise * normal(rng));

  const queue = rng() < 0.6 ? [] : Array.from({ length: upTo(4) }, prompt);
  const decodes = Array.from({ length: Math.floor(rng() * 80) }, () => upTo(5000));
  const own = prompt();
  const outputTokens = 20 + upTo(400);
  const ttftMs = measured(referenceTtftMs(step, { queue, decodes, finishedDecode: true }, own, engine));
  // Whoever was ahead decodes beside us by then.
  const beside = [...decodes, ...queue.map((each) => each.promptTokens)];
  const tpotMs = measured(referenceTpotMs(step, beside, own.promptTokens, outputTokens));
  return {
    worker: from.worker ?? 'w0',
    streamed,
    result: 'completed',
    promptTokens: own.promptTokens,
    promptBytes: own.promptTokens * 4.5,
    outputTokens,
    predictedCachedTokens: own.cachedTokens,
    cachedTokens: own.cachedTokens,
    ttftMs: streamed ? ttftMs : null,
    tpotMs: streamed ? tpotMs : null,
    e2eMs: ttftMs + (outputTokens - 1) * tpotMs,
    load: {
      queuedPrefillTokens: queue.reduce((sum, each) => sum + each.promptTokens - each.cachedTokens, 0),
      decodesRunning: decodes.length,
      decodeContextTokens: decodes.reduce((sum, each) => sum + each, 0),
      inflightRequests: decodes.length + queue.length,
    },
  };
}
