import { Ewma, QuantileTracker } from '@sluice/numerics';
import type { EwmaState, QuantileState } from '@sluice/numerics';
import { ConformalTail, PRIOR_TAIL, TAIL_QUANTILE } from './conformal-tail.ts';
import { REGIMES } from './regime.ts';
import type { Regime } from './regime.ts';
import { ResidualWindow } from './residual-window.ts';
import type { ResidualWindowState } from './residual-window.ts';

export interface ResidualState {
  readonly window: ResidualWindowState;
  readonly seen: number;
  readonly level: number;
  readonly gain: EwmaState;
}

export interface ErrorTrackerState {
  readonly absolute: EwmaState;
  readonly covered: EwmaState;
  readonly tail: QuantileState;
  readonly samples: number;
  readonly arrivals: number;
  readonly regimes: Readonly<Record<Regime, ResidualState>>;
}

export interface PredictionErrors {
  readonly samples: number;
  /** Mean of |predicted - measured| / measured over recent samples; null before the first. */
  readonly mape: number | null;
  /** Share of recent samples at or below the tail that was said of them; null before the first. */
  readonly coverage: number | null;
}

/** One prediction of the model, its own bias included, and what came. */
export interface Judgement {
  readonly regime: Regime;
  /** By the step constants when the request was sent. */
  readonly predictedMs: number;
  /** The same by those of now. */
  readonly modelMs: number;
  readonly measuredMs: number;
  /** When the request was sent and when its answer had ended, on one clock; null: not known. */
  readonly sentMs: number | null;
  readonly endedMs: number | null;
}

const HALF_LIFE = 100;
/** One sample counts as an error of 1000 % at most, or a single absurd one would be all that the mean shows. */
const LARGEST_ERROR = 10;
/** A correction must have made the relative error smaller by so much on average, each sample judged before it was learned from. */
const LEAST_GAIN = 0.005;
/** A correction counts for half after so many samples: the first of a new model were all sent into the same lull or burst. */
const SHRINK_SAMPLES = 50;
/**
 * A prediction further than this factor from what would be said now came of constants that are no longer believed. How
 * far it was off tells nothing of what will be said: it is learned from as if it had been made by the constants of now.
 */
const SAME_MODEL = Math.log(1.15);

/** How far the model is off in one regime. */
class RegimeResidual {
  private readonly window = new ResidualWindow();
  readonly tail = new ConformalTail(this.window);
  private correction = 0;
  private seen = 0;
  /** By how much the correction, as it was before each sample, would have made the error smaller. */
  private readonly gain = new Ewma(HALF_LIFE, 0, 10);

  /** What the model's prediction is to be multiplied by for the least relative error; 1 where that has not been winning. */
  get factor(): number {
    return this.gain.value > LEAST_GAIN ? Math.exp(this.correction) : 1;
  }

  get tailFactor(): number {
    return Math.exp(this.tail.value);
  }

  observe(logResidual: number, arrival: number, missed: boolean, endedMs: number | null): void {
    this.gain.observe(relativeError(logResidual) - relativeError(logResidual - this.correction));
    this.window.add(logResidual, arrival);
    this.seen++;
    this.correct();
    this.tail.observe(missed, endedMs);
  }

  toState(): ResidualState {
    return { window: this.window.toState(), seen: this.seen, level: this.tail.level, gain: this.gain.toState() };
  }

  restore(state: ResidualState): void {
    this.window.restore(state.window);
    this.seen = state.seen;
    this.correct();
    this.tail.restore(state.level);
    this.gain.restore(state.gain);
  }

  private correct(): void {
    this.correction = (this.window.relativeMedian() * this.seen) / (this.seen + SHRINK_SAMPLES);
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
  /** Of them, those since the model began. */
  private arrivals = 0;

  /** Factor on the model's prediction that covers {@link TAIL_QUANTILE} of the outcomes of all regimes together. */
  get tailFactor(): number {
    return Math.exp(this.tail.value);
  }

  /** Factors on the model's prediction in one regime: for the least relative error, and to cover {@link TAIL_QUANTILE}. */
  factors(regime: Regime): { readonly factor: number; readonly tailFactor: number } {
    const { factor, tailFactor } = this.regimes[regime];
    return { factor, tailFactor };
  }

  observe({ regime, predictedMs, modelMs, measuredMs, sentMs, endedMs }: Judgement): void {
    const residual = this.regimes[regime];
    this.samples++;
    this.absolute.observe(relativeError(Math.log(measuredMs / (predictedMs * residual.factor))));
    const tail = residual.tail.valueAt(sentMs);
    this.covered.observe(measuredMs <= predictedMs * Math.exp(tail) ? 1 : 0);
    const isOfNow = Math.abs(Math.log(modelMs / predictedMs)) <= SAME_MODEL;
    const logResidual = Math.log(measuredMs / (isOfNow ? predictedMs : modelMs));
    this.tail.observe(logResidual);
    residual.observe(logResidual, ++this.arrivals, logResidual > tail, endedMs);
  }

  /** Forgets the residuals of a model that is no longer in force; the errors stay, they were made. */
  restartTail(): void {
    this.tail = new QuantileTracker(TAIL_QUANTILE, PRIOR_TAIL);
    this.regimes = residuals();
    this.arrivals = 0;
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
      arrivals: this.arrivals,
      regimes: { idle: idle.toState(), loaded: loaded.toState(), queued: queued.toState(), full: full.toState() },
    };
  }

  restore(state: ErrorTrackerState): void {
    this.absolute.restore(state.absolute);
    this.covered.restore(state.covered);
    this.tail.restore(state.tail);
    for (const regime of REGIMES) this.regimes[regime].restore(state.regimes[regime]);
    this.samples = state.samples;
    this.arrivals = state.arrivals;
  }
}
