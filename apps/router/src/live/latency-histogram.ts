import type { LiveQuantiles } from '@sluice/contracts';

/** Buckets of a decade: their edges are 7.5 % apart. */
const PER_DECADE = 32;
const LEAST_MS = 0.1;
/** 0.1 ms to 1,000 s; what is beyond counts in the last one. */
const BUCKETS = 7 * PER_DECADE;
const SHARES = [0.5, 0.9, 0.95, 0.99] as const;

/** Counts of latencies in logarithmic buckets. Histograms add up without loss. */
export class LatencyHistogram {
  readonly counts = new Uint32Array(BUCKETS);
  total = 0;

  /** @param ms finite */
  add(ms: number): void {
    const at = Math.floor(Math.log10(Math.max(ms, LEAST_MS) / LEAST_MS) * PER_DECADE);
    this.counts[Math.min(at, BUCKETS - 1)]!++;
    this.total++;
  }

  merge(other: LatencyHistogram): void {
    if (other.total === 0) return;
    for (let i = 0; i < BUCKETS; i++) this.counts[i]! += other.counts[i]!;
    this.total += other.total;
  }

  clear(): void {
    if (this.total === 0) return;
    this.counts.fill(0);
    this.total = 0;
  }

  /** Interpolated within its bucket by the logarithm; three digits say all that is known. */
  quantiles(): LiveQuantiles {
    if (this.total === 0) return null;
    const found = SHARES.map(() => 0);
    let below = 0;
    let next = 0;
    for (let i = 0; i < BUCKETS && next < SHARES.length; i++) {
      const count = this.counts[i]!;
      if (count === 0) continue;
      while (next < SHARES.length && SHARES[next]! * this.total <= below + count) {
        const within = (SHARES[next]! * this.total - below) / count;
        found[next++] = Number((LEAST_MS * 10 ** ((i + within) / PER_DECADE)).toPrecision(3));
      }
      below += count;
    }
    return [found[0]!, found[1]!, found[2]!, found[3]!];
  }
}
