import { seededRng } from '@sluice/numerics';
import type { Policy } from './policy.ts';

/**
 * `policy` with randomness of its own: decision number n draws from a stream that `seed` and n alone make, however much
 * those before it drew. Runs that differ in the number of ties of one decision thus agree on how all later ones break theirs.
 */
export function drawByDecision(policy: Policy, seed: number): Policy {
  let decisions = 0;
  return {
    id: policy.id,
    needs: policy.needs,
    choose: (candidates, query, _rng, out) => {
      const rng = seededRng(seed ^ Math.imul(++decisions, 0x9e3779b1));
      return policy.choose(candidates, query, rng, out);
    },
  };
}
