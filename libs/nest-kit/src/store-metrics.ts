import type { Store } from '@sluice/store';
import type { Metrics } from '@sluice/telemetry';

/** Shows whether the store can be reached, as `store_*` metrics. */
export function storeMetrics(metrics: Metrics, store: Store): void {
  metrics.gauge({
    name: 'store_connected',
    help: '1 while the store (Redis, in-memory where nothing is kept) is connected',
    read: () => (store.state() === 'connected' ? 1 : 0),
  });
  const disconnects = metrics.counter({
    name: 'store_disconnects_total',
    help: 'Times that the connection to the store was lost',
  });
  store.onState((state) => {
    if (state === 'disconnected') disconnects.inc();
  });
}
