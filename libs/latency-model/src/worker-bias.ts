interface Entry {
  logBias: number;
  samples: number;
}

export type WorkerBiasState = readonly (readonly [worker: string, logBias: number, samples: number])[];

const SHARE = 0.05;
/** A worker's own mean counts for half after so many samples. */
const SHRINK_SAMPLES = 20;
/** One sample moves a bias as if it were off by this factor at most. */
const LARGEST_STEP = Math.log(2);
const LARGEST = Math.log(8);
const MOST_WORKERS = 4096;

/**
 * How much slower each worker is than its variant: an exponentially weighted mean of log residuals, shrunk towards none
 * while samples are few. Biases are relative to their mean, so what all workers share is the variant's to learn.
 */
export class WorkerBias {
  private readonly entries = new Map<string, Entry>();
  private sumOfShrunk = 0;

  /** Factor on the variant's predictions; 1 for a worker never seen. */
  factor(worker: string): number {
    const entry = this.entries.get(worker);
    if (entry === undefined) return 1;
    const relative = shrunk(entry) - this.sumOfShrunk / this.entries.size;
    return Math.exp(Math.min(LARGEST, Math.max(-LARGEST, relative)));
  }

  /** @param logResidual log of measured over the variant's own prediction. */
  observe(worker: string, logResidual: number): void {
    let entry = this.entries.get(worker);
    if (entry === undefined) {
      entry = { logBias: 0, samples: 0 };
      this.evict();
    }
    this.sumOfShrunk -= entry.samples > 0 ? shrunk(entry) : 0;
    const step = Math.min(LARGEST_STEP, Math.max(-LARGEST_STEP, logResidual - entry.logBias));
    entry.logBias += step * SHARE;
    entry.samples++;
    this.sumOfShrunk += shrunk(entry);
    // Re-entered last, so that the first is the one not heard of for longest.
    this.entries.delete(worker);
    this.entries.set(worker, entry);
  }

  *factors(): Iterable<[worker: string, factor: number]> {
    for (const worker of this.entries.keys()) yield [worker, this.factor(worker)];
  }

  clear(): void {
    this.entries.clear();
    this.sumOfShrunk = 0;
  }

  toState(): WorkerBiasState {
    return Array.from(this.entries, ([worker, { logBias, samples }]) => [worker, logBias, samples] as const);
  }

  restore(state: WorkerBiasState): void {
    this.clear();
    for (const [worker, logBias, samples] of state) {
      const entry = { logBias, samples };
      this.entries.set(worker, entry);
      this.sumOfShrunk += shrunk(entry);
    }
  }

  private evict(): void {
    if (this.entries.size < MOST_WORKERS) return;
    for (const [worker, entry] of this.entries) {
      this.sumOfShrunk -= shrunk(entry);
      this.entries.delete(worker);
      return;
    }
  }
}

const shrunk = ({ logBias, samples }: Entry): number => (logBias * samples) / (samples + SHRINK_SAMPLES);
