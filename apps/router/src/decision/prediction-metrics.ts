import type { Metrics } from '@sluice/telemetry';
import { signedHistogram } from './signed-histogram.ts';

/** Finer around 1, where a good prediction is. */
const RATIOS = [0.1, 0.25, 0.5, 0.67, 0.8, 0.9, 1, 1.1, 1.25, 1.5, 2, 4, 10];
const TARGETS = ['ttft', 'tpot'] as const;

/** Metrics of predictions against what happened; docs/metrics.md explains them. Returns those of one pool, to be kept. */
export function createPredictionMetrics(metrics: Metrics) {
  const ttftError = signedHistogram(metrics, {
    name: 'router_ttft_error_seconds',
    help: 'TTFT from the decision less what was predicted for the chosen worker; completed streams',
    labels: ['pool'],
  });
  const ttftRegret = signedHistogram(metrics, {
    name: 'router_ttft_regret_seconds',
    help: 'TTFT from the decision less the lowest that was predicted for any worker; completed streams',
    labels: ['pool'],
  });
  const tpotError = signedHistogram(metrics, {
    name: 'router_tpot_error_seconds',
    help: 'Mean gap between output tokens less what was predicted for the chosen worker; completed streams',
    labels: ['pool'],
  });
  const ratio = metrics.histogram({
    name: 'router_actual_to_predicted_ratio',
    help: 'What a completed stream took (ttft: from the decision, tpot) over what was predicted; 1 is right, 2 twice as long',
    labels: ['pool', 'target'],
    buckets: RATIOS,
  });
  const predictedCached = metrics.counter({
    name: 'router_predicted_cached_tokens_total',
    help: 'Prompt tokens predicted to be cached, over answers that say how many were',
    labels: ['pool'],
  });
  const deliveredCached = metrics.counter({
    name: 'router_delivered_cached_tokens_total',
    help: 'Prompt tokens that engines reported as cached',
    labels: ['pool'],
  });
  const promptTokens = metrics.counter({
    name: 'router_prompt_tokens_total',
    help: 'Prompt tokens of the same answers: delivered cached tokens over these is the hit rate',
    labels: ['pool'],
  });
  const agreement = metrics.counter({
    name: 'router_cached_prediction_total',
    help: 'Answers by how the predicted cached tokens compare with the delivered ones: equal, within-a-block, off',
    labels: ['pool', 'agreement'],
  });
  return (pool: string) => {
    const ratios = TARGETS.map((target) => {
      ratio.zero({ pool, target });
      return ratio.labels({ pool, target });
    });
    const children = {
      ttftError: ttftError({ pool }),
      ttftRegret: ttftRegret({ pool }),
      tpotError: tpotError({ pool }),
      ttftRatio: ratios[0]!,
      tpotRatio: ratios[1]!,
      predictedCached: predictedCached.labels({ pool }),
      deliveredCached: deliveredCached.labels({ pool }),
      promptTokens: promptTokens.labels({ pool }),
      agreement: {
        equal: agreement.labels({ pool, agreement: 'equal' }),
        'within-a-block': agreement.labels({ pool, agreement: 'within-a-block' }),
        off: agreement.labels({ pool, agreement: 'off' }),
      },
    };
    const { predictedCached: predicted, deliveredCached: delivered, promptTokens: prompts } = children;
    for (const counter of [predicted, delivered, prompts, ...Object.values(children.agreement)]) counter.inc(0);
    return children;
  };
}
