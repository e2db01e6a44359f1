export { createMatches, PrefixMatches } from './matches.ts';
export { createPrefixIndex } from './prefix-index.ts';
export { ALL_TIERS, SPECULATIVE_SPAN_BYTES } from './types.ts';
export type { BlockRecord, BlockSink, IndexStats, PrefixIndex, PrefixIndexOptions, SpeculationId } from './types.ts';
export { createReplica, Replica } from './replica.ts';
export type {
  ApplyOutcome,
  BatchCodec,
  BatchHeader,
  BatchSink,
  Confidence,
  Position,
  ReplicaJournal,
  ReplicaOptions,
  SnapshotOutcome,
  SnapshotPage,
} from './replica.ts';
export { ReplicaFollower } from './replica-follower.ts';
export type { FollowerCounters, FollowerOptions, FollowerPorts, SnapshotReply } from './replica-follower.ts';
