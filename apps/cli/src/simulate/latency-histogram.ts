/** Bins of a decade: their edges are 3.7 % apart. */
const BINS_PER_DECADE = 64;

/** How many latencies fell in which bin; bin `i` ends at 10^(i / 64) ms. Runs add up without loss. */
export interface LatencyHistogram {
  /** Everything counted, infinite latencies included. */
  readonly total: number;
  /** Bin and count, by bin. */
  readonly bins: readonly (readonly [bin: number, count: number])[];
}

/** One point of a cumulative distribution. */
export interface CdfPoint {
  readonly ms: number;
  /** Of all requests, 0 to 1, that took at most `ms`. */
  readonly share: number;
}

/** Counts latencies in ms. Infinite ones only raise the total; NaN is left out. */
export function histogramOf(latenciesMs: Iterable<number>): LatencyHistogram {
  const counts = new Map<number, number>();
  let total = 0;
  for (const ms of latenciesMs) {
    if (Number.isNaN(ms)) continue;
    total++;
    if (ms === Infinity) continue;
    const bin = Math.ceil(Math.log10(Math.max(ms, 1e-3)) * BINS_PER_DECADE);
    counts.set(bin, (counts.get(bin) ?? 0) + 1);
  }
  return { total, bins: [...counts].sort(([a], [b]) => a - b) };
}

export function mergeHistograms(histograms: readonly LatencyHistogram[]): LatencyHistogram {
  const counts = new Map<number, number>();
  let total = 0;
  for (const histogram of histograms) {
    total += histogram.total;
    for (const [bin, count] of histogram.bins) counts.set(bin, (counts.get(bin) ?? 0) + count);
  }
  return { total, bins: [...counts].sort(([a], [b]) => a - b) };
}

/** Share of requests at the end of every bin that has some; it stays below 1 where requests failed. */
export function cdfOf({ total, bins }: LatencyHistogram): CdfPoint[] {
  let sum = 0;
  return bins.map(([bin, count]) => {
    sum += count;
    return { ms: 10 ** (bin / BINS_PER_DECADE), share: sum / total };
  });
}
