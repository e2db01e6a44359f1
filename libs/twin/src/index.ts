export { runTwin } from './twin.ts';
export type { EngineSetup, LatencySummary, SimulatedRequest, Slo, TwinOptions, TwinResult } from './api.ts';
export { bareEngine } from './bare-engine.ts';
export { b2bWorkload, reasoningWorkload } from './synthetic-workloads.ts';
export type { B2bOptions, Schedule } from './synthetic-workloads.ts';
export { fromAzure, fromMooncake } from './trace-workloads.ts';
export type { AzureRow, MooncakeOptions, MooncakeRow, TraceOptions } from './trace-workloads.ts';
export { confidence95, summarize } from './summary.ts';
export type { ConfidenceInterval } from './summary.ts';
