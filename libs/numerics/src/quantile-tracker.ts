export interface QuantileState {
  readonly value: number;
  readonly scale: number;
  readonly samples: number;
}

/** Smallest step, as a share of the scale. */
const SLOWEST = 0.02;
/** The scale follows |sample - quantile| with this share. */
const SCALE_SHARE = 0.02;

/**
 * Online quantile by adaptive conformal steps (Gibbs and Candes 2021, arXiv 2106.00170): up by `p` steps when a sample
 * lies above, down by `1 - p` when it does not. Its long-run coverage is `p` whatever the samples' distribution does;
 * the step is relative to how far they lie from it, and large at first, so that a start far off is soon left.
 */
export class QuantileTracker {
  private readonly p: number;
  private current: number;
  private scale: number;
  private samples = 0;

  /** @param p quantile in (0, 1). @param start value, and scale, before the first sample. */
  constructor(p: number, start: number) {
    this.p = p;
    this.current = start;
    this.scale = Math.abs(start);
  }

  get value(): number {
    return this.current;
  }

  /** A sample that is not finite is left out. */
  observe(sample: number): void {
    if (!Number.isFinite(sample)) return;
    this.samples++;
    const distance = Math.abs(sample - this.current);
    const step = this.scale * Math.max(SLOWEST, 1 / Math.sqrt(this.samples));
    this.current += sample > this.current ? step * this.p : -step * (1 - this.p);
    this.scale += (distance - this.scale) * Math.max(SCALE_SHARE, 1 / (this.samples + 1));
  }

  toState(): QuantileState {
    return { value: this.current, scale: this.scale, samples: this.samples };
  }

  restore(state: QuantileState): void {
    this.current = state.value;
    this.scale = state.scale;
    this.samples = state.samples;
  }
}
