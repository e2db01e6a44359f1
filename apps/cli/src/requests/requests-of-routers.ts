import type { RequestOrder, Requests, RequestSummary } from '@sluice/contracts';
import type { Told } from '../routers.ts';

/** A request, and of which router where there are several. */
export interface ToldRequest extends RequestSummary {
  readonly router?: string;
}

/** What a router puts the largest first of; those without it are not in its answer. */
const SIZE: Readonly<Record<RequestOrder, (request: RequestSummary) => number>> = {
  newest: ({ atMs }) => atMs,
  ttft: ({ ttftMs }) => ttftMs ?? 0,
  tpot: ({ tpotMs }) => tpotMs ?? 0,
  e2e: ({ e2eMs }) => e2eMs ?? 0,
  queued: ({ queuedMs }) => queuedMs ?? 0,
  error: ({ ttftErrorMs }) => Math.abs(ttftErrorMs ?? 0),
  regret: ({ ttftRegretMs }) => ttftRegretMs ?? -Infinity,
};

/** The answers of several routers to the same question as that of one: in their order, each request with its router. */
export function requestsOfRouters(
  told: readonly Told<Requests>[],
  { by, limit }: { readonly by: RequestOrder; readonly limit: number },
): Requests & { readonly requests: readonly ToldRequest[] } {
  const sizeOf = SIZE[by];
  const requests = told.flatMap(({ router, answer }) => answer.requests.map((request) => ({ router, ...request })));
  const since = told.flatMap(({ answer }) => answer.sinceMs ?? []);
  return {
    requests: requests.sort((a, b) => sizeOf(b) - sizeOf(a) || b.atMs - a.atMs).slice(0, limit),
    keptRequests: told.reduce((sum, { answer }) => sum + answer.keptRequests, 0),
    sinceMs: since.length === 0 ? null : Math.min(...since),
  };
}
