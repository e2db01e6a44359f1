import type { Metrics } from '@sluice/telemetry';
import type { DataPlane } from './http/data-plane.ts';
import type { Router } from './router.ts';

/** Metrics of values that are kept anyway, read when somebody scrapes. */
export function registerGauges(metrics: Metrics, router: Router, dataPlane: DataPlane): void {
  const { config, fleet, bodies, latency } = router;
  metrics.gauge({ name: 'router_in_flight', help: 'Requests being handled', read: () => dataPlane.inFlight });
  metrics.gauge({
    name: 'router_held_body_bytes',
    help: 'Request bodies held in memory',
    read: () => dataPlane.heldBodyBytes,
  });
  metrics.gauge({
    name: 'router_known_message_bytes',
    help: 'Text of the long messages kept so that they are not parsed again',
    read: () => bodies.known.heldBytes,
  });
  metrics.counter({
    name: 'router_known_messages_evicted_total',
    help: 'Long messages let go because ROUTER_MAX_KNOWN_MESSAGE_BYTES were full',
    read: () => bodies.known.evicted,
  });
  metrics.gauge({
    name: 'router_policy_info',
    help: '1 for the policy in force',
    labels: ['policy'],
    readEach: (set) => set({ policy: fleet.policyId }, 1),
  });
  metrics.gauge({
    name: 'router_workers',
    help: 'Workers by pool and state: up, down',
    labels: ['pool', 'state'],
    readEach: (set) => {
      for (const { id, table } of fleet.pools.values()) {
        const { up, size } = table.columns;
        const count = up.subarray(0, size).reduce((sum, flag) => sum + flag, 0);
        set({ pool: id, state: 'up' }, count);
        set({ pool: id, state: 'down' }, size - count);
      }
    },
  });
  metrics.gauge({
    name: 'router_latency_parameters_age_seconds',
    help: 'Since the latency-predictor was last heard, or the start; absent with ROUTER_LATENCY=profile',
    readEach: (set) => {
      if (config.latency === 'learned') set({}, (performance.now() - latency.heardAtMs) / 1000);
    },
  });
}
