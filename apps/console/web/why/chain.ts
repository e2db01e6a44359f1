import type { DecisionRecord } from '@sluice/contracts';

/** Decisions of one request, in the order in which they were made: it was retried, or moved while it was held. */
export async function chainOf(
  decision: DecisionRecord,
  get: (id: string) => Promise<DecisionRecord | null>,
  longest = 16,
): Promise<DecisionRecord[]> {
  const chain = [decision];
  for (let before = decision.retryOf ?? decision.movedFrom; before !== null && chain.length < longest;) {
    const found = await get(before);
    if (found === null) break;
    chain.unshift(found);
    before = found.retryOf ?? found.movedFrom;
  }
  for (let after = decision.followedBy; after !== null && chain.length < longest;) {
    const found = await get(after);
    if (found === null) break;
    chain.push(found);
    after = found.followedBy;
  }
  return chain;
}

/** Workers that had failed the request before this decision. */
export function triedBefore(decision: DecisionRecord, chain: readonly DecisionRecord[]): Set<string> {
  const at = chain.findIndex(({ id }) => id === decision.id);
  return new Set(chain.slice(0, at).flatMap(({ worker, outcome }) => (outcome === null ? [] : [worker])));
}
