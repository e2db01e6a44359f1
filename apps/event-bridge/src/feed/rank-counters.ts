/** What one reader has seen and done; running totals. */
export interface RankCounters {
  storedEvents: number;
  removedEvents: number;
  clearedEvents: number;
  /** Batches of the engine that were applied. */
  batches: number;
  /** Missing sequence numbers noticed. */
  gaps: number;
  /** Gaps that could not be filled: the table started over, incomplete. */
  losses: number;
  /** Answers of the engine's replay socket. */
  replays: number;
  /** New engine processes noticed. */
  restarts: number;
  /** Messages that a replay had delivered already. */
  duplicates: number;
  /** Messages older than what was taken already: of a process that is gone, or the clock was set back. Replayed. */
  stale: number;
  /** Events of unknown kind, tier or shape, and unknown fields of known events. */
  unknownEvents: number;
  unknownFields: number;
  /** Token positions that came as bigram pairs. */
  bigrams: number;
  decodeErrors: number;
  /** Batches that name another data-parallel rank than the fleet does. */
  otherRank: number;
  /** Messages dropped because the queue was full during a replay; they are replayed. */
  overflows: number;
  socketErrors: number;
}

export const newRankCounters = (): RankCounters => ({
  storedEvents: 0,
  removedEvents: 0,
  clearedEvents: 0,
  batches: 0,
  gaps: 0,
  losses: 0,
  replays: 0,
  restarts: 0,
  duplicates: 0,
  stale: 0,
  unknownEvents: 0,
  unknownFields: 0,
  bigrams: 0,
  decodeErrors: 0,
  otherRank: 0,
  overflows: 0,
  socketErrors: 0,
});
