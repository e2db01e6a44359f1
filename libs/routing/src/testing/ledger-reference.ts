import type { BookedRequest } from '../ledger.ts';

interface Live {
  readonly worker: string;
  readonly request: BookedRequest;
  /** Output tokens so far; null while queued. */
  output: number | null;
}

/** The ledger as its definition reads: a list of live requests, summed up from scratch at every question. */
export class LedgerReference {
  private readonly live = new Set<Live>();

  book(worker: string, request: BookedRequest): Live {
    const entry: Live = { worker, request, output: null };
    this.live.add(entry);
    return entry;
  }

  firstToken(entry: Live): void {
    entry.output ??= 1;
  }

  tokens(entry: Live, count: number): void {
    entry.output = (entry.output ?? 0) + count;
  }

  release(entry: Live): void {
    this.live.delete(entry);
  }

  sums(worker: string): Record<string, number> {
    const mine = [...this.live].filter((entry) => entry.worker === worker);
    const decodes = mine.filter((entry) => entry.output !== null);
    const total = (entries: readonly Live[], of: (entry: Live) => number): number =>
      entries.reduce((sum, entry) => sum + of(entry), 0);
    return {
      inflightRequests: mine.length,
      queuedPrefillTokens: total(mine, (entry) => (entry.output === null ? entry.request.uncachedTokens : 0)),
      decodesRunning: decodes.length,
      decodeContextTokens: total(decodes, (entry) => entry.request.promptTokens + entry.output!),
      heldKvTokens: total(decodes, (entry) => entry.request.uncachedTokens + entry.output!),
      expectedGrowthTokens: total(mine, (entry) =>
        Math.max(0, entry.request.expectedOutputTokens - (entry.output ?? 0)),
      ),
    };
  }
}
