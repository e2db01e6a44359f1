import type { PolicyId, ShadowChoice } from '@sluice/routing';
import type { Metrics } from '@sluice/telemetry';
import { signedHistogram } from './signed-histogram.ts';

/** Takes what one shadow policy says of one decision of one pool. */
export type ShadowObserver = (choice: ShadowChoice) => void;

/** Metrics of shadow policies; docs/router.md explains them. Labels are pools and policies, which are few and known. */
export function createShadowMetrics(metrics: Metrics): (pool: string, policy: PolicyId) => ShadowObserver {
  const decisions = metrics.counter({
    name: 'router_shadow_decisions_total',
    help: 'Sampled decisions by shadow policy and whether it picked the same worker: agree, differ',
    labels: ['pool', 'policy', 'choice'],
  });
  const regret = signedHistogram(metrics, {
    name: 'router_shadow_regret_seconds',
    help: 'Predicted for the pick of a shadow policy less predicted for the real one, where the two differ: TTFT and E2E',
    labels: ['pool', 'policy', 'of'],
  });
  return (pool, policy) => {
    const agree = decisions.labels({ pool, policy, choice: 'agree' });
    const differ = decisions.labels({ pool, policy, choice: 'differ' });
    agree.inc(0);
    differ.inc(0);
    const ttft = regret({ pool, policy, of: 'ttft' });
    const e2e = regret({ pool, policy, of: 'e2e' });
    return (choice) => {
      (choice.agrees ? agree : differ).inc();
      if (choice.agrees) return;
      ttft(choice.ttftRegretMs);
      e2e(choice.e2eRegretMs);
    };
  };
}
