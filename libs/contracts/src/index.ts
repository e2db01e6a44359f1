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
export { kvFeed, kvLookup, kvResync, kvSnapshot } from './kv-control.ts';
export { decodeLedgerMessage, encodeLedgerMessage, LEDGER_VERSION, ledgerMessages } from './ledger.ts';
export { latencyParameters, routeOutcome, regimeFactorsSchema, stepParametersSchema } from './outcome.ts';
