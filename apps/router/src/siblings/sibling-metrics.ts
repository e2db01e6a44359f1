import type { Metrics } from '@sluice/telemetry';
import type { PoolSiblingsView } from './pool-siblings.ts';

/** From loopback to a sibling that was held up. */
const DELAY_SECONDS = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 3];

/** Metrics of the shared ledgers; docs/metrics.md lists them. `pools` is asked when somebody scrapes. */
export function createSiblingMetrics(metrics: Metrics, pools: () => readonly PoolSiblingsView[], now: () => number) {
  metrics.gauge({
    name: 'router_siblings',
    help: 'Sibling routers heard, by pool',
    labels: ['pool'],
    readEach: (set) => {
      for (const { pool, siblings } of pools()) set({ pool }, siblings.length);
    },
  });
  metrics.gauge({
    name: 'router_sibling_requests',
    help: 'Requests that sibling routers have in flight, by pool',
    labels: ['pool'],
    readEach: (set) => {
      for (const { pool, siblings } of pools()) {
        const requests = siblings.reduce((sum, { inFlight }) => sum + inFlight.requests, 0);
        set({ pool }, requests);
      }
    },
  });
  metrics.gauge({
    name: 'router_sibling_silence_seconds',
    help: 'Since the last message of the sibling not heard for longest, by pool; over 1.2 is late, at 3 it expires; absent without siblings',
    labels: ['pool'],
    readEach: (set) => {
      for (const { pool, siblings } of pools()) {
        const lastMs = Math.min(...siblings.map(({ heardAtMs }) => heardAtMs));
        if (siblings.length > 0) set({ pool }, Math.max(0, now() - lastMs) / 1000);
      }
    },
  });
  const messages = metrics.counter({
    name: 'router_ledger_messages_total',
    help: 'Ledger messages: sent, applied, stale (repeated or overtaken), invalid',
    labels: ['what'],
  });
  for (const what of ['sent', 'applied', 'stale', 'invalid']) messages.inc({ what }, 0);
  return {
    sent: messages.labels({ what: 'sent' }),
    applied: messages.labels({ what: 'applied' }),
    stale: messages.labels({ what: 'stale' }),
    invalid: messages.labels({ what: 'invalid' }),
    expired: metrics.counter({
      name: 'router_siblings_expired_total',
      help: 'Sibling routers that fell silent without leaving',
    }),
    delay: metrics.histogram({
      name: 'router_ledger_delay_seconds',
      help: 'Age of a ledger message when it arrives, as far as the clocks of the machines agree',
      buckets: DELAY_SECONDS,
    }),
  };
}
export type SiblingMetrics = ReturnType<typeof createSiblingMetrics>;
