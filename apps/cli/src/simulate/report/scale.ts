export interface Tick {
  readonly value: number;
  readonly label: string;
}

/** Where values lie along an axis, in the units of the drawing. */
export interface Scale {
  readonly position: (value: number) => number;
  readonly ticks: readonly Tick[];
}

/** Ends of an axis in the drawing: where its least and its greatest value lie. */
export type Range = readonly [number, number];

export interface ScaleOptions {
  readonly min: number;
  readonly max: number;
  readonly range: Range;
  readonly format: (value: number) => string;
}

const between = ([from, to]: Range, share: number): number => from + (to - from) * share;

export interface LinearOptions extends ScaleOptions {
  /** Smallest distance of two ticks; 1 for what is counted. */
  readonly leastStep?: number;
  /** Whether the axis ends at `max` as it is; else at the next tick. */
  readonly exact?: boolean;
}

/** Even steps of 1, 2 or 5 times a power of ten. An empty span becomes [min, min + 1]. */
export function linearScale({ min, max, range, format, leastStep = 0, exact = false }: LinearOptions): Scale {
  const span = max > min ? max - min : 1;
  const step = Math.max(leastStep, niceStep(span / 5));
  const last = exact ? Math.floor((min + span) / step + 1e-9) : Math.ceil((min + span) / step - 1e-9);
  const top = exact ? min + span : last * step;
  return {
    position: (value) => between(range, (value - min) / (top - min)),
    ticks: multiples(step, min, last * step).map((value) => tick(value, format)),
  };
}

/** Multiples of powers of ten that have ticks; the first of these sets that gives enough of them is taken. */
const LOG_FACTORS = [[1], [1, 3], [1, 2, 5], [1, 2, 3, 5, 7]] as const;
const ENOUGH_TICKS = 4;

/** Ticks at powers of ten, on a short axis between them too. `min` and `max` are positive; an empty span becomes [min, 2 min]. */
export function logScale({ min, max, range, format }: ScaleOptions): Scale {
  const end = max > 1.0001 * min ? max : 2 * min;
  const [low, high] = [Math.log10(min), Math.log10(end)];
  const stride = Math.ceil((high - low) / 6);
  const decades = Array.from({ length: Math.ceil((high - low) / stride) + 2 }, (_, i) => Math.floor(low) + i * stride);
  const within = (value: number): boolean => value >= min * 0.9999 && value <= end * 1.0001;
  const sets = LOG_FACTORS.map((factors) =>
    decades.flatMap((decade) => factors.map((factor) => Number(`${factor}e${decade}`))).filter(within),
  );
  const values = sets.find((set) => set.length >= ENOUGH_TICKS) ?? multiples(niceStep((end - min) / 4), min, end);
  return {
    position: (value) => between(range, (Math.log10(value) - low) / (high - low)),
    ticks: values.map((value) => tick(value, format)),
  };
}

const SHARES = [0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999];

/** Shares of a normal distribution at even distances (a probability plot): as much room for the tail as for the middle. */
export function shareScale(min: number, max: number, range: Range): Scale {
  const [low, high] = [normalQuantile(min), normalQuantile(max)];
  return {
    position: (share) => between(range, (normalQuantile(share) - low) / (high - low)),
    ticks: SHARES.filter((share) => share >= min && share <= max).map((value) => ({
      value,
      label: `${Number((100 * value).toPrecision(3))} %`,
    })),
  };
}

const tick = (value: number, format: (value: number) => string): Tick => ({ value, label: format(round(value)) });

/** Without what binary fractions add: 0.30000000000000004 is 0.3. */
const round = (value: number): number => Number(value.toPrecision(10));

/** Multiples of `step` from `min` to `max`. */
function multiples(step: number, min: number, max: number): number[] {
  const first = Math.ceil(min / step - 1e-9);
  const last = Math.floor(max / step + 1e-9);
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => (first + i) * step);
}

/** The least 1, 2 or 5 times a power of ten that is at least `rough`. */
function niceStep(rough: number): number {
  const power = 10 ** Math.floor(Math.log10(rough));
  const factor = [1, 2, 5, 10].find((each) => each * power >= rough * 0.9999)!;
  return factor * power;
}

/**
 * Quantile of the normal distribution: Abramowitz and Stegun 26.2.23, off by less than 4.5e-4, for `share` in (0, 1).
 */
function normalQuantile(share: number): number {
  const tail = Math.min(share, 1 - share);
  const t = Math.sqrt(-2 * Math.log(tail));
  const z =
    t - (2.515517 + 0.802853 * t + 0.010328 * t * t) / (1 + 1.432788 * t + 0.189269 * t * t + 0.001308 * t ** 3);
  return share < 0.5 ? -z : z;
}
