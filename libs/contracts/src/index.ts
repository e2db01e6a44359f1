export { ALL_TIERS } from '@sluice/model';
export { defineDatagram, defineRequest, defineStream, defineSubject } from './subject.ts';
export type {
  DatagramSubject,
  ParsedRequestOf,
  PayloadOf,
  ReplyOf,
  RequestOf,
  RequestSubject,
  StreamSubject,
  Subject,
} from './subject.ts';
export {
  KV_BATCH_HEADER_BYTES,
  KV_BATCH_VERSION,
  KV_OP_BYTES,
  KvBatchWriter,
  kvDeltas,
  KvFlag,
  KvOp,
  readKvBatch,
  readKvBatchHeader,
} from './kv-batch.ts';
export type { KvBatchHeader, KvBatchSink } from './kv-batch.ts';
export { kvBatchCodec } from './kv-codec.ts';
export type { KvBatchPosition } from './kv-codec.ts';
export { kvFeed, kvLookup, kvResync, kvSnapshot, kvTraced } from './kv-control.ts';
export { decodeLedgerMessage, encodeLedgerMessage, LEDGER_VERSION, ledgerMessages } from './ledger.ts';
export { latencyParameters, routeOutcome, regimeFactorsSchema, stepParametersSchema } from './outcome.ts';
export {
  decisionCandidateSchema,
  decisionOutcomeSchema,
  decisionRecordSchema,
  decisionShadowSchema,
  decisionsSchema,
} from './admin/decision.ts';
export type {
  DecisionCandidate,
  DecisionOutcome,
  DecisionRecord,
  Decisions,
  DecisionShadow,
} from './admin/decision.ts';
export { requestOrderSchema, requestsSchema, requestSummarySchema } from './admin/request.ts';
export type { RequestOrder, Requests, RequestSummary } from './admin/request.ts';
export { policyViewSchema, workersViewSchema, workerViewSchema } from './admin/fleet.ts';
export type { PolicyView, WorkersView, WorkerView } from './admin/fleet.ts';
export {
  confidenceSchema,
  indexedBlocksSchema,
  indexedConfidenceSchema,
  indexedWorkerSchema,
  indexedWorkersSchema,
  indexLookupSchema,
  indexReplicaSchema,
  indexStatsSchema,
  renderedPromptSchema,
} from './admin/index-status.ts';
export type {
  IndexedBlocks,
  IndexedConfidence,
  IndexedWorker,
  IndexedWorkers,
  IndexLookup,
  IndexReplica,
  IndexStats,
  RenderedPrompt,
} from './admin/index-status.ts';
export type {
  LiveColumn,
  LiveLatency,
  LiveMessage,
  LivePoolLatency,
  LiveQuantiles,
  LiveReason,
  LiveRequest,
  LiveRouterEvent,
  LiveRouterLost,
  LiveRouterMessage,
  LiveSnapshot,
  LiveTick,
  LiveTotals,
  LiveWorker,
} from './admin/live.ts';
export { latencyPredictionSchema, variantsViewSchema, variantViewSchema } from './admin/predictor-status.ts';
export type { LatencyPrediction, VariantsView, VariantView } from './admin/predictor-status.ts';
export { queuesViewSchema } from './admin/queues.ts';
export type { QueuesView } from './admin/queues.ts';
export { ranksViewSchema, rankViewSchema } from './admin/ranks.ts';
export type { RankState, RanksView } from './admin/ranks.ts';
export { shadowViewSchema } from './admin/shadow.ts';
export type { ShadowReport } from './admin/shadow.ts';
export { siblingsViewSchema } from './admin/siblings.ts';
export type { SiblingsView } from './admin/siblings.ts';
export { healthSchema, problemSchema, processStatusSchema, serviceStatusSchema } from './admin/status.ts';
export type { Health, ProblemView, ProcessStatus, ServiceStatus } from './admin/status.ts';
export type { View } from './admin/view.ts';
export { traceSchema, tracesSchema, traceSpanSchema } from './admin/trace.ts';
export type { Trace, Traces, TraceSpan } from './admin/trace.ts';
export type { TraceContext } from './trace-context.ts';
export {
  configChangeSchema,
  configHistorySchema,
  configRollbackSchema,
  configVersionSchema,
  configViewSchema,
  settingViewSchema,
} from './admin/config.ts';
export type { ConfigHistory, ConfigVersion, ConfigView, SettingView } from './admin/config.ts';
export { configChanged } from './config-changed.ts';
