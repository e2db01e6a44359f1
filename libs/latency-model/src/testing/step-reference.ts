import type { StepParameters } from '@sluice/model';
import type { EngineShape, PromptShape } from '../work.ts';

export interface ReferenceState {
  /** Prompts ahead, first come first served, none of them started. */
  readonly queue: readonly PromptShape[];
  /** Context of each running decode. */
  readonly decodes: readonly number[];
  /** Whether prompts that finish ahead of ours decode from then on, as an engine does. */
  readonly finishedDecode: boolean;
}

const stepMs = (step: StepParameters, tokens: number, attention: number, context: number, sequences: number): number =>
  step.t0Ms +
  Math.max(step.twMs, step.aMsPerToken * tokens) +
  step.kAttMs * attention +
  step.kKvMs * context +
  step.kSeqMs * sequences;

/** TTFT of `own` behind `state`, one engine step after the other: budgets, chunks and growing contexts spelt out. */
export function referenceTtftMs(
  step: StepParameters,
  state: ReferenceState,
  own: PromptShape,
  engine: EngineShape,
): number {
  const decodes = [...state.decodes];
  const waiting = [...state.queue, own].map((prompt) => ({
    context: Math.min(prompt.cachedTokens, prompt.promptTokens - 1),
    prompt: prompt.promptTokens,
  }));
  let elapsed = step.apiBaseMs + step.apiPerTokenMs * own.promptTokens;
  if (state.queue.length === 0 && decodes.length > 0) {
    // arrives in the middle of a decode step
    const context = decodes.reduce((sum, tokens) => sum + tokens, 0);
    elapsed += stepMs(step, decodes.length, 0, context, decodes.length) / 2;
  }
  while (waiting.length > 0) {
    let budget = Math.max(1, engine.chunkTokens - decodes.length);
    let tokens = decodes.length;
    let attention = 0;
    let sequences = decodes.length;
    const finished: number[] = [];
    const context = decodes.reduce((sum, each) => sum + each, 0);
    while (budget > 0 && waiting.length > 0) {
      const head = waiting[0]!;
      const chunk = Math.min(budget, head.prompt - head.context);
      attention += chunk * (head.context + chunk / 2);
      head.context += chunk;
      budget -= chunk;
      tokens += chunk;
      sequences++;
      if (head.context < head.prompt) break;
      finished.push(head.prompt + 1);
      waiting.shift();
    }
    elapsed += stepMs(step, tokens, attention, context, sequences);
    for (let i = 0; i < decodes.length; i++) decodes[i]!++;
    if (state.finishedDecode) decodes.push(...finished);
  }
  return elapsed;
}

/** Mean gap of `outputTokens` tokens of one request that decodes beside `decodes`, which neither end nor join. */
export function referenceTpotMs(
  step: StepParameters,
  decodes: readonly number[],
  promptTokens: number,
  outputTokens: number,
): number {
  const others = decodes.reduce((sum, tokens) => sum + tokens, 0);
  let elapsed = 0;
  for (let token = 0; token < outputTokens; token++) {
    elapsed += stepMs(step, decodes.length + 1, 0, others + promptTokens + token + 0.5, decodes.length + 1);
  }
  return elapsed / outputTokens;
}
