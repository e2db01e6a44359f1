/** Prompts of others that a worker computed while it had a request, as the router saw their first tokens. */
export interface PrefillBeside {
  /** Uncached tokens until this request's first token, its own step included and its own tokens not. */
  readonly tokensBefore: number;
  /** Their (query, key) pairs: `uncached x (prompt - uncached / 2)`, summed. */
  readonly pairsBefore: number;
  /** The same during its decode, and in how many steps. */
  readonly tokensAfter: number;
  readonly pairsAfter: number;
  readonly stepsAfter: number;
}
