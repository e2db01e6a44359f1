import { Ewma, QuantileTracker } from '@sluice/numerics';
import type { EwmaState, QuantileState } from '@sluice/numerics';
import { REGIMES } from './regime.ts';
import type { Regime } from './regime.ts';

export interface ResidualState {
  readonly median: QuantileState;
  readonly tail: QuantileState;
  readonly gain: EwmaState;
}

export interface ErrorTrackerState {
  readonly absolute: EwmaState;
  readonly covered: EwmaState;
  readonly tail: QuantileState;
  readonly samples: number;
  readonly regimes: Readonly<Record<Regime, ResidualState>>;
}

export interface PredictionErrors {
  readonly samples: number;
  /** Mean of |predicted - measured| / measured over recent samples; null before the first. */
  readonly mape: number | null;
  /** Share of recent samples at or below the model's prediction times the tail factor of their regime; null before the first. */
  readonly coverage: number | null;
}

/** The share of outcomes that the tail factor is to cover. */
export const TAIL_QUANTILE = 0.9;
/** Before samples, one in ten is taken to be 1.5 times the prediction or worse. */
const PRIOR_TAIL = Math.log(1.5);
const HALF_LIFE = 100;
/** One sample counts as an error of 1000 % at most, or a single absurd one would be all that the mean shows. */
const LARGEST_ERROR = 10;
/** A correction must have made the relative error smaller by so much on average, each sample judged before it was learned from. */
const LEAST_GAIN = 0.005;
const PRIOR_MEDIAN = 0.02;

/** How far the model is off in one regime, as log residuals: their median, and their tail. */
class RegimeResidual {
  private readonly median = new QuantileTracker(0.5, PRIOR_MEDIAN);
  private readonly tail = new QuantileTracker(TAIL_QUANTILE, PRIOR_TAIL);
  /** By how much the median, as it was before each sample, would have made the error smaller. */
  private readonly gain = new Ewma(HALF_LIFE, 0, 10);

  /** What the model's prediction is to be multiplied by: the median where that has been winning, else 1. */
  get factor(): number {
    return this.gain.value > LEAST_GAIN ? Math.exp(this.median.value) : 1;
  }

  get tailFactor(): number {
    return Math.exp(this.tail.value);
  }

  observe(logResidual: number): void {
    this.gain.observe(relativeError(logResidual) - relativeError(logResidual - this.median.value));
    this.median.observe(logResidual);
    this.tail.observe(logResidual);
  }

  toState(): ResidualState {
    return { median: this.median.toState(), tail: this.tail.toState(), gain: this.gain.toState() };
  }

  restore(state: ResidualState): void {
    this.median.restore(state.median);
    this.tail.restore(state.tail);
    this.gain.restore(state.gain);
  }
}

/** |predicted - measured| / measured. */
const relativeError = (logResidual: number): number => Math.min(LARGEST_ERROR, Math.abs(Math.expm1(-logResidual)));

const residuals = (): Record<Regime, RegimeResidual> => ({
  idle: new RegimeResidual(),
  loaded: new RegimeResidual(),
  queued: new RegimeResidual(),
  full: new RegimeResidual(),
});

/** How good one kind of prediction is, one step ahead: each sample is judged before anything learns from it. */
export class ErrorTracker {
  private readonly absolute = new Ewma(HALF_LIFE);
  private readonly covered = new Ewma(HALF_LIFE);
  private tail = new QuantileTracker(TAIL_QUANTILE, PRIOR_TAIL);
  private regimes = residuals();
  private samples = 0;

  /** Factor on the model's prediction that covers {@link TAIL_QUANTILE} of the outcomes of all regimes together. */
  get tailFactor(): number {
    return Math.exp(this.tail.value);
  }

  /** Factors on the model's prediction in one regime: to be right as often as not, and to cover {@link TAIL_QUANTILE}. */
  factors(regime: Regime): { readonly factor: number; readonly tailFactor: number } {
    const { factor, tailFactor } = this.regimes[regime];
    return { factor, tailFactor };
  }

  /** @param modelMs by the step constants alone */
  observe(regime: Regime, modelMs: number, measuredMs: number): void {
    const residual = this.regimes[regime];
    const predictedMs = modelMs * residual.factor;
    this.samples++;
    this.absolute.observe(relativeError(Math.log(measuredMs / predictedMs)));
    this.covered.observe(measuredMs <= modelMs * residual.tailFactor ? 1 : 0);
    const logResidual = Math.log(measuredMs / modelMs);
    this.tail.observe(logResidual);
    residual.observe(logResidual);
  }

  /** Forgets the residuals of a model that is no longer in force; the errors stay, they were made. */
  restartTail(): void {
    this.tail = new QuantileTracker(TAIL_QUANTILE, PRIOR_TAIL);
    this.regimes = residuals();
  }

  errors(): PredictionErrors {
    const { samples } = this;
    if (samples === 0) return { samples, mape: null, coverage: null };
    return { samples, mape: this.absolute.value, coverage: this.covered.value };
  }

  toState(): ErrorTrackerState {
    const { idle, loaded, queued, full } = this.regimes;
    return {
      absolute: this.absolute.toState(),
      covered: this.covered.toState(),
      tail: this.tail.toState(),
      samples: this.samples,
      regimes: { idle: idle.toState(), loaded: loaded.toState(), queued: queued.toState(), full: full.toState() },
    };
  }

  restore(state: ErrorTrackerState): void {
    this.absolute.restore(state.absolute);
    this.covered.restore(state.covered);
    this.tail.restore(state.tail);
    for (const regime of REGIMES) this.regimes[regime].restore(state.regimes[regime]);
    this.samples = state.samples;
  }
}
