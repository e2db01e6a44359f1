import { countUp, fnv1a } from '@sluice/model';
import type { Candidates, Rng, RouteQuery, Signal, WorkerId } from '@sluice/model';
import type { DecisionTerms } from '../decision-terms.ts';
import type { Policy } from '../policy.ts';
import { cheapest, picked } from './pick.ts';

export interface BoundedHashOptions {
  /** c: no worker may have more than this many times the mean of requests in flight. */
  readonly loadFactor: number;
}

export const BOUNDED_HASH_DEFAULTS: BoundedHashOptions = { loadFactor: 1.25 };

const SESSION_TERMS = ['hash'] as const;
const BOUNDED_TERMS = ['hash', 'inflightRequests'] as const;
const REQUESTS = ['inflightRequests'] as const satisfies readonly Signal[];

/**
 * A session stays on one worker: the smallest hash of (session, worker) wins (rendezvous hashing), so a worker that
 * joins or leaves moves only the sessions that it gets or had. A request without a session goes anywhere.
 */
export function sessionHash(): Policy {
  const hashes = new WorkerHashes();
  return {
    id: 'session-hash',
    needs: [],
    choose(candidates, query, rng, out) {
      out.layout('session-hash', 'score', SESSION_TERMS, candidates.size);
      writeHashes(candidates, query, rng, hashes, out);
      return picked(cheapest(out.cost, candidates.size, rng), candidates);
    },
  };
}

/**
 * Consistent hashing with bounded loads: a session's workers are tried in the order of {@link sessionHash}, and the
 * first below `ceil(loadFactor x (requests in flight + 1) / workers)` gets the request. There always is one.
 */
export function boundedHash(options: Partial<BoundedHashOptions> = {}): Policy {
  const { loadFactor } = { ...BOUNDED_HASH_DEFAULTS, ...options };
  const hashes = new WorkerHashes();
  return {
    id: 'bounded-hash',
    needs: REQUESTS,
    choose(candidates, query, rng, out) {
      const { size, up, inflightRequests } = candidates;
      out.layout('bounded-hash', 'score', BOUNDED_TERMS, size);
      writeHashes(candidates, query, rng, hashes, out);
      let inFlight = 0;
      for (let row = 0; row < size; row++) if (up[row] === 1) inFlight += inflightRequests[row]!;
      const bound = Math.ceil((loadFactor * (inFlight + 1)) / countUp(candidates));
      const term = out.values[1]!;
      for (let row = 0; row < size; row++) {
        term[row] = inflightRequests[row]!;
        if (term[row]! >= bound) out.cost[row] = Infinity;
      }
      return picked(cheapest(out.cost, size, rng), candidates);
    },
  };
}

/** Hash of each row's worker id, kept until another worker is in the row. */
class WorkerHashes {
  private readonly ids: WorkerId[] = [];
  private readonly hashes: number[] = [];

  of(row: number, id: WorkerId): number {
    if (this.ids[row] !== id) {
      this.ids[row] = id;
      this.hashes[row] = fnv1a(id);
    }
    return this.hashes[row]!;
  }
}

/** Term 0: the hash of (session, worker) in [0, 1), for every row. */
function writeHashes(
  candidates: Candidates,
  query: RouteQuery,
  rng: Rng,
  hashes: WorkerHashes,
  out: DecisionTerms,
): void {
  const { size, up, ids } = candidates;
  const session = query.sessionHash ?? Math.floor(rng() * 2 ** 32);
  const term = out.values[0]!;
  for (let row = 0; row < size; row++) {
    // Both are mixed: clients number their sessions, and deployments their workers.
    term[row] = mix(mix(session) ^ hashes.of(row, ids[row]!)) / 2 ** 32;
    out.cost[row] = up[row] === 1 ? term[row]! : Infinity;
  }
}

/** MurmurHash3's finalizer: every bit of the input flips every bit of the output in half of the cases. */
function mix(hash: number): number {
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
