export { runTwin } from './twin.ts';
export type {
  EngineSetup,
  EngineTimeline,
  FleetChange,
  LatencySummary,
  RoutersSetup,
  SimulatedRequest,
  Slo,
  Stage,
  TwinOptions,
  TwinRecords,
  TwinResult,
  TwinTimelines,
} from './api.ts';
export { bareEngine } from './engines/bare-engine.ts';
export type { Schedule } from './workloads/arrivals.ts';
export { gammaArrivals, poissonArrivals } from './workloads/arrivals.ts';
export { b2bWorkload } from './workloads/shared-prefix.ts';
export type { B2bOptions } from './workloads/shared-prefix.ts';
export { reasoningWorkload } from './workloads/reasoning.ts';
export { CHAT, chatWorkload, CODING_AGENT, codingAgentWorkload, conversations } from './workloads/conversation.ts';
export type { ConversationShape } from './workloads/conversation.ts';
export { documentQaWorkload } from './workloads/document-qa.ts';
export type { DocumentQaOptions } from './workloads/document-qa.ts';
export { hotPrefixWorkload, sharedFirstBlockWorkload } from './workloads/adversarial.ts';
export { ladderLoad, LADDERS } from './workloads/ladder.ts';
export type { Ladder, LadderLoad, LadderStage } from './workloads/ladder.ts';
export { playTrace } from './workloads/recorded-trace.ts';
export type { PlayOptions } from './workloads/recorded-trace.ts';
export { ttftRecoveryMs, workRecoveryMs } from './results/recovery.ts';
export { confidence95, summarize } from './results/summary.ts';
export type { ConfidenceInterval } from './results/summary.ts';
export { FIDELITY } from './results/fidelity.ts';
