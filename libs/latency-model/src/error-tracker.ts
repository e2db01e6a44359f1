import { Ewma, QuantileTracker } from '@sluice/numerics';
import type { EwmaState, QuantileState } from '@sluice/numerics';

export interface ErrorTrackerState {
  readonly absolute: EwmaState;
  readonly covered: EwmaState;
  readonly tail: QuantileState;
  readonly samples: number;
}

export interface PredictionErrors {
  readonly samples: number;
  /** Mean of |predicted - measured| / measured over recent samples; null before the first. */
  readonly mape: number | null;
  /** Share of recent samples at or below predicted x tail factor; null before the first. */
  readonly coverage: number | null;
}

/** The share of outcomes that the tail factor is to cover. */
export const TAIL_QUANTILE = 0.9;
/** Before samples, one in ten is taken to be 1.5 times the prediction or worse. */
const PRIOR_TAIL = Math.log(1.5);
const HALF_LIFE = 100;
/** One sample counts as an error of 1000 % at most, or a single absurd one would be all that the mean shows. */
const LARGEST_ERROR = 10;

/** How good one kind of prediction is, one step ahead: each sample is judged before anything learns from it. */
export class ErrorTracker {
  private readonly absolute = new Ewma(HALF_LIFE);
  private readonly covered = new Ewma(HALF_LIFE);
  private tail = new QuantileTracker(TAIL_QUANTILE, PRIOR_TAIL);
  private samples = 0;

  /** Factor on a prediction that covers {@link TAIL_QUANTILE} of the outcomes. */
  get tailFactor(): number {
    return Math.exp(this.tail.value);
  }

  observe(predictedMs: number, measuredMs: number): void {
    const logResidual = Math.log(measuredMs / predictedMs);
    this.samples++;
    this.absolute.observe(Math.min(LARGEST_ERROR, Math.abs(predictedMs - measuredMs) / measuredMs));
    this.covered.observe(logResidual <= this.tail.value ? 1 : 0);
    this.tail.observe(logResidual);
  }

  /** Forgets the tail of a model that is no longer in force; the errors stay, they were made. */
  restartTail(): void {
    this.tail = new QuantileTracker(TAIL_QUANTILE, PRIOR_TAIL);
  }

  errors(): PredictionErrors {
    const { samples } = this;
    if (samples === 0) return { samples, mape: null, coverage: null };
    return { samples, mape: this.absolute.value, coverage: this.covered.value };
  }

  toState(): ErrorTrackerState {
    return {
      absolute: this.absolute.toState(),
      covered: this.covered.toState(),
      tail: this.tail.toState(),
      samples: this.samples,
    };
  }

  restore(state: ErrorTrackerState): void {
    this.absolute.restore(state.absolute);
    this.covered.restore(state.covered);
    this.tail.restore(state.tail);
    this.samples = state.samples;
  }
}
