interface Entry {
  logBias: number;
  samples: number;
  /** Of single log residuals around the bias, exponentially weighted. */
  variance: number;
  /** Observations of others since its own last one. */
  missed: number;
}

export type WorkerBiasState = readonly (readonly [
  worker: string,
  logBias: number,
  samples: number,
  variance: number,
])[];

const SHARE = 0.05;
/** A worker's own mean counts for half after so many samples. */
const SHRINK_SAMPLES = 20;
/** One sample moves a bias as if it were off by this factor at most. */
const LARGEST_STEP = Math.log(2);
/** Workers of a variant are equal but for their surroundings: more than this is not believed. */
const LARGEST = Math.log(3);
const MOST_WORKERS = 4096;
/** Variance before samples: residuals of some 35 %. */
const FIRST_VARIANCE = 0.1;
/** A residual further off than this factor is an outlier, and counts as this. */
const LARGEST_DEVIATION = Math.log(8);
/**
 * Standard errors of the mean that are taken for noise. More than the usual two, because a request's TTFT and TPOT are
 * observed both, and neighbours in time are disturbed by the same things.
 */
const NOISE_ERRORS = 3;
/** Variance of an exponentially weighted mean, as a share of the variance of what is averaged. */
const MEAN_SHARE = SHARE / (2 - SHARE);
/** A round is as many observations as there are workers. A worker that misses so many rounds in a row is out of use. */
const PATIENCE_ROUNDS = 6;
/** Rounds in which half of the bias of a worker out of use is forgotten. */
const HALF_LIFE_ROUNDS = 25;

/**
 * How much slower each worker is than its variant: an exponentially weighted mean of log residuals, shrunk towards none
 * while samples are few. Biases are relative to their mean, so what all workers share is the variant's to learn, and what
 * lies within a worker's own noise is none: requests must not be kept from where their prefix is for a chance.
 *
 * The bias of a worker out of use fades: who is believed slow gets no requests, and nothing else would ever correct the
 * belief. For the same reason the mean must not keep what is no longer observed, or the others would drift.
 */
export class WorkerBias {
  private readonly entries = new Map<string, Entry>();
  private sumOfShrunk = 0;

  /** Factor on the variant's predictions; 1 for a worker never seen. */
  factor(worker: string): number {
    const entry = this.entries.get(worker);
    if (entry === undefined) return 1;
    const relative = shrunk(entry) - this.sumOfShrunk / this.entries.size;
    const noise = NOISE_ERRORS * Math.sqrt(entry.variance * MEAN_SHARE);
    if (Math.abs(relative) <= noise) return 1;
    const certain = relative * (1 - (noise / relative) ** 2);
    return Math.exp(Math.min(LARGEST, Math.max(-LARGEST, certain)));
  }

  /** @param logResidual log of measured over the variant's own prediction. O(workers). */
  observe(worker: string, logResidual: number): void {
    let entry = this.entries.get(worker);
    if (entry === undefined) {
      entry = { logBias: 0, samples: 0, variance: FIRST_VARIANCE, missed: 0 };
      this.evict();
    }
    const step = Math.min(LARGEST_STEP, Math.max(-LARGEST_STEP, logResidual - entry.logBias));
    const deviation = Math.min(LARGEST_DEVIATION, Math.abs(logResidual - entry.logBias));
    entry.variance += SHARE * (deviation ** 2 - entry.variance);
    entry.logBias += step * SHARE;
    entry.samples++;
    // Re-entered last, so that the first is the one not heard of for longest.
    this.entries.delete(worker);
    this.entries.set(worker, entry);
    this.sumOfShrunk = 0;
    const round = this.entries.size;
    const kept = 2 ** (-1 / (HALF_LIFE_ROUNDS * round));
    for (const other of this.entries.values()) {
      if (other === entry) other.missed = 0;
      else if (++other.missed > PATIENCE_ROUNDS * round) other.logBias *= kept;
      this.sumOfShrunk += shrunk(other);
    }
  }

  *factors(): Iterable<[worker: string, factor: number]> {
    for (const worker of this.entries.keys()) yield [worker, this.factor(worker)];
  }

  clear(): void {
    this.entries.clear();
    this.sumOfShrunk = 0;
  }

  toState(): WorkerBiasState {
    return Array.from(
      this.entries,
      ([worker, { logBias, samples, variance }]) => [worker, logBias, samples, variance] as const,
    );
  }

  restore(state: WorkerBiasState): void {
    this.clear();
    for (const [worker, logBias, samples, variance] of state) {
      const entry = { logBias, samples, variance, missed: 0 };
      this.entries.set(worker, entry);
      this.sumOfShrunk += shrunk(entry);
    }
  }

  private evict(): void {
    if (this.entries.size < MOST_WORKERS) return;
    for (const worker of this.entries.keys()) {
      this.entries.delete(worker);
      return;
    }
  }
}

const shrunk = ({ logBias, samples }: Entry): number => (logBias * samples) / (samples + SHRINK_SAMPLES);
