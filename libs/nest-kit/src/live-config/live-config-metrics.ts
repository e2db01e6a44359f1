import type { Counter, Metrics } from '@sluice/telemetry';

type Source = 'file' | 'override';

/** Shows which settings are in force, and that changed ones could not be. */
export class LiveConfigMetrics {
  readonly #changes: Counter<'source' | 'result'>;

  constructor(metrics: Metrics, now: () => { readonly version: number; readonly problems: number }) {
    metrics.gauge({
      name: 'config_version',
      help: 'Version of the overrides of settings in force; 0: there have been none',
      read: () => now().version,
    });
    metrics.gauge({
      name: 'config_problems',
      help: 'Errors that keep the newest file or overrides of settings from coming into force',
      read: () => now().problems,
    });
    this.#changes = metrics.counter({
      name: 'config_changes_total',
      help: 'Changes of the file or the overrides of settings that were seen, and whether they came into force',
      labels: ['source', 'result'],
    });
    for (const source of ['file', 'override']) {
      for (const result of ['applied', 'refused']) this.#changes.inc({ source, result }, 0);
    }
  }

  count(source: Source, applied: boolean): void {
    this.#changes.inc({ source, result: applied ? 'applied' : 'refused' });
  }
}
