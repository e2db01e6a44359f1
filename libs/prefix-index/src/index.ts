export { createMatches, PrefixMatches } from './matches.ts';
export { createPrefixIndex } from './prefix-index.ts';
export type { BlockRecord, IndexStats, PrefixIndex, PrefixIndexOptions, SpeculationId } from './types.ts';
export { createReplica, Replica } from './replica.ts';
export type {
  ApplyOutcome,
  BatchCodec,
  BatchHeader,
  Confidence,
  Position,
  ReplicaJournal,
  ReplicaOptions,
  SnapshotOutcome,
  SnapshotPage,
} from './replica.ts';
export { ReplicaFollower } from './replica-follower.ts';
export type { FollowerCounters, FollowerOptions, FollowerPorts, SnapshotReply } from './replica-follower.ts';
