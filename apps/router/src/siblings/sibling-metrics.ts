import type { Metrics } from '@sluice/telemetry';
import type { PoolSiblingsView } from './sibling-link.ts';

/** From loopback to a sibling that was held up. */
const DELAY_SECONDS = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 3];

/** Metrics of the shared ledgers; docs/router.md explains them. `pools` is asked when somebody scrapes. */
export function createSiblingMetrics(metrics: Metrics, pools: () => readonly PoolSiblingsView[], now: () => number) {
  const siblings = metrics.gauge({
    name: 'router_siblings',
    help: 'Sibling routers heard, by pool',
    labels: ['pool'],
    collect: () => {
      siblings.reset();
      for (const { pool, siblings: heard } of pools()) siblings.set({ pool }, heard.length);
    },
  });
  const requests = metrics.gauge({
    name: 'router_sibling_requests',
    help: 'Requests that sibling routers have in flight, by pool',
    labels: ['pool'],
    collect: () => {
      requests.reset();
      for (const { pool, siblings: heard } of pools()) {
        requests.set(
          { pool },
          heard.reduce((sum, { inFlight }) => sum + inFlight.requests, 0),
        );
      }
    },
  });
  const silence = metrics.gauge({
    name: 'router_sibling_silence_seconds',
    help: 'Time since the last message of the sibling not heard for longest, by pool',
    labels: ['pool'],
    collect: () => {
      silence.reset();
      for (const { pool, siblings: heard } of pools()) {
        const lastMs = Math.min(...heard.map(({ heardAtMs }) => heardAtMs));
        if (heard.length > 0) silence.set({ pool }, Math.max(0, now() - lastMs) / 1000);
      }
    },
  });
  const messages = metrics.counter({
    name: 'router_ledger_messages_total',
    help: 'Ledger messages: sent, applied, stale (repeated or overtaken), invalid',
    labels: ['what'],
  });
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
