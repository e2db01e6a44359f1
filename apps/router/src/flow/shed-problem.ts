import type { Bound, Shed, ShedReason } from '@sluice/flow-control';
import { tooManyRequests } from '../http/problem.ts';
import type { Problem } from '../http/problem.ts';

const MESSAGES: Readonly<Record<ShedReason, string>> = {
  'queue-full': 'Too many requests are waiting',
  'queue-bytes': 'Too many request bytes are waiting',
  'ttft-slo': 'The wait would exceed the TTFT that was asked for',
  deadline: 'The wait would exceed the deadline of the request',
  displaced: 'The request made room for a more urgent one, or for a tenant with fewer waiting',
  expired: 'The deadline of the request passed while it waited',
};
/** The same in the words of llm-d's request-dropped-reason header. */
const LLMD_REASONS: Readonly<Record<ShedReason, string>> = {
  'queue-full': 'rejected-saturated',
  'queue-bytes': 'rejected-saturated',
  'ttft-slo': 'rejected-saturated',
  deadline: 'rejected-saturated',
  displaced: 'evicted-queue-pressure',
  expired: 'rejected-ttl-expired',
};

const sentAfter = ({ reached, limit }: Bound): string =>
  `it would be sent after ${Math.round(reached)} ms, ${Math.round(limit)} ms were asked for`;
const BOUNDS: Readonly<Record<ShedReason, (bound: Bound) => string>> = {
  'queue-full': ({ reached, limit }) => (limit === 0 ? 'none may wait' : `${reached} of ${limit} requests wait`),
  'queue-bytes': ({ reached, limit }) => `${reached} bytes with its own, ${limit} may wait`,
  'ttft-slo': sentAfter,
  deadline: sentAfter,
  displaced: () => '',
  expired: ({ limit }) => `${Math.round(limit)} ms`,
};

/** Why a request was turned away, with the bound in force: as `queue-full: 512 of 512 requests wait`. */
export const shedCause = ({ reason, bound }: Shed): string =>
  bound === null ? reason : `${reason}: ${BOUNDS[reason](bound)}`;

/** What a client whose request was turned away is told: 429, why, and when to try again. */
export function shedProblem({ reason, bound, retryAfterMs }: Shed): Problem {
  return {
    ...tooManyRequests(bound === null ? MESSAGES[reason] : `${MESSAGES[reason]} (${BOUNDS[reason](bound)})`),
    headers: [
      'retry-after',
      String(Math.ceil(retryAfterMs / 1000)),
      'x-sluice-shed-reason',
      reason,
      'x-llm-d-request-dropped-reason',
      LLMD_REASONS[reason],
    ],
  };
}
