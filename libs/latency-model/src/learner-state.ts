import type { EwmaState, QuantileState } from '@sluice/numerics';
import type { ErrorTrackerState, ResidualState } from './error-tracker.ts';
import { MOST_RESIDUALS } from './residual-window.ts';
import type { ResidualWindowState } from './residual-window.ts';
import type { StepEstimatorState } from './step-estimator.ts';
import { PARAMETERS } from './work.ts';
import type { WorkerBiasState } from './worker-bias.ts';

/** All that a learner knows, as JSON. */
export interface LearnerState {
  readonly version: 3;
  readonly samples: number;
  readonly estimator: StepEstimatorState;
  readonly bias: WorkerBiasState;
  readonly ttft: ErrorTrackerState;
  readonly tpot: ErrorTrackerState;
  readonly outputTokens: EwmaState;
  readonly bytesPerToken: EwmaState;
}

type Shape<T> = { readonly [Key in keyof T]: (value: unknown) => boolean };

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Every named field passes its check. */
const record =
  <T>(shape: Shape<T>) =>
  (value: unknown): boolean =>
    isRecord(value) && Object.entries<(field: unknown) => boolean>(shape).every(([name, ok]) => ok(value[name]));

const isNumber = (value: unknown): boolean => typeof value === 'number' && Number.isFinite(value);
const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;
const isAbove0 = (value: unknown): boolean => isNumber(value) && (value as number) > 0;
const list =
  (length: number, ok: (item: unknown) => boolean) =>
  (value: unknown): boolean =>
    Array.isArray(value) && value.length === length && value.every(ok);

const numbers =
  (ok: (item: unknown) => boolean) =>
  (value: unknown): boolean =>
    Array.isArray(value) && value.length <= MOST_RESIDUALS && value.every(ok);

const isEwma = record<EwmaState>({ sum: isNumber, weight: isNumber });
const isQuantile = record<QuantileState>({ value: isNumber, scale: isAbove0, samples: isCount });
const isWindow = (value: unknown): boolean =>
  record<ResidualWindowState>({ residuals: numbers(isNumber), arrivals: numbers(isCount) })(value) &&
  (value as ResidualWindowState).residuals.length === (value as ResidualWindowState).arrivals.length;
const isResidual = record<ResidualState>({ window: isWindow, seen: isCount, level: isNumber, gain: isEwma });
const isErrorTracker = record<ErrorTrackerState>({
  absolute: isEwma,
  covered: isEwma,
  tail: isQuantile,
  samples: isCount,
  arrivals: isCount,
  regimes: record<ErrorTrackerState['regimes']>({
    idle: isResidual,
    loaded: isResidual,
    queued: isResidual,
    full: isResidual,
  }),
});
const isEstimator = record<StepEstimatorState>({
  scale: list(PARAMETERS.length, isAbove0),
  rls: record<StepEstimatorState['rls']>({
    coefficients: list(PARAMETERS.length, isAbove0),
    covariance: list(PARAMETERS.length ** 2, isNumber),
  }),
  noise: record<StepEstimatorState['noise']>({ ttft: isEwma, tpot: isEwma, total: isEwma }),
});
const isBias = (value: unknown): boolean =>
  Array.isArray(value) &&
  value.every(
    (entry) =>
      Array.isArray(entry) &&
      entry.length === 4 &&
      typeof entry[0] === 'string' &&
      isNumber(entry[1]) &&
      isAbove0(entry[2]) &&
      isAbove0(entry[3]),
  );
const check = record<LearnerState>({
  version: (value) => value === 3,
  samples: isCount,
  estimator: isEstimator,
  bias: isBias,
  ttft: isErrorTracker,
  tpot: isErrorTracker,
  outputTokens: isEwma,
  bytesPerToken: isEwma,
});

/** Whether `value` is a state that a learner can take over; what was stored is not trusted. */
export const isLearnerState = (value: unknown): value is LearnerState => check(value);
