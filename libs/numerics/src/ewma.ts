/** Plain numbers, so that an estimator can be stored and made again. */
export interface EwmaState {
  readonly sum: number;
  readonly weight: number;
}

/**
 * Exponentially weighted mean that is unbiased from the first sample on: `prior` counts as `priorWeight` samples, and
 * the weights are normalised, so one sample is not mixed with a made-up zero.
 */
export class Ewma {
  private readonly keep: number;
  private sum: number;
  private weight: number;

  /** @param halfLife samples after which one has half its say. */
  constructor(halfLife: number, prior = 0, priorWeight = 0) {
    this.keep = 2 ** (-1 / halfLife);
    this.sum = prior * priorWeight;
    this.weight = priorWeight;
  }

  /** NaN before the first sample when there is no prior. */
  get value(): number {
    return this.sum / this.weight;
  }

  /** A sample that is not finite is left out. */
  observe(sample: number): void {
    if (!Number.isFinite(sample)) return;
    this.sum = this.sum * this.keep + sample;
    this.weight = this.weight * this.keep + 1;
  }

  toState(): EwmaState {
    return { sum: this.sum, weight: this.weight };
  }

  restore(state: EwmaState): void {
    this.sum = state.sum;
    this.weight = state.weight;
  }
}
