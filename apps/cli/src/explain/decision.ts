/** A decision record as `GET /decisions/ID` of a router's admin API has it; numbers that are not known are null. */
export interface Decision {
  readonly id: string;
  /** Milliseconds since the Unix epoch. */
  readonly atMs: number;
  readonly pool: string;
  readonly model: string | null;
  readonly api: string;
  readonly policy: string;
  /** The policy that decided: another than asked where that one had to degrade. */
  readonly basis: string;
  readonly unit: string;
  readonly promptBytes: number;
  readonly exactPrompt: boolean;
  readonly promptTokens: number;
  readonly expectedOutputTokens: number;
  readonly retryOf: string | null;
  readonly movedFrom: string | null;
  readonly followedBy: string | null;
  readonly level: {
    readonly tenant: string;
    readonly priority: number;
    readonly ttftSloMs: number | null;
    readonly tpotSloMs: number | null;
    readonly deadlineMs: number | null;
  };
  readonly worker: string;
  readonly tieCost: number | null;
  readonly candidates: readonly Candidate[];
  readonly shadows: readonly Shadow[];
  readonly outcome: Outcome | null;
}

export interface Candidate {
  readonly worker: string;
  readonly up: boolean;
  readonly cost: number | null;
  readonly terms: Readonly<Record<string, number | null>>;
  readonly cachedTokens: number | null;
  readonly predictedTtftMs: number | null;
  readonly predictedTpotMs: number | null;
  readonly inflightRequests: number | null;
  readonly queuedPrefillTokens: number | null;
  readonly decodesRunning: number | null;
  /** Of the two in flight, what sibling routers have. */
  readonly siblingRequests: number | null;
  readonly siblingQueuedPrefillTokens: number | null;
  readonly waitingRequests: number | null;
  readonly kvUsage: number | null;
  readonly signalAgeMs: number | null;
}

/** What a shadow policy would have done. */
export interface Shadow {
  readonly policy: string;
  readonly worker: string | null;
  readonly agrees: boolean;
  readonly ttftMs: number | null;
  readonly e2eMs: number | null;
  readonly ttftRegretMs: number | null;
  readonly e2eRegretMs: number | null;
}

export interface Outcome {
  readonly result: string;
  readonly status: number | null;
  readonly cause: string | null;
  readonly promptTokens: number | null;
  readonly cachedTokens: number | null;
  readonly outputTokens: number;
  /** From its dispatch, as TPOT and E2E. */
  readonly ttftMs: number | null;
  readonly tpotMs: number | null;
  readonly e2eMs: number;
  /** From the decision to the dispatch. */
  readonly heldMs: number;
  readonly queuedMs: number;
  readonly ttftErrorMs: number | null;
  readonly ttftRegretMs: number | null;
}

export const candidateOf = (decision: Decision): Candidate =>
  decision.candidates.find(({ worker }) => worker === decision.worker)!;
