import type { Candidates, PrefillBeside, RouteQuery, StepParameters } from '@sluice/model';
import type { EngineShape, PromptShape, WorkerLoad } from './work.ts';
import { addPrefillBeside, createWork, tpotWork, ttftWork, workMs } from './work.ts';

const scratch = createWork();

/**
 * Milliseconds from dispatch to the first token; assumptions as in {@link ttftWork}. NaN when an argument is not finite.
 */
export function predictTtftMs(
  step: StepParameters,
  load: WorkerLoad,
  prompt: PromptShape,
  engine: EngineShape,
): number {
  ttftWork(step, load, prompt, engine, scratch);
  return finite(workMs(step, scratch));
}

/**
 * Milliseconds that a request waits, besides its TTFT, until others end and leave it room: what the forecast of the KV
 * cache exceeds it by, as a share of the context that decodes hold, times the time in which all of them are replaced, mean
 * output times TPOT (Little). 0 while there is room or nothing is known of memory. Decisions price memory in their own way
 * and do not count it.
 */
export function memoryWaitMs(
  step: StepParameters,
  load: WorkerLoad,
  prompt: PromptShape & { readonly outputTokens: number },
): number {
  const { kvForecast = 0, decodeContextTokens, queuedPrefillTokens } = load;
  if (!(kvForecast > 1) || decodeContextTokens <= 0) return 0;
  const asked = decodeContextTokens + queuedPrefillTokens + prompt.promptTokens - prompt.cachedTokens;
  const missing = Math.max(0, asked) * (1 - 1 / kvForecast);
  return finite((missing / decodeContextTokens) * prompt.outputTokens * predictTpotMs(step, load, prompt));
}

/** Milliseconds per output token after the first; assumptions as in {@link tpotWork}. NaN when an argument is not finite. */
export function predictTpotMs(
  step: StepParameters,
  load: WorkerLoad,
  prompt: { readonly promptTokens: number; readonly outputTokens: number },
): number {
  tpotWork(step, load, prompt, scratch);
  return finite(workMs(step, scratch));
}

/**
 * {@link predictTpotMs} of a request of which it is known what else was computed during its decode: what is left of its
 * error is the model's, not the future's.
 */
export function hindsightTpotMs(
  step: StepParameters,
  load: WorkerLoad,
  request: { readonly promptTokens: number; readonly outputTokens: number },
  beside: PrefillBeside,
): number {
  tpotWork(step, load, request, scratch);
  addPrefillBeside(step, load, Math.max(1, request.outputTokens - 1), beside, scratch);
  return finite(workMs(step, scratch));
}

/**
 * Fills `predictedTtftMs` and `predictedTpotMs` of every row from its ledger columns, `cachedTokens` and `step`.
 * The hot path's form of the two predictions above: no allocation, about 0.1 us per worker.
 */
export function predictCandidates(candidates: Candidates, query: RouteQuery, engine: EngineShape): void {
  const { size, step, predictedTtftMs, predictedTpotMs } = candidates;
  prompt.promptTokens = query.promptTokens;
  prompt.outputTokens = query.expectedOutputTokens;
  for (let row = 0; row < size; row++) {
    load.queuedPrefillTokens = candidates.queuedPrefillTokens[row]!;
    load.decodesRunning = candidates.decodesRunning[row]!;
    load.decodeContextTokens = candidates.decodeContextTokens[row]!;
    load.inflightRequests = candidates.inflightRequests[row]!;
    load.prefilledTokens = candidates.prefilledTokens[row]!;
    prompt.cachedTokens = candidates.cachedTokens[row]!;
    predictedTtftMs[row] = predictTtftMs(step[row]!, load, prompt, engine);
    predictedTpotMs[row] = predictTpotMs(step[row]!, load, prompt);
  }
}

const load = {
  queuedPrefillTokens: 0,
  decodesRunning: 0,
  decodeContextTokens: 0,
  inflightRequests: 0,
  prefilledTokens: 0,
};
const prompt = { promptTokens: 0, cachedTokens: 0, outputTokens: 0 };

const finite = (ms: number): number => (ms < Infinity ? ms : NaN);

/** The parameters of a worker that is `bias` times as slow as its variant: every prediction scales by it. */
export function biased(step: StepParameters, bias: number): StepParameters {
  if (bias === 1) return step;
  return {
    t0Ms: step.t0Ms * bias,
    twMs: step.twMs * bias,
    aMsPerToken: step.aMsPerToken * bias,
    kAttMs: step.kAttMs * bias,
    kKvMs: step.kKvMs * bias,
    kSeqMs: step.kSeqMs * bias,
    apiBaseMs: step.apiBaseMs * bias,
    apiPerTokenMs: step.apiPerTokenMs * bias,
  };
}
