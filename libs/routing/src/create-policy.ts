import type { Policy } from './policy.ts';
import { POLICY_IDS } from './policy-id.ts';
import type { PolicyId } from './policy-id.ts';
import { EXPECTED_LATENCY_DEFAULTS, expectedLatency } from './policies/expected-latency.ts';
import type { ExpectedLatencyOptions } from './policies/expected-latency.ts';
import { leastRequest, powerOfTwoChoices, random, roundRobin } from './policies/simple.ts';
import { tokenLoad } from './policies/token-load.ts';
import { weighted322 } from './policies/weighted-3-2-2.ts';

export interface PolicyOptions {
  readonly expectedLatency?: Partial<ExpectedLatencyOptions>;
}

export type PolicyResult =
  | { readonly kind: 'policy'; readonly policy: Policy }
  | { readonly kind: 'unknown-policy'; readonly message: string; readonly known: readonly PolicyId[] }
  | { readonly kind: 'bad-option'; readonly message: string };

const MAKERS: Readonly<Record<PolicyId, (options: PolicyOptions) => Policy>> = {
  'expected-latency': (options) => expectedLatency(options.expectedLatency),
  'round-robin': roundRobin,
  random,
  'least-request': leastRequest,
  p2c: powerOfTwoChoices,
  'token-load': tokenLoad,
  'weighted-3-2-2': weighted322,
};

const isPolicyId = (id: string): id is PolicyId => (POLICY_IDS as readonly string[]).includes(id);

/** Makes the policy called `id`. One policy may carry state (round-robin does), so each pool gets its own. */
export function createPolicy(id: string, options: PolicyOptions = {}): PolicyResult {
  if (!isPolicyId(id)) {
    return {
      kind: 'unknown-policy',
      message: `unknown policy '${id}'; known are ${POLICY_IDS.join(', ')}`,
      known: POLICY_IDS,
    };
  }
  for (const [name, value] of Object.entries(options.expectedLatency ?? {})) {
    if (!(name in EXPECTED_LATENCY_DEFAULTS)) {
      return { kind: 'bad-option', message: `policy expected-latency has no option '${name}'` };
    }
    if (!(typeof value === 'number' && value >= 0 && value < Infinity)) {
      return { kind: 'bad-option', message: `option ${name} of expected-latency must be 0 or more, got ${value}` };
    }
  }
  return { kind: 'policy', policy: MAKERS[id](options) };
}
