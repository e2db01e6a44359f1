export interface RlsState {
  readonly coefficients: readonly number[];
  /** Row-major, `dimension` squared. */
  readonly covariance: readonly number[];
}

export interface RlsOptions {
  readonly dimension: number;
  /** Start of every coefficient. */
  readonly start: number;
  /** Variance of every coefficient at the start; forgetting never takes one above it (times the coefficient, squared). */
  readonly variance: number;
  /** No coefficient goes below. */
  readonly lowerBound: number;
}

/**
 * Recursive least squares with exponential forgetting (the Kalman filter of constant coefficients). A direction that the
 * samples do not excite stays at its prior: its variance is capped, so forgetting cannot wind it up.
 */
export class Rls {
  readonly coefficients: Float64Array;
  private readonly options: RlsOptions;
  private readonly covariance: Float64Array;
  private readonly gain: Float64Array;

  constructor(options: RlsOptions) {
    const { dimension } = options;
    this.options = options;
    this.coefficients = new Float64Array(dimension);
    this.covariance = new Float64Array(dimension * dimension);
    this.gain = new Float64Array(dimension);
    this.reset();
  }

  /** Back to the start. */
  reset(): void {
    const { dimension, start, variance } = this.options;
    this.coefficients.fill(start);
    this.covariance.fill(0);
    for (let i = 0; i < dimension; i++) this.covariance[i * dimension + i] = variance;
  }

  predict(features: Float64Array): number {
    let sum = 0;
    for (let i = 0; i < this.coefficients.length; i++) sum += this.coefficients[i]! * features[i]!;
    return sum;
  }

  /** Variance of {@link predict} that comes from the coefficients' uncertainty. */
  variance(features: Float64Array): number {
    this.project(features);
    let sum = 0;
    for (let i = 0; i < this.gain.length; i++) sum += features[i]! * this.gain[i]!;
    return Math.max(0, sum);
  }

  /** Learns that `features` gave `sample`, measured with `noiseVariance` (above 0). `keep`: share of the past kept, (0, 1]. */
  update(features: Float64Array, sample: number, noiseVariance: number, keep: number): void {
    const { coefficients, covariance, gain } = this;
    const n = coefficients.length;
    const total = this.variance(features) + noiseVariance; // leaves P * features in gain
    const error = sample - this.predict(features);
    for (let i = 0; i < n; i++) coefficients[i]! += (gain[i]! / total) * error;
    for (let i = 0; i < n; i++) {
      for (let j = 0; j <= i; j++) {
        const value = (covariance[i * n + j]! - (gain[i]! * gain[j]!) / total) / keep;
        covariance[i * n + j] = value;
        covariance[j * n + i] = value;
      }
    }
    this.capVariance();
    this.keepAboveBound();
  }

  toState(): RlsState {
    return { coefficients: [...this.coefficients], covariance: [...this.covariance] };
  }

  /** @throws RangeError when the state is of another dimension. */
  restore(state: RlsState): void {
    this.coefficients.set(state.coefficients);
    this.covariance.set(state.covariance);
  }

  private project(features: Float64Array): void {
    const n = this.coefficients.length;
    for (let i = 0; i < n; i++) {
      let sum = 0;
      for (let j = 0; j < n; j++) sum += this.covariance[i * n + j]! * features[j]!;
      this.gain[i] = sum;
    }
  }

  private capVariance(): void {
    const { covariance } = this;
    const n = this.coefficients.length;
    for (let i = 0; i < n; i++) {
      const own = covariance[i * n + i]!;
      const most = this.options.variance * Math.max(1, this.coefficients[i]! ** 2);
      if (own <= most) continue;
      const scale = Math.sqrt(most / own); // rows and columns alike, so the matrix stays positive semi-definite
      for (let j = 0; j < n; j++) {
        covariance[i * n + j]! *= scale;
        covariance[j * n + i]! *= scale;
      }
    }
  }

  /** A coefficient below the bound is set to it, and those that vary with it follow, as if it had been measured. */
  private keepAboveBound(): void {
    const { coefficients, covariance } = this;
    const n = coefficients.length;
    const { lowerBound } = this.options;
    for (let i = 0; i < n; i++) {
      const excess = coefficients[i]! - lowerBound;
      const own = covariance[i * n + i]!;
      if (excess >= 0 || own <= 0) continue;
      for (let j = 0; j < n; j++) coefficients[j]! -= (covariance[j * n + i]! / own) * excess;
    }
    for (let i = 0; i < n; i++) coefficients[i] = Math.max(lowerBound, coefficients[i]!);
  }
}
