import type { Signal } from '@sluice/model';
import { checkSignals, createPolicy, drawByDecision } from '@sluice/routing';
import type { Policy, PolicyOptions } from '@sluice/routing';

/** The columns that this router fills, by who does. A policy that needs another one cannot run here. */
export const FILLED_SIGNALS: readonly Signal[] = [
  // scrape loop
  'waitingRequests',
  'runningRequests',
  'kvUsage',
  'kvCapacityTokens',
  'signalAgeMs',
  'heldKvTokensAtScrape',
  // ledger
  'inflightRequests',
  'queuedPrefillTokens',
  'prefilledTokens',
  'decodesRunning',
  'decodeContextTokens',
  'heldKvTokens',
  'expectedGrowthTokens',
  // sibling link
  'siblingRequests',
  'siblingQueuedPrefillTokens',
  // prefix view
  'cachedTokens',
  'activePromptTokens',
  // latency view and predictions
  'step',
  'predictedTtftMs',
  'predictedTpotMs',
];

export type FleetPolicy =
  { readonly kind: 'policy'; readonly policy: Policy } | { readonly kind: 'error'; readonly message: string };

/**
 * The policy called `id`, or why it cannot run where only `filled` columns are. Pools do not share policies: some have
 * state. With a `seed` its decisions can be repeated.
 */
export function fleetPolicy(
  id: string,
  filled: readonly Signal[],
  { seed = null, options = {} }: { readonly seed?: number | null; readonly options?: PolicyOptions } = {},
): FleetPolicy {
  const made = createPolicy(id, options);
  if (made.kind !== 'policy') return { kind: 'error', message: made.message };
  const missing = checkSignals(made.policy, filled);
  if (missing.length > 0) return { kind: 'error', message: missing.join('; ') };
  return seed === null ? made : { kind: 'policy', policy: drawByDecision(made.policy, seed) };
}
