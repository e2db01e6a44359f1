import type { Metrics } from '@sluice/telemetry';
import type { Learned, Predictor, VariantView } from './predictor.ts';

type Unused = Exclude<Learned, { readonly kind: 'learned' }>;
const RESULTS = ['learned', 'ignored', 'rejected'] as const satisfies readonly Learned['kind'][];
const REASONS = [
  'not-served',
  'nothing-measured',
  'invalid',
  'outlier',
  'too-many-variants',
] as const satisfies readonly Unused['reason'][];

export interface PredictorMetrics {
  outcome(result: Learned): void;
  published(): void;
}

/** Registers the predictor's metrics; the gauges read the predictor when they are scraped. */
export function predictorMetrics(metrics: Metrics, predictor: Predictor): PredictorMetrics {
  const outcomes = metrics.counter({
    name: 'predictor_outcomes_total',
    help: 'Outcomes received, by what became of them',
    labels: ['result'],
  });
  const unused = metrics.counter({
    name: 'predictor_unused_outcomes_total',
    help: 'Outcomes that nothing was learned from, by reason',
    labels: ['reason'],
  });
  // Series that are there from the start: the first of a kind shows as a rise.
  for (const result of RESULTS) outcomes.inc({ result }, 0);
  for (const reason of REASONS) unused.inc({ reason }, 0);
  const regimes = metrics.counter({
    name: 'predictor_regime_changes_total',
    help: 'Times that a variant started over because its step times changed',
  });
  const published = metrics.counter({
    name: 'predictor_snapshots_published_total',
    help: 'Parameter snapshots published',
  });
  const ofVariants = (name: string, help: string, of: (view: VariantView) => number | null): void => {
    metrics.gauge({
      name,
      help,
      labels: ['pool', 'variant'],
      readEach: (set) => {
        for (const view of predictor.variants()) {
          const { pool, variant } = view.parameters;
          const value = of(view);
          if (value !== null) set({ pool, variant }, value);
        }
      },
    });
  };
  ofVariants(
    'predictor_samples',
    'Outcomes that a variant learned from; 0 means its prior is in force',
    ({ parameters }) => parameters.samples,
  );
  ofVariants(
    'predictor_learned_timestamp_seconds',
    'When a variant last learned from an outcome, seconds since the Unix epoch',
    ({ updatedAtMs }) => (updatedAtMs === null ? null : updatedAtMs / 1000),
  );
  const ofTargets = (name: string, help: string, of: 'mape' | 'coverage'): void => {
    metrics.gauge({
      name,
      help,
      labels: ['pool', 'variant', 'target'],
      readEach: (set) => {
        for (const { parameters, errors } of predictor.variants()) {
          const { pool, variant } = parameters;
          for (const target of ['ttft', 'tpot'] as const) {
            const value = errors[target][of];
            if (value !== null) set({ pool, variant, target }, value);
          }
        }
      },
    });
  };
  ofTargets('predictor_error_ratio', 'Mean relative error of recent predictions, one step ahead', 'mape');
  ofTargets(
    'predictor_coverage_ratio',
    'Share of recent outcomes within prediction times tail factor; 0.9 is meant',
    'coverage',
  );
  return {
    outcome(result) {
      outcomes.inc({ result: result.kind });
      if (result.kind !== 'learned') unused.inc({ reason: result.reason });
      else if (result.newRegime) regimes.inc();
    },
    published: () => published.inc(),
  };
}
