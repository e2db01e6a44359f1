import type { Candidates, Rng, RouteQuery } from '@sluice/model';
import { createDecisionTerms } from './decision-terms.ts';
import type { Policy } from './policy.ts';
import type { PolicyId } from './policy-id.ts';

/**
 * What a policy would have done in the place of the one that decided. The milliseconds are predictions at the decision,
 * NaN where there was none; regrets are those of its pick less those of the real one, so below 0 its pick looks faster.
 */
export interface ShadowChoice {
  readonly policy: PolicyId;
  /** Row of its pick; -1 when it picked none. */
  readonly row: number;
  /** Whether it picked the same worker. */
  readonly agrees: boolean;
  readonly ttftMs: number;
  /** To the last of the expected output tokens. */
  readonly e2eMs: number;
  readonly ttftRegretMs: number;
  readonly e2eRegretMs: number;
}

/** What a shadow policy has come to so far. Means are over `compared`, agreement included as a regret of 0. */
export interface ShadowTally {
  readonly policy: PolicyId;
  readonly decisions: number;
  readonly agreed: number;
  /** Decisions with a prediction for both picks. */
  readonly compared: number;
  /** NaN before the first comparison, as below. */
  readonly meanTtftRegretMs: number;
  readonly meanE2eRegretMs: number;
}

class Shadow implements ShadowChoice, ShadowTally {
  readonly policy: PolicyId;
  row = -1;
  agrees = false;
  ttftMs = NaN;
  e2eMs = NaN;
  ttftRegretMs = NaN;
  e2eRegretMs = NaN;
  decisions = 0;
  agreed = 0;
  compared = 0;
  #ttftRegretSumMs = 0;
  #e2eRegretSumMs = 0;
  readonly #policy: Policy;
  readonly #rng: Rng;

  constructor(policy: Policy, rng: Rng) {
    this.policy = policy.id;
    this.#policy = policy;
    this.#rng = rng;
  }

  get meanTtftRegretMs(): number {
    return this.#ttftRegretSumMs / this.compared;
  }

  get meanE2eRegretMs(): number {
    return this.#e2eRegretSumMs / this.compared;
  }

  choose(candidates: Candidates, query: RouteQuery, chosen: number): void {
    const choice = this.#policy.choose(candidates, query, this.#rng, scratch);
    const row = choice.kind === 'picked' ? choice.row : -1;
    this.row = row;
    this.agrees = row === chosen;
    this.ttftMs = row < 0 ? NaN : candidates.predictedTtftMs[row]!;
    this.e2eMs = row < 0 ? NaN : predictedE2eMs(candidates, row, query);
    this.ttftRegretMs = this.ttftMs - candidates.predictedTtftMs[chosen]!;
    this.e2eRegretMs = this.e2eMs - predictedE2eMs(candidates, chosen, query);
    this.decisions++;
    if (this.agrees) this.agreed++;
    if (!Number.isFinite(this.ttftRegretMs) || !Number.isFinite(this.e2eRegretMs)) return;
    this.compared++;
    this.#ttftRegretSumMs += this.ttftRegretMs;
    this.#e2eRegretSumMs += this.e2eRegretMs;
  }
}

/** Terms of shadows are read by nobody. */
const scratch = createDecisionTerms();

const predictedE2eMs = ({ predictedTtftMs, predictedTpotMs }: Candidates, row: number, query: RouteQuery): number =>
  predictedTtftMs[row]! + query.expectedOutputTokens * predictedTpotMs[row]!;

/**
 * Policies that are asked what they would have done with the decisions of another, and are never obeyed: each has its
 * own state and its own random numbers, so the decisions are the same with and without them. They see the fleet as the
 * deciding policy has loaded it; what it would look like under theirs is for a simulation.
 */
export class ShadowPolicies {
  readonly #shadows: readonly Shadow[];

  /** @param rngs one for each policy, and nobody else's */
  constructor(policies: readonly Policy[], rngs: readonly Rng[]) {
    this.#shadows = policies.map((policy, i) => new Shadow(policy, rngs[i]!));
  }

  /**
   * Asks each for its choice, on the columns and the query that the decision for row `chosen` was made on. The answer is
   * written again by the next call.
   */
  consider(candidates: Candidates, query: RouteQuery, chosen: number): readonly ShadowChoice[] {
    for (const shadow of this.#shadows) shadow.choose(candidates, query, chosen);
    return this.#shadows;
  }

  tallies(): readonly ShadowTally[] {
    return this.#shadows;
  }
}
