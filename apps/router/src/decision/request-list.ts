import type { RequestOrder, RequestSummary } from '@sluice/contracts';

/** Which of the requests, in which order, and how many; null: whatever it is. */
export interface RequestQuery {
  readonly by: RequestOrder;
  readonly limit: number;
  readonly pool: string | null;
  readonly worker: string | null;
  readonly tenant: string | null;
  readonly result: string | null;
  /** Decided at this time or later, milliseconds since the Unix epoch. */
  readonly fromMs: number | null;
}

const FIELDS = ['pool', 'worker', 'tenant', 'result'] as const;

const SIZE: Record<Exclude<RequestOrder, 'newest'>, (request: RequestSummary) => number | null> = {
  ttft: ({ ttftMs }) => ttftMs,
  tpot: ({ tpotMs }) => tpotMs,
  e2e: ({ e2eMs }) => e2eMs,
  queued: ({ queuedMs }) => queuedMs,
  error: ({ ttftErrorMs }) => (ttftErrorMs === null ? null : Math.abs(ttftErrorMs)),
  regret: ({ ttftRegretMs }) => ttftRegretMs,
};

/**
 * The requests that a query asks for, largest first of what it orders by; of equal ones the newer. One that does not
 * have that number is not among them.
 * @param requests newest first
 */
export function listRequests(requests: readonly RequestSummary[], query: RequestQuery): RequestSummary[] {
  const { by, limit, fromMs } = query;
  const asked = requests.filter(
    (request) =>
      (fromMs === null || request.atMs >= fromMs) &&
      FIELDS.every((field) => query[field] === null || request[field] === query[field]),
  );
  if (by === 'newest') return asked.slice(0, limit);
  const sizeOf = SIZE[by];
  return asked
    .filter((request) => sizeOf(request) !== null)
    .sort((a, b) => sizeOf(b)! - sizeOf(a)!)
    .slice(0, limit);
}
