import type { Metrics } from '@sluice/telemetry';
import type { Learned, Predictor } from './predictor.ts';

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
  const regimes = metrics.counter({
    name: 'predictor_regime_changes_total',
    help: 'Times that a variant started over because its step times changed',
  });
  const published = metrics.counter({
    name: 'predictor_snapshots_published_total',
    help: 'Parameter snapshots published',
  });
  const labels = ['pool', 'variant'] as const;
  const samples = metrics.gauge({
    name: 'predictor_samples',
    help: 'Outcomes that a variant learned from; 0 means its prior is in force',
    labels,
    collect: () => {
      samples.reset();
      for (const { parameters } of predictor.variants()) {
        samples.set({ pool: parameters.pool, variant: parameters.variant }, parameters.samples);
      }
    },
  });
  const errorGauge = (name: string, help: string, of: 'mape' | 'coverage'): void => {
    const gauge = metrics.gauge({
      name,
      help,
      labels: ['pool', 'variant', 'target'],
      collect: () => {
        gauge.reset();
        for (const { parameters, errors } of predictor.variants()) {
          const { pool, variant } = parameters;
          for (const target of ['ttft', 'tpot'] as const) {
            const value = errors[target][of];
            if (value !== null) gauge.set({ pool, variant, target }, value);
          }
        }
      },
    });
  };
  errorGauge('predictor_mape', 'Mean relative error of recent predictions, one step ahead', 'mape');
  errorGauge(
    'predictor_coverage',
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
