/** One request of a recorded trace. */
export interface RecordedRequest {
  readonly timestampMs: number;
  /** Ids (whole numbers from 0 to 2^31 - 1) of the runs of tokens that the prompt starts with: equal ids, equal text. */
  readonly blocks: readonly number[];
  /** Length of the prompt: cuts the last run short, or goes on after it with text of its own. */
  readonly promptTokens: number;
  readonly outputTokens: number;
}

/** Requests that somebody's system once received, as far as was recorded. */
export interface RecordedTrace {
  /** Tokens of one run of {@link RecordedRequest.blocks}. */
  readonly blockTokens: number;
  /** What the timestamps were rounded down to; 0 when they are exact. */
  readonly quantumMs: number;
  readonly requests: readonly RecordedRequest[];
}
