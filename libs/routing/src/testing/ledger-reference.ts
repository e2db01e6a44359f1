import type { StepParameters } from '@sluice/model';
import type { BookedRequest } from '../ledger.ts';

interface Live {
  readonly worker: string;
  readonly request: BookedRequest;
  /** Null: kept in the router. */
  readonly sentAtMs: number | null;
  /** Output tokens so far; null while queued. */
  output: number | null;
}

/** The ledger as its definition reads: a list of live requests, summed up from scratch at every question. */
export class LedgerReference {
  private readonly live = new Set<Live>();
  /** When the engine was done with a prompt, or a prompt at the head was given up. */
  private readonly cleared: { readonly worker: string; readonly atMs: number }[] = [];

  book(worker: string, request: BookedRequest, sentAtMs: number | null = null): Live {
    const entry: Live = { worker, request, sentAtMs, output: null };
    this.live.add(entry);
    return entry;
  }

  firstToken(entry: Live, atMs = 0): void {
    if (entry.output !== null) return;
    entry.output = 1;
    if (entry.sentAtMs !== null) this.cleared.push({ worker: entry.worker, atMs });
  }

  tokens(entry: Live, count: number, atMs = 0): void {
    if (entry.output === null) {
      this.firstToken(entry, atMs);
      entry.output = 0;
    }
    entry.output += count;
  }

  release(entry: Live, atMs = 0): void {
    if (this.queue(entry.worker)[0] === entry) this.cleared.push({ worker: entry.worker, atMs });
    this.live.delete(entry);
  }

  /**
   * Tokens of the first request of the worker's queue that are prefilled by now: its share of a time that is
   * added up chunk by chunk, from when it reached the engine or the one before it was done.
   */
  prefilledTokens(worker: string, nowMs: number, step: StepParameters): number {
    const head = this.queue(worker)[0];
    if (head === undefined) return 0;
    const { promptTokens, uncachedTokens } = head.request;
    const decodes = [...this.live].filter((entry) => entry.worker === worker && entry.output !== null);
    const context = decodes.reduce((sum, entry) => sum + entry.request.promptTokens + entry.output!, 0);
    let totalMs = 0;
    for (let left = uncachedTokens; left > 0;) {
      const chunk = Math.min(left, 8192 - decodes.length);
      const done = promptTokens - left;
      totalMs += step.t0Ms + Math.max(step.twMs, step.aMsPerToken * (chunk + decodes.length));
      totalMs += step.kAttMs * chunk * (done + chunk / 2);
      totalMs += step.kKvMs * context + step.kSeqMs * (decodes.length + 1);
      left -= chunk;
    }
    const reachedMs = head.sentAtMs! + step.apiBaseMs + step.apiPerTokenMs * promptTokens;
    const clearedMs = this.cleared.filter((each) => each.worker === worker).map(({ atMs }) => atMs);
    const elapsedMs = Math.max(0, nowMs - Math.max(reachedMs, ...clearedMs));
    return uncachedTokens === 0 ? 0 : uncachedTokens * Math.min(0.95, elapsedMs / totalMs);
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

  private queue(worker: string): Live[] {
    return [...this.live].filter(
      (entry) => entry.worker === worker && entry.sentAtMs !== null && entry.output === null,
    );
  }
}
