export { PRIORS, PROFILE_IDS } from './priors.ts';
export type { ProfileId } from './priors.ts';
export { DEFAULT_ENGINE_SHAPE } from './work.ts';
export type { EngineShape, PromptShape, WorkerLoad } from './work.ts';
export { biased, predictCandidates, predictTpotMs, predictTtftMs } from './predict.ts';
