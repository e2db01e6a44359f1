import { Ewma, Rls } from '@sluice/numerics';
import type { EwmaState, RlsState } from '@sluice/numerics';
import type { StepParameters } from '@sluice/model';
import type { Work } from './work.ts';
import { PARAMETERS, workMs } from './work.ts';

/** What a sample measured. */
export const TARGETS = ['ttft', 'tpot', 'total'] as const;
export type Target = (typeof TARGETS)[number];

export interface StepEstimatorState {
  readonly scale: readonly number[];
  readonly rls: RlsState;
  readonly noise: Readonly<Record<Target, EwmaState>>;
}

/** One coefficient's standard deviation before samples, as a share of its prior. */
const PRIOR_DEVIATION = 1;
/**
 * Share of the past kept per sample while the model fits, and while it is off by half. The latter cannot be small: samples
 * that are noisy look like a model that is off, and what is learned from a dozen of them is noise.
 */
const KEEP_MOST = 0.998;
const KEEP_LEAST = 0.986;
const FITS = 0.2;
const OFF = 0.5;
const MISFIT_HALF_LIFE = 15;
/** Samples further off than this many standard deviations are outliers. */
const GATE = 4;
/** Deviation of samples from the model, as a share: at the start, and bounds of what is believed. */
const NOISE_START = 0.15;
const NOISE_LEAST = 0.1;
const NOISE_MOST = 0.5;
const NOISE_HALF_LIFE = 100;
/** So many outliers, less two for every sample that fits, are another regime. */
const REGIME_OUTLIERS = 8;
const LARGEST_RESCALE = 100;
/** Coefficients are at least this share of their scale, so a prediction is never 0. */
const LEAST_COEFFICIENT = 1e-3;

/** Which parameters a regime seen in a target rescales. */
const RESCALED: Readonly<Record<Target, readonly (keyof StepParameters)[]>> = {
  ttft: ['aMsPerToken', 'kAttMs', 'apiBaseMs', 'apiPerTokenMs'],
  tpot: ['t0Ms', 'twMs', 'kKvMs', 'kSeqMs'],
  total: PARAMETERS,
};

/**
 * Learns the step parameters of one variant from samples of (work, milliseconds), by recursive least squares on the
 * relative error. Coefficients are shares of the parameter's scale. Times are in units of the geometric mean of predicted
 * and measured, which makes the error symmetric, `2 sinh(log(measured / predicted) / 2)`: in units of either one alone,
 * errors to one side would be bounded by 1 and the fit could settle there.
 */
export class StepEstimator {
  private readonly scale: Float64Array;
  private readonly rls = new Rls({
    dimension: PARAMETERS.length,
    start: 1,
    variance: PRIOR_DEVIATION ** 2,
    lowerBound: LEAST_COEFFICIENT,
  });
  private readonly features = new Float64Array(PARAMETERS.length);
  /** Squared error of each target, in those units. */
  private readonly noise: Readonly<Record<Target, Ewma>>;
  /** The same of recent samples, all targets together. */
  private misfit = new Ewma(MISFIT_HALF_LIFE, 0, 1);
  /** Log ratios of recent outliers. */
  private readonly outliers: Readonly<Record<Target, number[]>> = { ttft: [], tpot: [], total: [] };
  private current: StepParameters;

  constructor(prior: StepParameters) {
    this.scale = Float64Array.from(PARAMETERS, (name) => Math.max(prior[name], Number.MIN_VALUE));
    const noise = (): Ewma => new Ewma(NOISE_HALF_LIFE, NOISE_START ** 2, 10);
    this.noise = { ttft: noise(), tpot: noise(), total: noise() };
    this.current = this.assemble();
  }

  parameters(): StepParameters {
    return this.current;
  }

  /** Learns that `work` took `ms`, both above 0. An outlier is not learned from, until there are too many of them. */
  observe(target: Target, work: Work, ms: number): 'learned' | 'outlier' | 'new-regime' {
    const predicted = workMs(this.current, work);
    const unit = Math.sqrt(predicted * ms);
    for (let i = 0; i < this.features.length; i++) this.features[i] = (work[i]! * this.scale[i]!) / unit;
    const noise = this.noise[target];
    const variance = Math.min(NOISE_MOST ** 2, Math.max(NOISE_LEAST ** 2, noise.value));
    const squared = ((ms - predicted) / unit) ** 2;
    // Clipped, so that outliers widen the gate without blowing it open.
    noise.observe(Math.min(squared, 9 * variance));

    const outliers = this.outliers[target];
    if (squared > GATE ** 2 * (this.rls.variance(this.features) + variance)) {
      outliers.push(Math.log(ms / predicted));
      if (outliers.length < REGIME_OUTLIERS) return 'outlier';
      this.rescale(target, median(outliers));
      outliers.length = 0;
      return 'new-regime';
    }
    outliers.splice(0, 2);
    this.misfit.observe(squared);
    this.rls.update(this.features, ms / unit, variance, this.keep());
    this.current = this.assemble();
    return 'learned';
  }

  toState(): StepEstimatorState {
    const { ttft, tpot, total } = this.noise;
    return {
      scale: [...this.scale],
      rls: this.rls.toState(),
      noise: { ttft: ttft.toState(), tpot: tpot.toState(), total: total.toState() },
    };
  }

  restore(state: StepEstimatorState): void {
    this.scale.set(state.scale);
    this.rls.restore(state.rls);
    for (const target of TARGETS) this.noise[target].restore(state.noise[target]);
    this.current = this.assemble();
  }

  /** Starts over from where the outliers point: scales what they tell about, and is as unsure as at the start. */
  private rescale(target: Target, logRatio: number): void {
    const factor = Math.min(LARGEST_RESCALE, Math.max(1 / LARGEST_RESCALE, Math.exp(logRatio)));
    PARAMETERS.forEach((name, i) => {
      // A parameter driven to its bound would otherwise be stuck there: leave it room to grow again.
      const share = Math.max(0.05, this.rls.coefficients[i]!);
      this.scale[i] = this.scale[i]! * share * (RESCALED[target].includes(name) ? factor : 1);
    });
    this.rls.reset();
    this.current = this.assemble();
  }

  /** A model that does not fit forgets fast: what it learned was learned of other step times, or around a wrong one. */
  private keep(): number {
    const off = Math.min(1, Math.max(0, (Math.sqrt(this.misfit.value) - FITS) / (OFF - FITS)));
    return KEEP_MOST - off * (KEEP_MOST - KEEP_LEAST);
  }

  private assemble(): StepParameters {
    const value = (i: number): number => this.scale[i]! * this.rls.coefficients[i]!;
    return {
      t0Ms: value(0),
      twMs: value(1),
      aMsPerToken: value(2),
      kAttMs: value(3),
      kKvMs: value(4),
      kSeqMs: value(5),
      apiBaseMs: value(6),
      apiPerTokenMs: value(7),
    };
  }
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[sorted.length >> 1]!;
}
