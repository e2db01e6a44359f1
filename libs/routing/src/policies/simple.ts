import { countUp } from '@sluice/model';
import type { Candidates, Signal } from '@sluice/model';
import type { DecisionTerms } from '../decision-terms.ts';
import type { Policy } from '../policy.ts';
import { cheapest, noWorker, nthUp, picked, uniform } from './pick.ts';

const REQUESTS = ['inflightRequests'] as const satisfies readonly Signal[];

/** Every worker that is up in turn. */
export function roundRobin(): Policy {
  let last = -1;
  return {
    id: 'round-robin',
    needs: [],
    choose(candidates, _query, _rng, out) {
      out.layout('round-robin', 'requests', [], candidates.size);
      const { cost } = out;
      const { size, up } = candidates;
      let choice = -1;
      for (let step = 1; step <= size; step++) {
        const row = (last + step) % size;
        cost[row] = up[row] === 1 ? step : Infinity;
        if (choice < 0 && up[row] === 1) choice = row;
      }
      if (choice < 0) return noWorker(candidates);
      last = choice;
      return { kind: 'picked', row: choice };
    },
  };
}

/** Any worker that is up, uniformly. */
export function random(): Policy {
  return {
    id: 'random',
    needs: [],
    choose(candidates, _query, rng, out) {
      out.layout('random', 'requests', [], candidates.size);
      for (let row = 0; row < candidates.size; row++) out.cost[row] = candidates.up[row] === 1 ? 0 : Infinity;
      return picked(cheapest(out.cost, candidates.size, rng), candidates);
    },
  };
}

/** Fewest requests in flight, ties at random. */
export function leastRequest(): Policy {
  return {
    id: 'least-request',
    needs: REQUESTS,
    choose(candidates, _query, rng, out) {
      out.layout('least-request', 'requests', REQUESTS, candidates.size);
      costFromRequests(candidates, out);
      return picked(cheapest(out.cost, candidates.size, rng), candidates);
    },
  };
}

/** Power of two choices: of two workers drawn at random, the one with fewer requests in flight; the first on a tie. */
export function powerOfTwoChoices(): Policy {
  return {
    id: 'p2c',
    needs: REQUESTS,
    choose(candidates, _query, rng, out) {
      out.layout('p2c', 'requests', REQUESTS, candidates.size);
      costFromRequests(candidates, out);
      const up = countUp(candidates);
      if (up === 0) return noWorker(candidates);
      const first = uniform(rng, up);
      if (up === 1) return { kind: 'picked', row: nthUp(candidates, first) };
      // The second is drawn from the others, so the two differ.
      const second = (first + 1 + uniform(rng, up - 1)) % up;
      const a = nthUp(candidates, first);
      const b = nthUp(candidates, second);
      return { kind: 'picked', row: out.cost[b]! < out.cost[a]! ? b : a };
    },
  };
}

function costFromRequests(candidates: Candidates, out: DecisionTerms): void {
  const { inflightRequests, up, size } = candidates;
  const term = out.values[0]!;
  for (let row = 0; row < size; row++) {
    term[row] = inflightRequests[row]!;
    out.cost[row] = up[row] === 1 ? term[row]! : Infinity;
  }
}
