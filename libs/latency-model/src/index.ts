export { PRIORS, PROFILE_IDS } from './priors.ts';
export type { ProfileId } from './priors.ts';
export { DEFAULT_ENGINE_SHAPE } from './work.ts';
export type { EngineShape, PromptShape, WorkerLoad } from './work.ts';
export { OutputLengths } from './output-length.ts';
export type { OutputEstimate, RequestClass } from './output-length.ts';
export { regimeOf, REGIMES } from './regime.ts';
export type { Regime } from './regime.ts';
export { biased, hindsightTpotMs, memoryWaitMs, predictCandidates, predictTpotMs, predictTtftMs } from './predict.ts';
export { createLearner } from './learner.ts';
export type {
  LearnedParameters,
  Learner,
  LearnerErrors,
  LearnerOptions,
  Observation,
  RegimeFactors,
} from './learner.ts';
export type { LearnerState } from './learner-state.ts';
export type { Outcome } from './outcome.ts';
export type { PredictionErrors } from './error-tracker.ts';
