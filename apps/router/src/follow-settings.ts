import { isDeepStrictEqual } from 'node:util';
import type { Signal } from '@sluice/model';
import { LiveConfig } from '@sluice/nest-kit';
import type { ServiceContext } from '@sluice/nest-kit';
import { parseRouterConfig, routerSettings } from './config.ts';
import type { RouterConfig } from './config.ts';
import { fleetPolicy } from './fleet/fleet-policy.ts';
import type { Router } from './router.ts';

/**
 * The router's configuration, followed while it runs. What is read at each request or look needs nothing but the new
 * values; the rest is told here, between two decisions: requests in flight keep their plans.
 * @param filled columns that something fills: policies may need these
 */
export function followSettings(
  config: RouterConfig,
  context: ServiceContext,
  filled: readonly Signal[],
  router: () => Router,
): LiveConfig<RouterConfig> {
  return new LiveConfig<RouterConfig>({
    settings: routerSettings,
    parse: parseRouterConfig,
    config,
    context,
    check: (next) => policyErrors(next, filled),
    apply: (next, before) => {
      const { fleet, shadows, flow, tracing } = router();
      const changed = (...keys: (keyof RouterConfig)[]): boolean =>
        keys.some((key) => !isDeepStrictEqual(next[key], before[key]));
      if (changed('policy', 'policyOptions')) fleet.setPolicy(next.policy, next.policyOptions);
      if (changed('shadowPolicies', 'shadowSample', 'policyOptions')) {
        shadows.set(next.shadowPolicies, next.shadowSample, next.policyOptions);
      }
      if (changed('traceSample')) tracing.setShare(next.traceSample);
      if (changed('flow')) flow.limitsChanged(fleet.pools.values());
    },
  });
}

/** Policies that cannot run on what this router knows. */
function policyErrors({ policy, policyOptions, shadowPolicies }: RouterConfig, filled: readonly Signal[]): string[] {
  const named = [
    ['ROUTER_POLICY', policy] as const,
    ...shadowPolicies.map((shadow) => ['ROUTER_SHADOW_POLICIES', shadow] as const),
  ];
  return named.flatMap(([setting, id]) => {
    const made = fleetPolicy(id, filled, { options: policyOptions });
    return made.kind === 'error' ? [`${setting}: ${made.message}`] : [];
  });
}
