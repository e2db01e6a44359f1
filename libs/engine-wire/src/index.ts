export { decodeKvBatch, kvBatchTimeMs } from './decode-kv-batch.ts';
export { encodeKvBatch } from './encode-kv-batch.ts';
export type { KvBatchForm } from './encode-kv-batch.ts';
export { parseEngineMetrics } from './engine-metrics.ts';
export type { EngineSignals } from './engine-metrics.ts';
export { hashWords } from './hash-words.ts';
export type {
  BlocksCleared,
  BlocksRemoved,
  BlocksRemovedInput,
  BlocksStored,
  BlocksStoredInput,
  EngineHash,
  EngineKvBatch,
  EngineKvBatchInput,
  EngineKvEvent,
  ExtraKey,
} from './kv-event.ts';
export { createKvEventPublisher, publisherBinds } from './kv-event-publisher.ts';
export type { KvEventPublisher, KvEventPublisherOptions } from './kv-event-publisher.ts';
export { openKvEventStream } from './kv-event-stream.ts';
export type { KvEventStream, KvEventStreamOptions } from './kv-event-stream.ts';
export type { KvMessage, KvReplay } from './kv-replay.ts';
export { KvDecodeError } from './msgpack-reader.ts';
export { tierOfMedium } from './tier-alias.ts';
