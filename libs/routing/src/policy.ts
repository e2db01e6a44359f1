import type { Candidates, Rng, RouteQuery, Signal } from '@sluice/model';
import type { DecisionTerms } from './decision-terms.ts';
import type { PolicyId } from './policy-id.ts';

/** A picked row is valid until workers are added to or removed from the table. */
export type Choice =
  | { readonly kind: 'picked'; readonly row: number }
  | { readonly kind: 'no-worker'; readonly reason: 'no workers' | 'no worker is up' };

/** Decides which worker serves a request. Reads one snapshot; changes nothing but `out` and its own scratch space. */
export interface Policy {
  readonly id: PolicyId;
  /** Columns that it reads, so that a missing producer fails at boot, see {@link checkSignals}. */
  readonly needs: readonly Signal[];
  /**
   * Picks a row with `up` set, and writes to `out` why. Synchronous, O(workers), and the caller books the pick in the
   * ledger before the next call, or equal requests would herd.
   */
  choose(candidates: Candidates, query: RouteQuery, rng: Rng, out: DecisionTerms): Choice;
}

/** The boot errors of `policy` when only `available` is filled; empty when it can run. */
export function checkSignals(policy: Policy, available: readonly Signal[]): string[] {
  return policy.needs
    .filter((signal) => !available.includes(signal))
    .map((signal) => `policy ${policy.id} needs ${signal}, which nothing fills`);
}
