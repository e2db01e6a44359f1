import { KvFlag, readKvBatch, readKvBatchHeader } from './kv-batch.ts';
import type { KvBatchHeader, KvBatchSink } from './kv-batch.ts';

/** A header with its flags spelled out. */
export interface KvBatchPosition extends KvBatchHeader {
  readonly begin: boolean;
  readonly incomplete: boolean;
}

/** {@link kvDeltas} batches as index replicas read them: the header first, the operations once it is accepted. */
export const kvBatchCodec = {
  /** @throws RangeError as {@link readKvBatchHeader}. */
  header(bytes: Uint8Array): KvBatchPosition {
    const header = readKvBatchHeader(bytes);
    return {
      ...header,
      begin: (header.flags & KvFlag.BEGIN) !== 0,
      incomplete: (header.flags & KvFlag.INCOMPLETE) !== 0,
    };
  },
  /** @throws RangeError as {@link readKvBatch}, before anything was handed over. */
  operations(bytes: Uint8Array, sink: KvBatchSink): void {
    readKvBatch(bytes, sink);
  },
};
