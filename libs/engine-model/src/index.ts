export { createEngine } from './engine.ts';
export type {
  Engine,
  EngineOptions,
  EngineRequest,
  EngineStats,
  FinishReason,
  RequestProgress,
  StepResult,
  Submission,
} from './engine-api.ts';
export { EngineCore } from './engine-core.ts';
export type { CoreHandle, CoreRequest, CoreStep, CoreSubmission, KvSink } from './core-api.ts';
export type { AllCleared, BlocksRemoved, BlocksStored, KvEvent } from './kv-event.ts';
export { PROFILE_IDS, PROFILES } from './profiles.ts';
export type { EngineProfile, ProfileId } from './profiles.ts';
export { apiTimeMs, stepTimeMs } from './step-time.ts';
export type { StepWork } from './step-time.ts';
