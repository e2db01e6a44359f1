import type { LiveRequest, LiveTick } from '@sluice/contracts';

/** Requests kept in the page; the router keeps its own number. */
const MOST = 2000;

export type Ending = 'open' | 'moved' | 'gone' | 'completed' | 'retried' | 'rejected' | 'aborted' | 'failed';

/** A request with the router that decided about it. */
export interface ToldRequest extends LiveRequest {
  readonly router: string;
}

/** The latest requests of all routers, newest first. */
export class Requests {
  list: readonly ToldRequest[] = [];
  /** Decisions that came faster than the stream tells. */
  skipped = 0;
  readonly #byId = new Map<string, ToldRequest>();
  readonly #gone = new Set<string>();

  /** Begins anew with a router's. */
  load(router: string, requests: readonly LiveRequest[]): void {
    for (const request of this.list) if (request.router === router) this.#drop(request.id);
    this.list = this.list.filter((request) => request.router !== router);
    this.#take(router, requests);
  }

  apply(router: string, { requests, forgotten, skipped }: Pick<LiveTick, 'requests' | 'forgotten' | 'skipped'>): void {
    this.skipped += skipped;
    for (const id of forgotten) if (this.#byId.has(id)) this.#gone.add(id);
    if (requests.length > 0) this.#take(router, requests);
  }

  get(id: string): ToldRequest | null {
    return this.#byId.get(id) ?? null;
  }

  endingOf(request: LiveRequest): Ending {
    const { outcome, followedBy } = request;
    if (outcome === null) return followedBy !== null ? 'moved' : this.#gone.has(request.id) ? 'gone' : 'open';
    if (outcome.result === 'completed') return 'completed';
    if (followedBy !== null) return 'retried';
    if (outcome.result === 'client-abort') return 'aborted';
    return outcome.result === 'rejected' ? 'rejected' : 'failed';
  }

  #take(router: string, requests: readonly LiveRequest[]): void {
    let fresh = false;
    for (const request of requests) {
      fresh ||= !this.#byId.has(request.id);
      this.#byId.set(request.id, { ...request, router });
      // A decision that repeats another says so of both.
      const before = this.#byId.get(request.movedFrom ?? request.retryOf ?? '');
      if (before !== undefined && before.followedBy === null) {
        this.#byId.set(before.id, { ...before, followedBy: request.id });
      }
    }
    const kept = fresh ? [...this.#byId.values()].sort((a, b) => b.atMs - a.atMs) : this.list;
    for (const dropped of kept.slice(MOST)) this.#drop(dropped.id);
    this.list = kept.slice(0, MOST).map(({ id }) => this.#byId.get(id)!);
  }

  #drop(id: string): void {
    this.#byId.delete(id);
    this.#gone.delete(id);
  }
}

/** Requests whose id, worker, pool, model, router or ending contains every word of `filter`. */
export function filteredRequests(requests: Requests, filter: string): readonly ToldRequest[] {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return requests.list;
  return requests.list.filter((request) => {
    const { id, worker, pool, model, router, outcome } = request;
    const parts = [
      id,
      router,
      worker,
      pool,
      model ?? '',
      requests.endingOf(request),
      outcome?.result ?? '',
      outcome?.status ?? '',
    ];
    const text = parts.join(' ').toLowerCase();
    return words.every((word) => text.includes(word));
  });
}
