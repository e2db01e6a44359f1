/** Log residuals of a window in order of arrival, with the sample that each came with. */
export interface ResidualWindowState {
  readonly residuals: readonly number[];
  readonly arrivals: readonly number[];
}

/** Residuals kept. Half as many see too few bursts of bursty traffic, twice as many follow a change too late. */
export const MOST_RESIDUALS = 500;
/**
 * In samples of all regimes together: a regime seldom met must not remember what the model was long ago, and of a new
 * model the first half goes, in which it was found.
 */
const OLDEST_SAMPLES = 2000;
const OLDEST_SHARE = 0.5;
/** From so many on a window says where the tail is; an old one keeps as many. */
export const FEWEST_RESIDUALS = 20;
/** Residuals are kept to this, so that a stored window is short and is the same when it is read again. */
const RESOLUTION = 1e4;
/** What a residual counts in the median at most, so that one absurd time cannot be all of it. */
const LARGEST_WEIGHT = 10;
/** Beyond the largest residual the quantile goes on rising: by so many times the window's width for a level of 1. */
const SLOPE_BEYOND = 10;
const LEAST_WIDTH = 0.1;

/** The most recent log residuals, `log(measured / predicted)`, of one regime, and their order. */
export class ResidualWindow {
  private readonly residuals: number[] = [];
  private readonly arrivals: number[] = [];
  private readonly sorted: number[] = [];
  /** Of `sorted`: what each counts in the median. */
  private readonly weights: number[] = [];

  get size(): number {
    return this.sorted.length;
  }

  /** @param arrival number of the sample since the model began, of all regimes together */
  add(residual: number, arrival: number): void {
    const kept = Math.round(residual * RESOLUTION) / RESOLUTION;
    this.residuals.push(kept);
    this.arrivals.push(arrival);
    const place = firstAtLeast(this.sorted, kept);
    this.sorted.splice(place, 0, kept);
    this.weights.splice(place, 0, weight(kept));
    const oldest = arrival - Math.min(OLDEST_SAMPLES, OLDEST_SHARE * arrival);
    while (this.size > MOST_RESIDUALS || (this.size > FEWEST_RESIDUALS && this.arrivals[0]! < oldest)) {
      this.dropOldest();
    }
  }

  /**
   * The residual that a share of `level` lies at or below, with the finite-sample correction of split conformal
   * prediction (`(n + 1) * level`-th of n). Levels beyond 0 and 1 are quantiles too, below the least and above the
   * largest residual: whatever the residuals do, some level covers them. 0 of an empty window.
   */
  quantile(level: number): number {
    const { sorted, size } = this;
    if (size === 0) return 0;
    const [least, largest] = [sorted[0]!, sorted[size - 1]!];
    const beyond = level > 1 ? level - 1 : Math.min(0, level);
    const rank = Math.min(size - 1, Math.max(0, level * (size + 1) - 1));
    const below = Math.floor(rank);
    const above = sorted[Math.min(size - 1, below + 1)]!;
    const within = sorted[below]! + (rank - below) * (above - sorted[below]!);
    return within + beyond * SLOPE_BEYOND * Math.max(LEAST_WIDTH, largest - least);
  }

  /**
   * The log factor on predictions with which their mean relative error in this window is least: the median weighted by
   * 1 / measured, which lies below the median (Gneiting 2011, Making and Evaluating Point Forecasts, theorem 9 with
   * beta = -1). 0 of an empty window.
   */
  relativeMedian(): number {
    const { sorted, weights, size } = this;
    let total = 0;
    for (let i = 0; i < size; i++) total += weights[i]!;
    let below = 0;
    for (let i = 0; i < size; i++) {
      below += weights[i]!;
      if (below >= total / 2) return sorted[i]!;
    }
    return 0;
  }

  toState(): ResidualWindowState {
    return { residuals: [...this.residuals], arrivals: [...this.arrivals] };
  }

  restore({ residuals, arrivals }: ResidualWindowState): void {
    while (this.size > 0) this.dropOldest();
    residuals.forEach((residual, i) => this.add(residual, arrivals[i]!));
  }

  private dropOldest(): void {
    this.arrivals.shift();
    const place = firstAtLeast(this.sorted, this.residuals.shift()!);
    this.sorted.splice(place, 1);
    this.weights.splice(place, 1);
  }
}

/** Of |predicted - measured| / measured the slope in the log factor, but for its sign. */
const weight = (residual: number): number => Math.min(LARGEST_WEIGHT, Math.exp(-residual));

/** Index of the first of `sorted` that is not below `value`. */
function firstAtLeast(sorted: readonly number[], value: number): number {
  let [from, to] = [0, sorted.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if (sorted[middle]! < value) from = middle + 1;
    else to = middle;
  }
  return from;
}
