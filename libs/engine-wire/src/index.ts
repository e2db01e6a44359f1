export { encodeKvBatch } from './encode-kv-batch.ts';
export type { KvBatchForm } from './encode-kv-batch.ts';
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
export { tierOfMedium } from './tier-alias.ts';
